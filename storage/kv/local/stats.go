package local

import (
	"path/filepath"
	"strings"
	"sync/atomic"

	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// written counts bytes by cause, as kv.Written tells them.
type written struct {
	bodies, redo, frames, rest, files, tree, spare atomic.Uint64
}

// group counts a group's frame, which was written at off.
func (w *written) group(g *group, off, frame int64) {
	bodies, redo := int64(0), int64(0)
	for _, b := range g.bodies {
		if b.from == "" {
			bodies += int64(b.pl.stored)
		} else {
			w.files.Add(uint64(b.pl.size))
		}
	}
	for _, r := range g.redo {
		redo += r.n - itemHeader
	}
	from, to := off/block*block, (off+frame+block-1)/block*block
	w.bodies.Add(uint64(bodies))
	w.redo.Add(uint64(redo))
	w.frames.Add(uint64(frame - bodies - redo))
	w.rest.Add(uint64(to - from - frame))
}

// writeTree runs a transaction of a tree and counts the pages it wrote.
func (db *DB) writeTree(t *bolt.DB, fn func(*bolt.Tx) error) error {
	n := &db.written.tree
	if strings.HasPrefix(filepath.Base(t.Path()), "spare.db") {
		n = &db.written.spare
	}
	before := t.Stats().TxStats.PageAlloc
	err := t.Update(fn)
	n.Add(uint64(t.Stats().TxStats.PageAlloc-before) + uint64(t.Info().PageSize)) // and the tree's own header
	return err
}

// Stats is kv.Engine.
func (db *DB) Stats() kv.Stats {
	w := &db.written
	st := kv.Stats{
		Commits: db.commits.Load(), Groups: db.groups.Load(), Syncs: db.syncs.Load(),
		Checkpoints: db.checkpoints.Load(),
		Written: kv.Written{
			Bodies: w.bodies.Load(), Redo: w.redo.Load(), Frames: w.frames.Load(), Rest: w.rest.Load(),
			Files: w.files.Load(), Tree: w.tree.Load(), Spare: w.spare.Load(),
		},
	}
	db.shown.RLock()
	defer db.shown.RUnlock()
	if db.closed {
		return st
	}
	st.Overlay = db.durable.over.size
	for _, n := range db.durable.live {
		st.JournalLive += n
	}
	for _, n := range db.files.numbers() {
		size, err := db.files.get(n).Size()
		if err == nil {
			st.Journal += size
		}
	}
	t := db.tree.Stats()
	st.TreeFree = int64(t.FreeAlloc)
	_ = db.tree.View(func(tx *bolt.Tx) error {
		st.Tree = tx.Size()
		st.Blobs = int64(tx.Bucket(bucketBlobs).Stats().KeyN)
		return nil
	})
	return st
}
