package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/storage"
)

type queueCmd struct {
	List  queueList  `cmd:"" default:"1" help:"List what waits, and why."`
	Retry queueRetry `cmd:"" help:"Try again now."`
	Hold  queueHold  `cmd:"" help:"Keep until retry."`
	Drop  queueDrop  `cmd:"" help:"Delete without telling the sender."`
}

type queueList struct{}

func (queueList) Run(e *env) error {
	return e.onStore(view("queue", func(tx *storage.Tx, out io.Writer) error {
		return queue.List(tx, func(q *queue.Entry) bool {
			state := "next " + q.Due.Format(time.DateTime)
			if q.Hold {
				state = "held"
			}
			fmt.Fprintf(out, "%d\t%s\tfrom <%s>\t%d bytes\t%d tries\t%s\t%s\n", q.ID, q.Created.Format(time.DateTime), q.Sender, q.Size, q.Attempts, state, q.LastError)
			for _, r := range q.Recipients {
				fmt.Fprintf(out, "\tto <%s>\t%s\n", r.Addr, r.LastError)
			}
			return true
		})
	}))
}

type queueRetry struct {
	ID uint64 `arg:"" help:"Number of the entry."`
}

func (c *queueRetry) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		err := update(fmt.Sprint("queue entry ", c.ID), func(tx *storage.Tx, now time.Time) error {
			return queue.Retry(tx, c.ID, now)
		})(ctx, a, out)
		a.queue.Wake()
		return err
	})
}

type queueHold struct {
	ID uint64 `arg:"" help:"Number of the entry."`
}

func (c *queueHold) Run(e *env) error {
	return e.onStore(update(fmt.Sprint("queue entry ", c.ID), func(tx *storage.Tx, _ time.Time) error {
		return queue.Hold(tx, c.ID)
	}))
}

type queueDrop struct {
	ID uint64 `arg:"" help:"Number of the entry."`
}

func (c *queueDrop) Run(e *env) error {
	return e.onStore(update(fmt.Sprint("queue entry ", c.ID), func(tx *storage.Tx, _ time.Time) error {
		return queue.Drop(tx, c.ID)
	}))
}

// traceKinds are what traces are kept of.
var traceKinds = []string{"smtp", "submission", "lmtp", "imap", "http", "queue"}

type traceCmd struct {
	Kind string `arg:"" default:"all" enum:"all,smtp,submission,lmtp,imap,http,queue" help:"smtp, submission, lmtp, imap, http, queue or all."`
}

// Run prints what a running server remembers.
func (c *traceCmd) Run(e *env) error {
	return e.onStore(func(_ context.Context, a *App, out io.Writer) error {
		for _, kind := range traceKinds {
			if c.Kind != "all" && c.Kind != kind {
				continue
			}
			for _, t := range a.rings[kind].Recent() {
				if _, err := io.WriteString(out, t.String()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
