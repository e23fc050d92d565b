package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// advance brings a copy of the tree from its own position in the journal to
// another, in commits of the size of an overlay.
func (db *DB) advance(ctx context.Context, t *bolt.DB, to position) error {
	s, pos, _, err := readState(t)
	if err != nil {
		return err
	}
	for reclaimed := pos; pos != to; {
		s.over = newOverlay()
		err := sound(func() error {
			return t.View(func(tx *bolt.Tx) error {
				r := replayer{state: s, tree: tx}
				pos, err = db.eachFrame(pos, to, func(string) {}, func(at position, payload []byte) (bool, error) {
					err := r.frame(at.segment, at.offset, payload)
					return s.over.size < db.opt.Overlay, errors.Join(err, ctx.Err())
				})
				return err
			})
		})
		if err != nil {
			return err
		}
		f := &frozen{state: s, pos: pos, reclaimed: reclaimed}
		if err := sound(func() error { return db.writeTree(t, f.write) }); err != nil {
			return db.wrote(err)
		}
		f.tidy()
	}
	return nil
}

// wrote sorts an error of writing a copy of the tree, and notes a full disk.
func (db *DB) wrote(err error) error {
	if errors.Is(err, kv.ErrCorrupt) {
		return err
	}
	if err = full(err); errors.Is(err, kv.ErrFull) {
		db.tight.Store(true)
	}
	return err
}

// copyTree makes a copy of the tree without its free pages, in the file name,
// while the tree is in use. Then it calls done with the copy on stable storage
// and equal to the tree, with the checkpoint locked so that it stays so. What
// done does not close or rename is removed. copying is held.
func (db *DB) copyTree(ctx context.Context, name string, done func(*bolt.DB) error) (err error) {
	db.ckpt.Lock()
	tx, err := db.tree.Begin(false)
	db.pin = db.treePos
	db.ckpt.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		_ = tx.Rollback()
		db.ckpt.Lock()
		db.pin = position{}
		db.ckpt.Unlock()
	}()
	path := db.path(name)
	_ = os.Remove(path)
	opt := treeOptions()
	opt.InitialMmapSize = max(opt.InitialMmapSize/sparing, int(tx.Size()))
	opt.NoSync, opt.NoGrowSync = true, true
	t, err := makeTree(path, opt)
	if err != nil {
		return db.wrote(err)
	}
	defer func() {
		if err != nil {
			_ = errors.Join(t.Close(), os.Remove(path))
		}
	}()
	if err := db.copyBuckets(ctx, t, tx); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil { // its pages may be used again
		return err
	}
	return db.catchUp(ctx, t, done)
}

// catchUp follows the journal to where the tree is, first while that goes on,
// and then to the end while it waits.
func (db *DB) catchUp(ctx context.Context, t *bolt.DB, done func(*bolt.DB) error) error {
	for range 4 {
		db.ckpt.Lock()
		to := db.treePos
		db.ckpt.Unlock()
		if err := db.advance(ctx, t, to); err != nil {
			return err
		}
	}
	db.ckpt.Lock()
	defer db.ckpt.Unlock()
	if db.isClosed() {
		return kv.ErrClosed
	}
	if err := db.advance(ctx, t, db.treePos); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return db.wrote(err)
	}
	t.NoSync, t.NoGrowSync = false, false
	return done(t)
}

// copyBuckets copies every row, verified, in commits of bounded size.
func (db *DB) copyBuckets(ctx context.Context, t *bolt.DB, from *bolt.Tx) error {
	for _, name := range buckets {
		var c *bolt.Cursor
		var k, v []byte
		if err := sound(func() error {
			c = from.Bucket(name).Cursor()
			k, v = c.First()
			return nil
		}); err != nil {
			return err
		}
		for k != nil {
			err := sound(func() error {
				return db.writeTree(t, func(tx *bolt.Tx) error {
					to := tx.Bucket(name)
					to.FillPercent = 0.95
					for size := 0; k != nil && int64(size) < db.opt.Overlay; k, v = c.Next() {
						if _, err := unseal(k, v); err != nil {
							return err
						}
						if err := to.Put(k, v); err != nil {
							return err
						}
						size += len(k) + len(v)
					}
					return ctx.Err()
				})
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return db.wrote(err)
			}
		}
	}
	return nil
}

// Compact gives back what it can of the directory: segments that are mostly
// dead, and the free pages of the tree and of its spare copy. Updates go on
// meanwhile; they wait only while the last of them are followed.
func (db *DB) Compact(ctx context.Context) error {
	if db.opt.ReadOnly {
		return kv.ErrReadOnly
	}
	ctx, leave, err := db.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := db.Rewrite(ctx); err != nil {
		return err
	}
	db.copying.Lock()
	defer db.copying.Unlock()
	if err := db.copyTree(ctx, "tree.db.new", db.swap); err != nil {
		return fmt.Errorf("compacting the tree: %w", err)
	}
	if db.opt.Spare < 0 {
		return nil
	}
	return db.newSpare(ctx)
}

// swap puts a copy in the place of the tree. The old file is closed when its
// last reader has ended. The checkpoint is locked.
func (db *DB) swap(t *bolt.DB) error {
	if err := os.Rename(db.path("tree.db.new"), db.path("tree.db")); err != nil {
		return err
	}
	if err := vfs.OS.SyncDir(db.dir); err != nil {
		// Which of the two is found after a power cut nobody knows; they are
		// equal now, but would not be after the next checkpoint.
		return db.lost(err)
	}
	db.shown.Lock()
	old := db.tree
	db.tree = t
	db.shown.Unlock()
	db.goes.Go(func() { _ = old.Close() })
	return nil
}

// enter lets a long piece of work begin that Close waits for, and cuts.
func (db *DB) enter(ctx context.Context) (context.Context, func(), error) {
	db.shown.RLock()
	defer db.shown.RUnlock()
	if db.closed || db.life.Err() != nil {
		return nil, nil, kv.ErrClosed
	}
	db.goes.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(db.life, cancel)
	return ctx, func() { stop(); cancel(); db.goes.Done() }, nil
}

// treeOptions are those of the live tree.
func treeOptions() *bolt.Options {
	return &bolt.Options{
		Timeout: time.Second, FreelistType: bolt.FreelistMapType, NoFreelistSync: true, InitialMmapSize: mapped,
	}
}
