package main

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

type addressCmd struct {
	Add    addressAdd    `cmd:"" help:"Give a member or group another address."`
	Remove addressRemove `cmd:"" help:"Take an address away."`
	List   addressList   `cmd:"" help:"List the addresses of a member or group."`
}

type addressAdd struct {
	Address string `arg:"" help:"The new address."`
	To      string `arg:"" help:"An address of who gets it."`
}

func (c *addressAdd) Run(e *env) error {
	return e.onStore(update("address "+c.Address, func(tx *storage.Tx, _ time.Time) error {
		a, err := accounts.Lookup(tx, c.To)
		if err != nil {
			return err
		}
		return accounts.AddAddress(tx, c.Address, a.ID)
	}))
}

type addressRemove struct {
	Address string `arg:"" help:"The address."`
}

func (c *addressRemove) Run(e *env) error {
	return e.onStore(update("address "+c.Address, func(tx *storage.Tx, _ time.Time) error {
		return accounts.RemoveAddress(tx, c.Address)
	}))
}

type addressList struct {
	Of string `arg:"" help:"An address of the member or group."`
}

func (c *addressList) Run(e *env) error {
	return e.onStore(view("address "+c.Of, func(tx *storage.Tx, out io.Writer) error {
		a, err := accounts.Lookup(tx, c.Of)
		for _, x := range accounts.Addresses(tx, a.ID) {
			fmt.Fprintln(out, x)
		}
		return err
	}))
}
