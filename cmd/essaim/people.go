package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"essaim.coop/essaim/mailflow"
	"essaim.coop/essaim/mailflow/itip"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/locks"
	"essaim.coop/essaim/storage/mailbox"
	"essaim.coop/essaim/storage/resource"
)

// join makes an account from the command line.
func join(tx *storage.Tx, n accounts.NewAccount, now time.Time) (accounts.Account, error) {
	return people.Join(tx, n, people.Actor{}, now)
}

// enrol makes a demo member with an app password that is known beforehand.
func (a *App) enrol(tx *storage.Tx, n accounts.NewAccount, password string, now time.Time) error {
	m, err := join(tx, n, now)
	if err != nil {
		return err
	}
	_, err = accounts.SetAppPassword(tx, m.ID, "demo", accounts.ScopeAll, password, now)
	return err
}

// marked and mark remember that something was done once.
func (a *App) marked(name []byte) (done bool, err error) {
	err = a.db.View(func(tx *storage.Tx) error {
		done = tx.Cursor(string(name), 0) != 0
		return nil
	})
	return done, err
}

func (a *App) mark(name []byte) error {
	return a.db.Update(func(tx *storage.Tx) error { tx.SetCursor(string(name), 0, 1); return nil })
}

// deliverSample brings a message in by the way of all mail.
func (a *App) deliverSample(ctx context.Context, from, to string, msg []byte) error {
	env := &smtp.Envelope{From: from, To: []smtp.Rcpt{{Addr: to}}, Session: smtp.Session{ID: "demo", HELO: "localhost", Addr: loopback{}}}
	return mailflow.Inbound{Mail: a.mail}.Deliver(ctx, env, bytes.NewReader(msg))
}

type loopback struct{}

func (loopback) Network() string { return "tcp" }
func (loopback) String() string  { return "127.0.0.1" }

// checks are the rooms' own parts of a check.
var checks = []storage.CheckHook{accounts.Check, mailbox.Check, locks.Check, files.Check, resource.Check, calendar.Check, contacts.Check, queue.Check, itip.Check, audit.Check}

// update and view wrap a transaction of a command.
func update(what string, fn func(tx *storage.Tx, now time.Time) error) storeCmd {
	return func(_ context.Context, a *App, _ io.Writer) error {
		now := time.Now()
		return problem(what, a.db.Update(func(tx *storage.Tx) error { return fn(tx, now) }))
	}
}

func view(what string, fn func(tx *storage.Tx, out io.Writer) error) storeCmd {
	return func(_ context.Context, a *App, out io.Writer) error {
		var b bytes.Buffer // nothing is written to a terminal inside a view
		err := a.db.View(func(tx *storage.Tx) error { return fn(tx, &b) })
		if err == nil {
			_, err = b.WriteTo(out)
		}
		return problem(what, err)
	}
}
