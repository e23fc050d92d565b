package local

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"
)

// A snapshot is one state: overlays over the tree.
type snapshot struct {
	over, under *overlay // under is being written to the tree, or nil
	tree        *bolt.Tx
	keys        *bolt.Bucket
	err         error // damage met while reading
	faults      bool  // what SetPanicOnFault was
}

// capture takes the state given, or the durable one, with the tree as it is.
func (db *DB) capture(s *state) (*snapshot, error) {
	db.shown.RLock()
	defer db.shown.RUnlock()
	if db.closed {
		return nil, kv.ErrClosed
	}
	if s == nil {
		s = db.durable
	}
	t, err := db.tree.Begin(false)
	if err != nil {
		return nil, err
	}
	sn := &snapshot{over: s.over, tree: t, faults: debug.SetPanicOnFault(true)}
	if db.frozen != nil {
		sn.under = db.frozen.over
	}
	if sn.keys = sn.bucket(bucketKV); sn.keys == nil {
		sn.end()
		return nil, fmt.Errorf("%w: a page of tree.db", kv.ErrCorrupt)
	}
	return sn, nil
}

func (s *snapshot) end() {
	_ = s.tree.Rollback()
	debug.SetPanicOnFault(s.faults)
}

func (s *snapshot) bucket(name []byte) *bolt.Bucket {
	defer s.astray()
	return s.tree.Bucket(name)
}

// astray is deferred around reading the tree: a damaged page can lead to where
// nothing is, which is damage like any other.
func (s *snapshot) astray() {
	if r := recover(); r != nil && s.err == nil {
		s.err = fmt.Errorf("%w: a page of tree.db: %v", kv.ErrCorrupt, r)
	}
}

// View is kv.Engine.
func (db *DB) View(fn func(kv.Reader) error) error {
	s, err := db.capture(nil)
	if err != nil {
		return err
	}
	defer s.end()
	return errors.Join(fn(s), s.err)
}

// Get is kv.Reader.
func (s *snapshot) Get(key []byte) []byte {
	for _, o := range []*overlay{s.over, s.under} {
		if o == nil {
			continue
		}
		if e, ok := o.keys.Get(entry{key: key}); ok {
			if e.deleted {
				return nil
			}
			return e.value
		}
	}
	return s.fromTree(key)
}

func (s *snapshot) fromTree(key []byte) []byte {
	defer s.astray()
	v := s.keys.Get(key)
	if v == nil {
		return nil
	}
	v, err := unseal(key, v)
	if err != nil && s.err == nil {
		s.err = err
	}
	return v
}

// place finds a body; the zero place says that there is none.
func (s *snapshot) place(id blob.ID) place {
	for _, o := range []*overlay{s.over, s.under} {
		if o == nil {
			continue
		}
		if p, ok := o.blobs.Get(id); ok {
			if p.gone {
				return place{}
			}
			return p
		}
	}
	return s.placeInTree(id)
}

func (s *snapshot) placeInTree(id blob.ID) (p place) {
	defer s.astray()
	key := idKey(id)
	v := s.tree.Bucket(bucketBlobs).Get(key)
	if v == nil {
		return place{}
	}
	p, err := readPlace(key, v)
	if err != nil && s.err == nil {
		s.err = err
	}
	return p
}

func readPlace(key, v []byte) (place, error) {
	v, err := unseal(key, v)
	if err != nil {
		return place{}, err
	}
	return unmarshalPlace(v)
}

// Scan is kv.Reader: a merge of the overlays and the tree, the newest winning.
func (s *snapshot) Scan(from, to []byte, reverse bool, fn func(k, v []byte) bool) {
	sources := []source{{o: newOverlayScan(s.over, from, to, reverse)}}
	if s.under != nil {
		sources = append(sources, source{o: newOverlayScan(s.under, from, to, reverse)})
	}
	sources = append(sources, source{t: newTreeScan(s, from, to, reverse)})
	for i := range sources {
		sources[i].next()
	}
	for {
		best := -1
		for i := range sources {
			if sources[i].ok && (best < 0 || before(sources[i].e.key, sources[best].e.key, reverse)) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		e := sources[best].e
		if sources[best].t != nil {
			v, err := unseal(e.key, e.value)
			if err != nil && s.err == nil {
				s.err = err
			}
			if e.value = v; err != nil {
				e.deleted = true
			}
		}
		for i := range sources {
			if i >= best && sources[i].ok && (i == best || bytes.Equal(sources[i].e.key, e.key)) {
				sources[i].next()
			}
		}
		if !e.deleted && !fn(e.key, e.value) {
			return
		}
	}
}

func before(a, b []byte, reverse bool) bool {
	if reverse {
		return bytes.Compare(a, b) > 0
	}
	return bytes.Compare(a, b) < 0
}

// A source is one ordered row of entries.
type source struct {
	o  *overlayScan
	t  *treeScan
	e  entry
	ok bool
}

func (s *source) next() {
	if s.o != nil {
		s.e, s.ok = s.o.next()
	} else {
		s.e, s.ok = s.t.next()
	}
}

type overlayScan struct {
	it       btree.IterG[entry]
	from, to []byte
	reverse  bool
	started  bool
}

func newOverlayScan(o *overlay, from, to []byte, reverse bool) *overlayScan {
	return &overlayScan{it: o.keys.Iter(), from: from, to: to, reverse: reverse}
}

func (s *overlayScan) next() (entry, bool) {
	ok := false
	switch {
	case s.started && s.reverse:
		ok = s.it.Prev()
	case s.started:
		ok = s.it.Next()
	case !s.reverse:
		ok = s.it.Seek(entry{key: s.from})
	case s.to == nil:
		ok = s.it.Last()
	case s.it.Seek(entry{key: s.to}):
		ok = s.it.Prev()
	default:
		ok = s.it.Last()
	}
	s.started = true
	if !ok {
		return entry{}, false
	}
	e := s.it.Item()
	return e, within(e.key, s.from, s.to, s.reverse)
}

func within(k, from, to []byte, reverse bool) bool {
	if reverse {
		return bytes.Compare(k, from) >= 0
	}
	return to == nil || bytes.Compare(k, to) < 0
}

type treeScan struct {
	sn       *snapshot
	c        *bolt.Cursor
	from, to []byte
	reverse  bool
	started  bool
}

func newTreeScan(sn *snapshot, from, to []byte, reverse bool) *treeScan {
	return &treeScan{sn: sn, c: sn.keys.Cursor(), from: from, to: to, reverse: reverse}
}

func (s *treeScan) next() (e entry, ok bool) {
	defer s.sn.astray()
	var k, v []byte
	switch {
	case s.started && s.reverse:
		k, v = s.c.Prev()
	case s.started:
		k, v = s.c.Next()
	case !s.reverse:
		k, v = s.c.Seek(s.from)
	case s.to == nil:
		k, v = s.c.Last()
	default:
		if k, v = s.c.Seek(s.to); k == nil {
			k, v = s.c.Last()
		}
		for k != nil && bytes.Compare(k, s.to) >= 0 {
			k, v = s.c.Prev()
		}
	}
	s.started = true
	return entry{key: k, value: v}, k != nil && within(k, s.from, s.to, s.reverse)
}
