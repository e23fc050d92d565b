package main

import (
	"context"
	"errors"
	"io"
	"time"

	"essaim.coop/essaim/storage"
)

type backupCmd struct {
	Dir string `arg:"" optional:"" help:"Directory of the backup; an earlier one there is brought up to date. The configured one when not given."`
}

// Run copies the store and verifies the copy.
func (c *backupCmd) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		dir := c.Dir
		if dir == "" {
			dir = a.cfg.Backup
		}
		if dir == "" {
			return errors.New("where to? Name a directory, or set backup in the configuration")
		}
		r, err := a.backup(ctx, dir)
		return reportTo(out, r, err)
	})
}

// backup copies the store to a directory, verifies the copy, and when that is
// in order remembers when it was made.
func (a *App) backup(ctx context.Context, dir string) (*storage.Report, error) {
	now := time.Now()
	r, err := a.db.Backup(ctx, dir, storage.CheckOptions{Bodies: true, Hooks: checks})
	if err != nil || !r.Clean() || a.db.ReadOnly() != "" {
		return r, err
	}
	return r, a.db.Update(func(tx *storage.Tx) error {
		tx.SetCursor(backupCursor, 0, storage.ModSeq(now.Unix()))
		return nil
	})
}

// backupCursor keeps the time of the last verified backup, in Unix seconds.
const backupCursor = "backup"

// lastBackup is when the last verified one was made; zero when never.
func (a *App) lastBackup() (at time.Time, err error) {
	err = a.db.View(func(tx *storage.Tx) error {
		if s := tx.Cursor(backupCursor, 0); s != 0 {
			at = time.Unix(int64(s), 0)
		}
		return nil
	})
	return at, err
}
