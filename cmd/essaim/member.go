package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

type memberCmd struct {
	Add      memberAdd      `cmd:"" help:"Make a member and print an app password."`
	List     memberList     `cmd:"" help:"List accounts and what their households use."`
	Set      memberSet      `cmd:"" help:"Change what a member is."`
	Password memberPassword `cmd:"" help:"App passwords: make, list, revoke."`
	Recover  memberRecover  `cmd:"" help:"Print new recovery codes for somebody who lost password and codes."`
	Remove   memberRemove   `cmd:"" help:"Delete a member with all mail."`
}

type memberAdd struct {
	Address    string `arg:"" help:"Primary address."`
	Name       string `help:"Name of the person."`
	Language   string `enum:"fr,nl,en" default:"en" help:"fr, nl or en."`
	Cooperator bool   `help:"Owns a share."`
	Subscriber bool   `help:"Pays for the service."`
	Admin      bool   `help:"May administer the cooperative."`
	Quota      int64  `help:"Bytes of a new household; 0 is no limit." placeholder:"BYTES"`
	With       string `help:"Address of somebody whose household this member joins." placeholder:"ADDRESS"`
}

func (c *memberAdd) Run(e *env) error {
	return e.onStore(func(_ context.Context, a *App, out io.Writer) error {
		var password string
		now := time.Now()
		err := a.db.Update(func(tx *storage.Tx) (err error) {
			n := accounts.NewAccount{Address: c.Address, Name: c.Name, Language: c.Language, Cooperator: c.Cooperator,
				Subscriber: c.Subscriber, Admin: c.Admin, Quota: c.Quota}
			if c.With != "" {
				other, err := accounts.Lookup(tx, c.With)
				if err != nil {
					return err
				}
				n.Household = other.Household
			}
			m, err := join(tx, n, now)
			if err == nil {
				password, _, err = accounts.NewAppPassword(tx, m.ID, "first device", accounts.ScopeAll, now)
			}
			return err
		})
		if err != nil {
			return problem("member "+c.Address, err)
		}
		_, err = fmt.Fprintf(out, "%s\napp password: %s\nIt is shown only now.\n", c.Address, password)
		return err
	})
}

type memberList struct{}

func (memberList) Run(e *env) error {
	return e.onStore(view("members", func(tx *storage.Tx, out io.Writer) error {
		return accounts.List(tx, func(a accounts.Account) bool {
			used, limit := tx.Quota(a.Household)
			fmt.Fprintf(out, "%s\t%s\t%s\thousehold %d: %d of %d bytes\n", a.Address, a.Name, facts(a), a.Household, used, limit)
			return true
		})
	}))
}

func facts(a accounts.Account) string {
	s := ""
	for _, f := range []struct {
		is   bool
		word string
	}{{a.Group, "group"}, {a.Cooperator, "cooperator"}, {a.Subscriber, "subscriber"}, {a.Admin, "admin"}, {a.Suspended, "suspended"}, {a.Hidden, "hidden"}} {
		if f.is {
			s += " " + f.word
		}
	}
	return dash(s)
}

type memberSet struct {
	Address    string `arg:"" help:"The member's address."`
	Name       *string
	Language   *string `enum:"fr,nl,en" help:"fr, nl or en."`
	Cooperator *bool   `negatable:"" help:"Owns a share."`
	Subscriber *bool   `negatable:"" help:"Pays for the service."`
	Admin      *bool   `negatable:"" help:"May administer the cooperative."`
	Suspended  *bool   `negatable:"" help:"Receives and reads, cannot send."`
	Hidden     *bool   `negatable:"" help:"Not shown to other members in the directory."`
	Quota      *int64  `help:"Bytes of the household; 0 is no limit." placeholder:"BYTES"`
}

func (c *memberSet) Run(e *env) error {
	return e.onStore(update("member "+c.Address, func(tx *storage.Tx, now time.Time) error {
		a, err := accounts.Lookup(tx, c.Address)
		if err != nil {
			return err
		}
		change(&a.Name, c.Name)
		change(&a.Language, c.Language)
		change(&a.Cooperator, c.Cooperator)
		change(&a.Subscriber, c.Subscriber)
		change(&a.Hidden, c.Hidden)
		if c.Quota != nil {
			tx.SetQuota(a.Household, *c.Quota)
		}
		if err := accounts.Save(tx, a); err != nil {
			return err
		}
		return c.standing(tx, a.ID, now)
	}))
}

// standing changes what the audit log tells of.
func (c *memberSet) standing(tx *storage.Tx, id storage.AccountID, now time.Time) error {
	if c.Suspended != nil {
		set := people.Resume
		if *c.Suspended {
			set = people.Suspend
		}
		if err := set(tx, id, people.Actor{}, now); err != nil {
			return err
		}
	}
	if c.Admin != nil {
		return people.SetAdmin(tx, id, *c.Admin, people.Actor{}, now)
	}
	return nil
}

func change[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

type memberPassword struct {
	Address string `arg:"" help:"The member's address."`
	Device  string `help:"Make one for a device of this name." placeholder:"NAME"`
	Scope   string `help:"What it is good for: all, or some of mail, files, calendar and contacts." default:"all" placeholder:"SERVICE,…"`
	Revoke  uint32 `help:"Revoke the one with this number." placeholder:"N"`
}

func (c *memberPassword) Run(e *env) error {
	return e.onStore(func(_ context.Context, a *App, out io.Writer) error {
		now, text := time.Now(), ""
		scope, err := accounts.ParseScope(c.Scope)
		if err != nil {
			return err
		}
		err = a.db.Update(func(tx *storage.Tx) error {
			m, err := accounts.Lookup(tx, c.Address)
			switch {
			case err != nil:
				return err
			case c.Revoke != 0:
				return accounts.Revoke(tx, m.ID, c.Revoke)
			case c.Device != "":
				plain, id, err := accounts.NewAppPassword(tx, m.ID, c.Device, scope, now)
				text = fmt.Sprintf("%d\t%s\t%s\nIt is shown only now.\n", id, c.Device, plain)
				return err
			}
			text = ""
			for _, p := range accounts.AppPasswords(tx, m.ID) {
				text += fmt.Sprintf("%d\t%s\t%s\tmade %s\tused %s\n", p.ID, p.Device, p.Scope, p.Created.Format(time.DateOnly), p.Used.Format(time.DateTime))
			}
			return nil
		})
		if err == nil {
			_, err = io.WriteString(out, text)
		}
		return problem("app password of "+c.Address, err)
	})
}

type memberRecover struct {
	Address string `arg:"" help:"The member's address."`
}

// Run makes the codes; each opens /recover once, where a password is set.
func (c *memberRecover) Run(e *env) error {
	return e.onStore(func(_ context.Context, a *App, out io.Writer) error {
		var codes []string
		now := time.Now()
		err := a.db.Update(func(tx *storage.Tx) error {
			m, err := accounts.Lookup(tx, c.Address)
			if err == nil {
				codes, err = people.Recover(tx, m.ID, people.Actor{}, now)
			}
			return err
		})
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\nEach is good once, at %s/recover. They are shown only now.\n", strings.Join(codes, "\n"), a.cfg.origin())
		}
		return problem("recovery codes of "+c.Address, err)
	})
}

type memberRemove struct {
	Address string `arg:"" help:"The member's address."`
	Yes     bool   `help:"Really: nothing of it can be had back but from a backup." required:""`
}

// Run deletes what the account has in bounded commits, then the account.
func (c *memberRemove) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, _ io.Writer) error {
		var m accounts.Account
		err := a.db.View(func(tx *storage.Tx) (err error) {
			m, err = accounts.Lookup(tx, c.Address)
			return err
		})
		if err == nil {
			err = people.Delete(ctx, a.db, m.ID, people.Actor{}, time.Now())
		}
		return problem("member "+c.Address, err)
	})
}
