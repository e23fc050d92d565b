package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/kv"

	"golang.org/x/sys/unix"
)

// A Rebuilt says what Rebuild did.
type Rebuilt struct {
	From   string // what it began with: spare.db, or "" for the journal alone
	Groups uint64 // of transactions that the journal added
	Aside  string // where the old tree is now; "" if there was none
	Notes  []string
}

// Rebuild makes the tree of the store in dir anew, from its spare copy and the
// journal behind that, or from the journal alone where that reaches back to the
// beginning. Nothing that was acknowledged is missing in it. The old tree is
// kept under another name. On an error nothing has changed. The store must not
// be in use.
func Rebuild(ctx context.Context, dir string, opt Options) (*Rebuilt, error) {
	free, err := lockTree(filepath.Join(dir, "tree.db"))
	if err != nil {
		return nil, err
	}
	defer free()
	r, err := rebuildFrom(ctx, dir, "spare.db", opt)
	if err != nil {
		why := err
		if r, err = rebuildFrom(ctx, dir, "", opt); err != nil {
			return nil, fmt.Errorf("from spare.db: %w; from the journal alone: %w", why, err)
		}
		r.Notes = append(r.Notes, why.Error())
	}
	return r, r.install(dir)
}

// lockTree makes sure that nobody has the tree open. A tree that is gone or
// damaged can be locked by its file alone.
func lockTree(path string) (free func(), err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil
}

const newTreeName = "tree.db.new"

// rebuildFrom makes the new tree beside the old one and tries it: the journal
// is followed to its end, and every page is verified.
func rebuildFrom(ctx context.Context, dir, spare string, opt Options) (*Rebuilt, error) {
	path := filepath.Join(dir, newTreeName)
	_ = os.Remove(path)
	if spare == "" {
		if err := newTree(path, spareOptions()); err != nil {
			return nil, err
		}
	} else if err := copyFile(ctx, filepath.Join(dir, spare), path); err != nil {
		return nil, err
	}
	opt.tree, opt.ReadOnly, opt.Spare = newTreeName, true, -1
	db, err := Open(dir, opt)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if spare == "" && db.torn {
		// Space that was given back looks like a torn tail from here.
		return nil, fmt.Errorf("%w: the journal does not reach back to the beginning", kv.ErrCorrupt)
	}
	var bad error
	err = verifyPages(ctx, path, db.tree, func(s string) { bad = fmt.Errorf("%w: %s", kv.ErrCorrupt, s) })
	return &Rebuilt{From: spare, Groups: db.seq - db.treePos.seq}, errors.Join(err, bad)
}

// install puts the new tree in its place.
func (r *Rebuilt) install(dir string) error {
	path := filepath.Join(dir, "tree.db")
	if _, err := os.Stat(path); err == nil {
		r.Aside = path + ".damaged"
		for n := 1; exists(r.Aside); n++ {
			r.Aside = fmt.Sprintf("%s.damaged%d", path, n)
		}
		if err := os.Rename(path, r.Aside); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(dir, newTreeName), path); err != nil {
		return err
	}
	return vfs.OS.SyncDir(dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// copyFile copies a file whole, on stable storage.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close(), ctx.Err())
}
