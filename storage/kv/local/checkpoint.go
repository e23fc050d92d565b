package local

import (
	"encoding/binary"
	"errors"
	"runtime"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// A position is a place in the journal between two frames.
type position struct {
	segment uint32
	offset  int64
	seq     uint64
}

// A frozen overlay is on its way into the tree.
type frozen struct {
	*state
	pos       position
	redo      []extent // redo items before pos, of no use once the tree has them
	reclaimed position // what was freed before it has been given back
}

// An extent is a range of a segment.
type extent struct {
	segment   uint32
	offset, n int64
}

// Checkpoint writes what is durable into the tree and gives dead space back.
// On kv.ErrFull nothing is lost; the next one tries again.
func (db *DB) Checkpoint() error {
	db.ckpt.Lock()
	defer db.ckpt.Unlock()
	f, err := db.freeze()
	if err != nil || f == nil {
		return err
	}
	if err := db.write(f); err != nil {
		return err
	}
	db.shown.Lock()
	db.frozen = nil
	db.shown.Unlock()
	db.checkpoints.Add(1)
	db.treePos, db.live = f.pos, f.live
	return db.reclaim(f)
}

// freeze puts the durable overlay aside, unless an earlier one still waits.
func (db *DB) freeze() (*frozen, error) {
	db.flush <- struct{}{}
	defer func() { <-db.flush }()
	db.writer.Lock()
	defer db.writer.Unlock()
	db.shown.Lock()
	defer db.shown.Unlock()
	db.called.Store(false)
	switch {
	case db.closed:
		return nil, kv.ErrClosed
	case db.hasFailed():
		return nil, kv.ErrFailed
	case db.frozen != nil:
		return db.frozen, nil
	case db.durable.over.empty() && db.open.empty() && db.durable.over.size == 0:
		return nil, nil
	}
	f := &frozen{state: db.durable, pos: position{db.out.number, db.out.end, db.seq}, redo: db.deadRedo, reclaimed: db.reclaimed}
	db.deadRedo, db.since = nil, 0
	db.frozen = f
	db.durable = &state{newOverlay(), f.next, f.live}
	db.durable = db.durable.copy()
	return f, db.rebase(f)
}

// rebase builds the newest state anew over the frozen one, from what the open
// group has gathered.
func (db *DB) rebase(f *frozen) error {
	s := &state{newOverlay(), db.head.next, db.head.live}
	for b := db.open.buf[frameHeader:]; len(b) > 0; {
		it, n, err := parseItem(b)
		if err != nil {
			return err
		}
		if it.kind == itemRedo {
			err = replay(it.data, func(e entry) { s.over.set(e.clone()) }, func(id blob.ID) {
				if p, ok := db.head.over.blobs.Get(id); ok {
					s.over.blobs.Set(id, p)
				}
			})
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	db.head = s
	return nil
}

// write commits the frozen overlay to the tree with the position it stands
// for. A full disk is given the ballast and one more try.
func (db *DB) write(f *frozen) error {
	err := db.writeTree(db.tree, f.write)
	if err == nil {
		f.tidy()
		return nil
	}
	err = full(err)
	if errors.Is(err, kv.ErrFull) && db.ballast.release() {
		if db.writeTree(db.tree, f.write) == nil {
			return nil
		}
	}
	if !errors.Is(err, kv.ErrFull) {
		db.fail(err)
	} else {
		db.tight.Store(true)
	}
	return err
}

// tidy collects what a large commit left behind, some five times the overlay.
// Without it the heap's goal is set while that is alive, and a long import
// holds twice as much as it needs. One collection costs less than a hundredth
// of such a commit.
func (f *frozen) tidy() {
	if f.over.size > 1<<20 {
		runtime.GC()
	}
}

func (f *frozen) write(tx *bolt.Tx) error {
	if err := f.writeKeys(tx); err != nil {
		return err
	}
	if err := f.writeBlobs(tx); err != nil {
		return err
	}
	live := tx.Bucket(bucketLive)
	for n, bytes := range f.live {
		key := binary.BigEndian.AppendUint32(nil, n)
		if err := live.Put(key, sealed(nil, key, binary.AppendVarint(nil, bytes))); err != nil {
			return err
		}
	}
	b := binary.BigEndian.AppendUint32(nil, f.pos.segment)
	b = binary.BigEndian.AppendUint64(b, uint64(f.pos.offset))
	b = binary.BigEndian.AppendUint64(b, f.pos.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(f.next))
	return tx.Bucket(bucketMeta).Put(keyPosition, sealed(nil, keyPosition, b))
}

func (f *frozen) writeKeys(tx *bolt.Tx) (err error) {
	keys := tx.Bucket(bucketKV)
	keys.FillPercent = 0.9 // most tables grow at their end
	f.over.keys.Scan(func(e entry) bool {
		if e.deleted {
			err = keys.Delete(e.key)
		} else {
			err = keys.Put(e.key, sealed(make([]byte, 0, len(e.value)+4), e.key, e.value))
		}
		return err == nil
	})
	return err
}

// writeBlobs also takes from the list of freed bodies what was given back.
func (f *frozen) writeBlobs(tx *bolt.Tx) (err error) {
	free := tx.Bucket(bucketFree)
	if err := f.forget(free); err != nil {
		return err
	}
	blobs := tx.Bucket(bucketBlobs)
	blobs.FillPercent = 0.95
	f.over.blobs.Scan(func(id blob.ID, p place) bool {
		key := idKey(id)
		row := sealed(nil, key, p.marshal())
		if !p.gone {
			err = blobs.Put(key, row)
		} else if err = blobs.Delete(key); err == nil {
			err = free.Put(key, row)
		}
		return err == nil
	})
	return err
}

func (f *frozen) forget(free *bolt.Bucket) error {
	var done [][]byte
	err := free.ForEach(func(k, v []byte) error {
		p, err := readPlace(k, v)
		if err == nil && (p.segment == 0 || (position{segment: p.segment, offset: p.offset}).before(f.reclaimed)) {
			done = append(done, k)
		}
		return err
	})
	for _, k := range done {
		err = errors.Join(err, free.Delete(k))
	}
	return err
}
