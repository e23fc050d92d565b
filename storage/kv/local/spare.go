package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The spare copy of the tree, spare.db, is a tree of its own that follows the
// journal at a distance: it shares no page with the tree, and what damages one
// does not damage the other. From its position on the journal stays whole, redo
// items and dead bodies included, so that spare and journal together are the
// tree. It is brought up to date by a checkpoint that finds it Options.Spare
// bytes of journal behind.

// mostDead bounds the list of dead extents that wait for the spare copy.
const mostDead = 64 << 10

// spareOptions: it has one user, so that growing its mapping holds nobody up.
func spareOptions() *bolt.Options {
	opt := treeOptions()
	opt.InitialMmapSize = 0
	return opt
}

// findSpare notes how far the spare copy is, if there is one that can be used.
// A new store gets an empty one.
func (db *DB) findSpare(fresh bool) {
	if db.opt.Spare < 0 {
		return
	}
	path := db.path("spare.db")
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && fresh && !db.opt.ReadOnly {
		err = newTree(path, spareOptions())
	}
	if err != nil {
		return // made later
	}
	opt := spareOptions()
	opt.ReadOnly = true
	t, err := openBolt(path, opt)
	if err != nil {
		return
	}
	defer t.Close()
	if _, pos, _, err := readState(t); err == nil && !db.treePos.before(pos) {
		db.spare = pos
	}
}

// openBolt opens a tree; a damaged one may not even open.
func openBolt(path string, opt *bolt.Options) (t *bolt.DB, err error) {
	err = sound(func() error {
		t, err = bolt.Open(path, 0o600, opt)
		return err
	})
	return t, err
}

// keepSpare brings the spare copy up to date when it is due.
func (db *DB) keepSpare(ctx context.Context) error {
	if db.opt.Spare < 0 || !db.copying.TryLock() {
		return nil
	}
	defer db.copying.Unlock()
	db.ckpt.Lock()
	at, behind := db.spare, db.distance(db.spare, db.treePos)
	due := behind >= db.opt.Spare || len(db.dead) > mostDead
	db.ckpt.Unlock()
	if at.segment == 0 {
		return db.newSpare(ctx)
	}
	if !due {
		return nil
	}
	err := db.followSpare(ctx)
	if errors.Is(err, kv.ErrCorrupt) || errors.Is(err, errSpare) {
		return db.newSpare(ctx)
	}
	return err
}

var errSpare = errors.New("kv: the spare copy of the tree does not open")

// distance is the bytes of journal between two positions. The checkpoint is
// locked.
func (db *DB) distance(from, to position) (n int64) {
	for s := from.segment; s < to.segment; s++ {
		if f := db.files.get(s); f != nil {
			size, _ := f.Size()
			n += size
		}
	}
	return n + to.offset - from.offset
}

// followSpare advances the spare copy to the tree's last checkpoint.
func (db *DB) followSpare(ctx context.Context) error {
	t, err := openBolt(db.path("spare.db"), spareOptions())
	if err != nil {
		return fmt.Errorf("%w: %w", errSpare, err)
	}
	t.AllocSize = 1 << 20
	db.ckpt.Lock()
	defer db.ckpt.Unlock()
	to := db.treePos
	if err := errors.Join(db.advance(ctx, t, to), t.Close()); err != nil {
		return err
	}
	db.spare = to
	return db.giveBack()
}

// newSpare makes the spare copy anew from the tree, if there is room for it.
func (db *DB) newSpare(ctx context.Context) error {
	if !db.roomy() {
		return nil
	}
	db.tight.Store(false)
	return db.copyTree(ctx, "spare.db.new", func(t *bolt.DB) error {
		if err := t.Close(); err != nil {
			return err
		}
		if err := os.Rename(db.path("spare.db.new"), db.path("spare.db")); err != nil {
			return err
		}
		if err := vfs.OS.SyncDir(db.dir); err != nil {
			return db.lost(err) // the old one may come back, and what it needs is about to go
		}
		db.spare = db.treePos
		return db.giveBack()
	})
}

// roomy reports whether there is room for another spare copy and what it keeps.
func (db *DB) roomy() bool {
	var st unix.Statfs_t
	if err := unix.Statfs(db.dir, &st); err != nil {
		return true
	}
	return int64(st.Bavail)*int64(st.Bsize) > 2*db.Stats().Tree+db.opt.Spare
}

// dropSpare gives the spare copy's space back, and all that is kept for it. The
// checkpoint is locked.
func (db *DB) dropSpare() error {
	if db.spare.segment == 0 {
		return nil
	}
	err := ignoreMissing(os.Remove(db.path("spare.db")))
	if err == nil {
		err = vfs.OS.SyncDir(db.dir) // before the journal it stands on goes
	}
	if err == nil {
		db.spare = position{}
	}
	return err
}
