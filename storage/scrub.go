package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// ScrubSlices is how many slices of the default size see everything once.
const ScrubSlices = 30

// A Scrubbed says what one slice has seen.
type Scrubbed struct {
	Bodies, Bytes int64
	Whole         bool // a pass is complete: the engine's other files were seen, too
	Problems      []string
}

// Scrub verifies the store slice by slice: about budget bytes of bodies from
// where the last slice ended, which is remembered, and at the end of a pass the
// engine's other files. A budget of 0 is one ScrubSlices-th of all bodies.
// Damage is a problem in what it returns; an error is what kept it from
// looking.
func (db *DB) Scrub(ctx context.Context, budget int64) (*Scrubbed, error) {
	now := time.Now()
	from, _ := db.scrubbed()
	ids, next, err := db.slice(from, budget)
	if err != nil {
		return nil, err
	}
	s := &Scrubbed{Whole: next == 0}
	for _, b := range ids {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := db.kv.VerifyBody(b.id); err != nil && !errors.Is(err, kv.ErrNoBlob) { // deleted meanwhile
			s.Problems = append(s.Problems, err.Error())
		}
		s.Bodies, s.Bytes = s.Bodies+1, s.Bytes+b.size
	}
	if s.Whole {
		err := db.kv.Verify(ctx, func(p string) { s.Problems = append(s.Problems, p) })
		if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			return s, err
		}
	}
	if db.ro {
		return s, nil
	}
	return s, db.kv.Update(func(t kv.Tx) error {
		v := binary.BigEndian.AppendUint64(nil, uint64(next))
		t.Put(metaKey("scrub"), binary.BigEndian.AppendUint64(v, uint64(now.Unix())))
		return nil
	})
}

type sized struct {
	id   blob.ID
	size int64
}

// slice returns the bodies from one on, and the first that is not among them,
// 0 when there is none.
func (db *DB) slice(from blob.ID, budget int64) (ids []sized, next blob.ID, err error) {
	if budget == 0 {
		if err := db.kv.Blobs(func(_ blob.ID, size int64) bool { budget += size; return true }); err != nil {
			return nil, 0, err
		}
		budget = budget/ScrubSlices + 1
	}
	err = db.kv.Blobs(func(id blob.ID, size int64) bool {
		if id < from {
			return true
		}
		if budget <= 0 {
			next = id
			return false
		}
		ids, budget = append(ids, sized{id, size}), budget-size
		return true
	})
	return ids, next, err
}

// LastScrub is when the last slice was seen; the zero time if none was.
func (db *DB) LastScrub() time.Time {
	_, at := db.scrubbed()
	return at
}

func (db *DB) scrubbed() (from blob.ID, at time.Time) {
	_ = db.kv.View(func(r kv.Reader) error {
		if v := r.Get(metaKey("scrub")); len(v) == 16 {
			from, at = blob.ID(binary.BigEndian.Uint64(v)), time.Unix(int64(binary.BigEndian.Uint64(v[8:])), 0)
		}
		return nil // damage: from the beginning
	})
	return from, at
}
