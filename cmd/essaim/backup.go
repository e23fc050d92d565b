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

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/storage"
)

type backupCmd struct {
	Dir string `arg:"" optional:"" help:"Directory of the backup; an earlier one there is brought up to date. The configured one when not given."`
}

// Run copies the store and verifies the copy.
func (c *backupCmd) Run(e *env) error { return e.keep(admin.MakeBackup, c.Dir) }

type verifyCmd struct {
	Dir string `arg:"" optional:"" help:"Directory of the backup. The configured one when not given."`
}

// Run restores a backup beside the store, verifies what came back, and removes
// it again.
func (c *verifyCmd) Run(e *env) error { return e.keep(admin.VerifyBackup, c.Dir) }

// keep has the keeper do one of its works, and waits for it.
func (e *env) keep(what, dir string) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		if dir == "" {
			dir = a.cfg.Backup
		}
		if dir == "" {
			return errors.New("where? Name a directory, or set backup in the configuration")
		}
		if err := a.keeper.claim(what, time.Now()); err != nil {
			return err
		}
		r, err := a.keeper.do(ctx, what, dir)
		if errors.Is(err, fs.ErrPermission) && e.app != nil {
			err = fmt.Errorf("%w; while the service runs it writes to its data and to the configured backup directory only", err)
		}
		return reportTo(out, r, err)
	})
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
