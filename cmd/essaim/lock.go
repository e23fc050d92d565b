package main

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/locks"
)

type lockCmd struct {
	List  lockList  `cmd:"" default:"1" help:"List who has locked what, and until when."`
	Break lockBreak `cmd:"" help:"Take a lock away from whoever holds it."`
}

type lockList struct{}

func (lockList) Run(e *env) error {
	now := time.Now()
	return e.onStore(view("locks", func(tx *storage.Tx, out io.Writer) error {
		locks.List(tx, now, func(l locks.Lock) bool {
			who := fmt.Sprint("account ", l.Creator)
			if a, err := accounts.Get(tx, l.Creator); err == nil {
				who = a.Address
			}
			fmt.Fprintf(out, "%s\t%s\t%s\tuntil %s\t%s\n", l.Token, who, lockKind(l), l.Until.Format(time.DateTime), l.Root)
			return true
		})
		return nil
	}))
}

func lockKind(l locks.Lock) string {
	kind := "exclusive"
	if l.Shared {
		kind = "shared"
	}
	if l.Infinite {
		kind += ", with all below"
	}
	return kind
}

type lockBreak struct {
	Token string `arg:"" help:"The lock's token, urn:uuid:…"`
}

func (c *lockBreak) Run(e *env) error {
	return e.onStore(update("lock "+c.Token, func(tx *storage.Tx, now time.Time) error {
		return locks.Break(tx, c.Token, now)
	}))
}
