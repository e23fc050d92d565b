package main

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

type groupCmd struct {
	Add   groupAdd   `cmd:"" help:"Make a group with a mailbox of its own."`
	Join  groupJoin  `cmd:"" help:"Put an address into a group."`
	Leave groupLeave `cmd:"" help:"Take an address out of a group."`
	List  groupList  `cmd:"" help:"List who is in a group."`
}

type groupAdd struct {
	Address string `arg:"" help:"The group's address."`
	Name    string `help:"Its name."`
	Forward bool   `help:"What is sent to it also goes to each member."`
}

func (c *groupAdd) Run(e *env) error {
	return e.onStore(update("group "+c.Address, func(tx *storage.Tx, now time.Time) error {
		_, err := join(tx, accounts.NewAccount{Address: c.Address, Name: c.Name, Group: true, Forward: c.Forward}, now)
		return err
	}))
}

type groupJoin struct {
	Group  string `arg:"" help:"The group's address."`
	Member string `arg:"" help:"An address, here or elsewhere."`
}

func (c *groupJoin) Run(e *env) error {
	return e.onStore(update("group "+c.Group, func(tx *storage.Tx, _ time.Time) error {
		g, err := accounts.Lookup(tx, c.Group)
		if err != nil {
			return err
		}
		return accounts.AddMember(tx, g.ID, c.Member)
	}))
}

type groupLeave struct {
	Group  string `arg:"" help:"The group's address."`
	Member string `arg:"" help:"An address in it."`
}

func (c *groupLeave) Run(e *env) error {
	return e.onStore(update("group "+c.Group, func(tx *storage.Tx, _ time.Time) error {
		g, err := accounts.Lookup(tx, c.Group)
		if err != nil {
			return err
		}
		return accounts.RemoveMember(tx, g.ID, c.Member)
	}))
}

type groupList struct {
	Group string `arg:"" help:"The group's address."`
}

func (c *groupList) Run(e *env) error {
	return e.onStore(view("group "+c.Group, func(tx *storage.Tx, out io.Writer) error {
		g, err := accounts.Lookup(tx, c.Group)
		for _, m := range accounts.Members(tx, g.ID) {
			fmt.Fprintln(out, m)
		}
		return err
	}))
}
