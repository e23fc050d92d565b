package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
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

type restoreCmd struct {
	Backup  string `arg:"" help:"Directory of the backup, or the copy that an upgrade kept."`
	Replace bool   `help:"Set the present store aside first, under a name with the time."`
}

// Run makes the store of the data directory from a backup; the server must not
// run and, unless the present store is to be replaced, there must be none.
func (c *restoreCmd) Run(e *env) error {
	cfg, err := e.loadConfig()
	if err != nil {
		return err
	}
	if conn, err := net.Dial("unix", controlPath(cfg.Data)); err == nil {
		conn.Close()
		return errors.New("the server runs: stop it first")
	}
	if err := c.restore(e, cfg.storeDir()); err != nil {
		return problem("restore to "+cfg.storeDir(), err)
	}
	fmt.Fprintln(e.out, "restored to", cfg.storeDir())
	return (&checkCmd{}).Run(e)
}

// restore sets the present store aside if it is to be replaced; when the backup
// is no good, that comes back.
func (c *restoreCmd) restore(e *env, dir string) error {
	if _, err := os.Stat(dir); !c.Replace || errors.Is(err, fs.ErrNotExist) {
		return storage.Restore(e.ctx, c.Backup, dir)
	}
	aside := dir + time.Now().Format(".aside-20060102-150405")
	if err := os.Rename(dir, aside); err != nil {
		return err
	}
	if err := storage.Restore(e.ctx, c.Backup, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir), os.Rename(aside, dir))
	}
	_, err := fmt.Fprintln(e.out, "the store that was there is now", aside)
	return err
}
