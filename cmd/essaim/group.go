package main

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

type groupCmd struct {
	Add    groupAdd    `cmd:"" help:"Make a group with a mailbox of its own."`
	Join   groupJoin   `cmd:"" help:"Put an address into a group."`
	Leave  groupLeave  `cmd:"" help:"Take an address out of a group."`
	List   groupList   `cmd:"" help:"List the groups, or who is in one."`
	Rename groupRename `cmd:"" help:"Change the name that people see."`
}

type groupAdd struct {
	Address string `arg:"" help:"The group's address."`
	Name    string `help:"Its name."`
	Forward bool   `help:"What is sent to it also goes to each member."`
	// Resource is what the group is that answers invitations itself.
	Resource string `enum:",room,equipment" default:"" help:"It is no people but a room, or equipment such as a van: it takes invitations when it is free."`
}

var resources = map[string]string{"room": accounts.Room, "equipment": accounts.Equipment}

func (c *groupAdd) Run(e *env) error {
	return e.onStore(update("group "+c.Address, func(tx *storage.Tx, now time.Time) error {
		_, err := join(tx, accounts.NewAccount{Address: c.Address, Name: c.Name, Group: true, Forward: c.Forward, Resource: resources[c.Resource]}, now)
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
	Group string `arg:"" optional:"" help:"The group's address."`
}

func (c *groupList) Run(e *env) error {
	if c.Group == "" {
		return e.onStore(view("groups", listGroups))
	}
	return e.onStore(view("group "+c.Group, func(tx *storage.Tx, out io.Writer) error {
		g, err := accounts.Lookup(tx, c.Group)
		if err != nil {
			return err
		}
		for _, m := range accounts.Members(tx, g.ID) {
			fmt.Fprintln(out, m)
		}
		return nil
	}))
}

func listGroups(tx *storage.Tx, out io.Writer) error {
	return accounts.List(tx, func(a accounts.Account) bool {
		if a.Group {
			fmt.Fprintf(out, "%s\t%s\t%d members\n", a.Address, a.Name, len(accounts.Members(tx, a.ID)))
		}
		return true
	})
}

type groupRename struct {
	Group string `arg:"" help:"The group's address."`
	Name  string `arg:"" help:"Its new name."`
}

func (c *groupRename) Run(e *env) error {
	return e.onStore(update("group "+c.Group, func(tx *storage.Tx, _ time.Time) error {
		g, err := accounts.Lookup(tx, c.Group)
		if err != nil {
			return err
		}
		return accounts.Rename(tx, g.ID, c.Name)
	}))
}
