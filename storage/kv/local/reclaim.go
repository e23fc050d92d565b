package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"essaim.coop/essaim/storage/blob"

	bolt "go.etcd.io/bbolt"
)

// before compares positions, and the beginnings of extents with them.
func (p position) before(q position) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

// kept is the position from which on the journal must stay as it is: the tree,
// its spare copy and a copy that is being made are brought up to date from it.
// The checkpoint is locked.
func (db *DB) kept() position {
	k := db.treePos
	for _, p := range []position{db.spare, db.pin} {
		if p.segment != 0 && p.before(k) {
			k = p
		}
	}
	return k
}

// reclaim notes the space of bodies that the tree no longer knows and of redo
// items it has taken in, and gives back what is not kept.
func (db *DB) reclaim(f *frozen) error {
	db.dead = append(db.dead, f.redo...)
	err := db.freeBodies(func(fn func(blob.ID, place)) {
		f.over.blobs.Scan(func(id blob.ID, p place) bool {
			if p.gone {
				fn(id, p)
			}
			return true
		})
	}, &db.dead)
	if err != nil {
		return err
	}
	return db.giveBack()
}

// giveBack gives dead space back that lies before what is kept, and segments
// in which nothing lives. On a full disk the spare copy gives way: with it, the
// space of what was deleted lately would be kept, too.
func (db *DB) giveBack() error {
	if db.tight.Load() {
		if err := db.dropSpare(); err != nil {
			return err
		}
	}
	kept := db.kept()
	now, later := []extent(nil), db.dead[:0]
	for _, e := range db.dead {
		if (position{segment: e.segment, offset: e.offset}).before(kept) {
			now = append(now, e)
		} else {
			later = append(later, e)
		}
	}
	db.dead = slices.Clip(later)
	if err := db.punch(now); err != nil {
		return err
	}
	db.reclaimed = kept
	return db.dropSegments(kept.segment)
}

// freeBodies removes the files of large bodies and adds small ones to dead.
func (db *DB) freeBodies(each func(func(blob.ID, place)), dead *[]extent) error {
	var errs []error
	each(func(id blob.ID, p place) {
		switch {
		case p.segment != 0:
			*dead = append(*dead, extent{p.segment, p.offset, p.span()})
		case p.stored == 0:
			errs = append(errs, ignoreMissing(db.fs.Remove(db.bodyPath(id))))
		}
	})
	return errors.Join(errs...)
}

// punch gives whole blocks back; neighbours count together.
func (db *DB) punch(dead []extent) error {
	slices.SortFunc(dead, func(a, b extent) int {
		if a.segment != b.segment {
			return int(a.segment) - int(b.segment)
		}
		return int(a.offset - b.offset)
	})
	db.moving.Lock()
	defer db.moving.Unlock()
	for i := 0; i < len(dead); {
		e := dead[i]
		for i++; i < len(dead) && dead[i].segment == e.segment && dead[i].offset <= e.offset+e.n+frameHeader; i++ {
			e.n = max(e.n, dead[i].offset+dead[i].n-e.offset)
		}
		from, to := (e.offset+block-1)/block*block, (e.offset+e.n)/block*block
		if file := db.files.get(e.segment); file != nil && to > from {
			if err := file.Punch(from, to-from); err != nil {
				return fmt.Errorf("giving space of segment %d back: %w", e.segment, err)
			}
		}
	}
	return nil
}

// dropSegments removes segments before number end with no live body.
func (db *DB) dropSegments(end uint32) error {
	for _, n := range db.files.numbers() {
		if n >= end || db.live[n] != 0 {
			continue
		}
		db.moving.Lock()
		err := db.files.drop(n)
		db.moving.Unlock()
		if err = errors.Join(err, ignoreMissing(db.fs.Remove(db.segmentPath(n)))); err != nil {
			return err
		}
	}
	return nil
}

// freeAgain gives back what checkpoints freed: a crash may have come between
// the two.
func (db *DB) freeAgain() error {
	var failed error
	err := db.tree.View(func(tx *bolt.Tx) error {
		return db.freeBodies(func(fn func(blob.ID, place)) {
			failed = tx.Bucket(bucketFree).ForEach(func(k, v []byte) error {
				p, err := readPlace(k, v)
				if err == nil {
					fn(blob.ID(binary.BigEndian.Uint64(k)), p)
				}
				return err
			})
		}, &db.dead)
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return db.giveBack()
}
