package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// bodyPath is where a large body's file is.
func (db *DB) bodyPath(id blob.ID) string { return db.path(bodyName(id)) }

func bodyName(id blob.ID) string { return fmt.Sprintf("blobs/%d/%d", uint64(id>>10), uint64(id)) }

// Open is kv.Engine. A small body's stored form is read whole and verified here;
// a large one's file stays open until the Reader is closed.
func (db *DB) Open(id blob.ID) (*blob.Reader, error) {
	db.moving.RLock()
	defer db.moving.RUnlock()
	sn, err := db.capture(nil)
	if err != nil {
		return nil, err
	}
	p, err := sn.place(id), sn.err
	sn.end()
	switch {
	case err != nil:
		return nil, err
	case p == (place{}):
		return nil, fmt.Errorf("body %d: %w", id, kv.ErrNoBlob)
	case p.segment == 0:
		r, err := blob.OpenFile(db.fs, db.bodyPath(id), p.size)
		if errors.Is(err, fs.ErrNotExist) {
			if db.freedSince(id) {
				return nil, fmt.Errorf("body %d: %w", id, kv.ErrNoBlob)
			}
			return nil, fmt.Errorf("body %d in %s: %w: %w", id, bodyName(id), blob.ErrCorrupt, err)
		}
		return r, err
	}
	it, err := db.readItem(p)
	if err == nil && it.id != id {
		err = errItem
	}
	if err != nil {
		return nil, fmt.Errorf("body %d in journal/%08d at %d: %w: %w", id, p.segment, p.offset, blob.ErrCorrupt, err)
	}
	if it.packed {
		return blob.NewPackedReader(it.data, it.size), nil
	}
	return blob.NewReader(it.data), nil
}

func (db *DB) freedSince(id blob.ID) bool {
	sn, err := db.capture(nil)
	if err != nil {
		return false
	}
	defer sn.end()
	return sn.place(id) == place{}
}

// readItem reads the item of a small body. moving is held.
func (db *DB) readItem(p place) (item, error) {
	f := db.files.get(p.segment)
	if f == nil {
		return item{}, fmt.Errorf("%w: no segment", errItem)
	}
	b := make([]byte, p.span())
	if _, err := f.ReadAt(b, p.offset); err != nil {
		return item{}, err
	}
	it, _, err := parseItem(b)
	return it, err
}

// Blobs is kv.Engine.
func (db *DB) Blobs(fn func(blob.ID, int64) bool) error {
	return db.places(func(id blob.ID, p place) bool { return fn(id, p.size) })
}

// places calls fn with every living body in order.
func (db *DB) places(fn func(blob.ID, place) bool) error {
	sn, err := db.capture(nil)
	if err != nil {
		return err
	}
	defer sn.end()
	sn.places(fn)
	return sn.err
}

// Blobs is kv.Reader.
func (s *snapshot) Blobs(fn func(blob.ID, int64) bool) {
	s.places(func(id blob.ID, p place) bool { return fn(id, p.size) })
}

func (s *snapshot) places(fn func(blob.ID, place) bool) {
	over := s.over.copy()
	if s.under != nil {
		s.under.blobs.Scan(func(id blob.ID, p place) bool {
			if _, ok := over.blobs.Get(id); !ok {
				over.blobs.Set(id, p)
			}
			return true
		})
	}
	if err := merge(s, over, fn); err != nil && s.err == nil {
		s.err = err
	}
}

// merge walks tree and overlay side by side.
func merge(sn *snapshot, over *overlay, fn func(blob.ID, place) bool) error {
	c := sn.tree.Bucket(bucketBlobs).Cursor()
	k, v := c.First()
	it := over.blobs.Iter()
	more := it.First()
	for k != nil || more {
		var id blob.ID
		var p place
		if k != nil && (!more || blob.ID(binary.BigEndian.Uint64(k)) < it.Key()) {
			var err error
			if id, p, err = treePlace(k, v); err != nil {
				return err
			}
			k, v = c.Next()
		} else {
			id, p = it.Key(), it.Value()
			if k != nil && blob.ID(binary.BigEndian.Uint64(k)) == id {
				k, v = c.Next()
			}
			more = it.Next()
		}
		if !p.gone && !fn(id, p) {
			return nil
		}
	}
	return nil
}

func treePlace(k, v []byte) (blob.ID, place, error) {
	p, err := readPlace(k, v)
	return blob.ID(binary.BigEndian.Uint64(k)), p, err
}

// noteRedo remembers a redo item that is worth giving back after the next
// checkpoint. The flush token is held, or the engine is being opened.
func (db *DB) noteRedo(e extent) {
	if e.n >= 8<<10 {
		db.deadRedo = append(db.deadRedo, e)
	}
}

// Rewrite moves the bodies of segments that are mostly dead to the journal's
// end, so that the segments can go, until ctx ends or none is left.
func (db *DB) Rewrite(ctx context.Context) error {
	for _, n := range db.mostlyDead() {
		for {
			moved, err := db.rewriteSome(n)
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if !moved {
				break
			}
		}
	}
	return db.Checkpoint()
}

func (db *DB) mostlyDead() []uint32 {
	db.shown.RLock()
	live := db.durable.live
	db.shown.RUnlock()
	var out []uint32
	numbers := db.files.numbers()
	for _, n := range numbers[:max(0, len(numbers)-1)] {
		if size, err := db.files.get(n).Size(); err == nil && live[n] < size/2 {
			out = append(out, n)
		}
	}
	return out
}

// rewriteSome moves about a MiB of bodies out of a segment.
func (db *DB) rewriteSome(n uint32) (moved bool, err error) {
	const batch = 1 << 20
	var ids []blob.ID
	total := int64(0)
	err = db.places(func(id blob.ID, p place) bool {
		if p.segment == n {
			ids, total = append(ids, id), total+p.span()
		}
		return total < batch
	})
	if err != nil || len(ids) == 0 {
		return false, err
	}
	return true, db.Update(func(t kv.Tx) error {
		for _, id := range ids {
			if err := t.(*tx).move(id, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// move appends a body again, if it still lives in segment from.
func (t *tx) move(id blob.ID, from uint32) error {
	p := t.place(id)
	if p.segment != from {
		return nil
	}
	t.db.moving.RLock()
	it, err := t.db.readItem(p)
	t.db.moving.RUnlock()
	if err != nil {
		return fmt.Errorf("body %d: %w", id, err)
	}
	it.kind = itemMove
	g := t.db.open
	g.bodies = append(g.bodies, body{id: id, at: int64(len(g.buf)), pl: p, moved: true})
	g.buf = it.append(g.buf)
	t.wrote = true
	return nil
}
