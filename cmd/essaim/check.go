package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"essaim.coop/essaim/storage"
)

var errDamage = errors.New("the store has problems; do not delete anything, and see docs/operations.md")

type checkCmd struct {
	Quick bool `help:"Leave the bodies out."`
}

// Run verifies the store. Exit status 0 is clean, 1 is damage or failure. When
// all is found in order, a failure of the disk is forgotten.
func (c *checkCmd) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		r, err := a.db.Check(ctx, storage.CheckOptions{Bodies: !c.Quick, Hooks: checks})
		if err := reportTo(out, r, err); err != nil || c.Quick {
			return err
		}
		if err := a.db.ClearFailure(); err != nil {
			return err
		}
		if why := a.db.ReadOnly(); why != "" {
			fmt.Fprintf(out, "read-only until the next start: %s\n", why)
		}
		return nil
	})
}

func reportTo(out io.Writer, r *storage.Report, err error) error {
	if err != nil {
		return err
	}
	if _, err := r.WriteTo(out); err != nil {
		return err
	}
	if !r.Clean() {
		return errDamage
	}
	return nil
}

type compactCmd struct{}

// Run moves what lives out of mostly dead journal segments, so that they can
// go, and writes the index anew without its free pages.
func (compactCmd) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		before := a.db.Stats()
		if err := a.db.Compact(ctx); err != nil {
			return err
		}
		after := a.db.Stats()
		_, err := fmt.Fprintf(out, "journal %d -> %d bytes, of which live %d; tree %d -> %d bytes, of which free %d\n",
			before.Journal, after.Journal, after.JournalLive, before.Tree, after.Tree, after.TreeFree)
		return err
	})
}
