package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"
)

// Buckets of the tree. Every value ends in the CRC-32C of key and value.
//
//	kv     key            value
//	blobs  id(8)          place: varints segment, offset, stored, size, flags
//	free   id(8)          place of a freed body whose space is to be given back
//	meta   "position"     segment(4) offset(8) sequence(8) next id(8)
//	live   segment(4)     varint of live body bytes
var (
	bucketKV    = []byte("kv")
	bucketBlobs = []byte("blobs")
	bucketFree  = []byte("free")
	bucketMeta  = []byte("meta")
	bucketLive  = []byte("live")
	keyPosition = []byte("position")

	buckets = [][]byte{bucketKV, bucketBlobs, bucketFree, bucketMeta, bucketLive}
)

// mapped is the address space for the tree: 16 GiB, or 1 GiB on 32 bits. A tree
// that outgrows it makes every reader wait while it is mapped anew.
const mapped = 1 << (30 + 4*(^uint(0)>>63))

// sparing is by how much less than that a copy gets which may become the tree:
// on 32 bits there is no room for two.
const sparing = int(1 + 7*(1-^uint(0)>>63))

// openTree opens the tree. A new one is made under another name, so that a cut
// in the middle leaves none.
func (db *DB) openTree() error {
	path := db.path(db.opt.tree)
	opt := treeOptions()
	opt.ReadOnly = db.opt.ReadOnly
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !db.opt.ReadOnly {
		if err := db.mayBegin(); err != nil {
			return err
		}
		if err := newTree(path, opt); err != nil {
			return err
		}
	}
	t, err := openBolt(path, opt)
	if err != nil {
		return fmt.Errorf("tree.db: %w", err)
	}
	db.tree = t
	return nil
}

// ErrNoTree says that the tree is gone while the journal is not.
var ErrNoTree = fmt.Errorf("%w: tree.db is missing; it can be made anew from spare.db and the journal", kv.ErrCorrupt)

// mayBegin refuses to begin a store where the journal of another one is.
func (db *DB) mayBegin() error {
	names, err := db.fs.ReadDir(db.path("journal"))
	if err == nil && len(names) > 0 {
		return ErrNoTree
	}
	return err
}

// makeTree makes a tree without content and leaves it open.
func makeTree(path string, opt *bolt.Options) (*bolt.DB, error) {
	t, err := bolt.Open(path, 0o600, opt)
	if err != nil {
		return nil, err
	}
	err = t.Update(func(tx *bolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, t.Close(), os.Remove(path))
	}
	return t, nil
}

func newTree(path string, opt *bolt.Options) error {
	tmp := path + ".new"
	_ = os.Remove(tmp)
	t, err := makeTree(tmp, opt)
	if err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return vfs.OS.SyncDir(filepath.Dir(path))
}

// sealed appends the checksum to a value.
func sealed(dst, key, value []byte) []byte {
	dst = append(dst, value...)
	crc := crc32.Update(crc32.Checksum(key, blob.Castagnoli), blob.Castagnoli, value)
	return binary.LittleEndian.AppendUint32(dst, crc)
}

// unseal verifies and removes the checksum.
func unseal(key, v []byte) ([]byte, error) {
	if len(v) < 4 {
		return nil, fmt.Errorf("%w: value of key %q", kv.ErrCorrupt, key)
	}
	value := v[: len(v)-4 : len(v)-4]
	crc := crc32.Update(crc32.Checksum(key, blob.Castagnoli), blob.Castagnoli, value)
	if crc != binary.LittleEndian.Uint32(v[len(v)-4:]) {
		return nil, fmt.Errorf("%w: value of key %q", kv.ErrCorrupt, key)
	}
	return value, nil
}

func (p place) marshal() []byte {
	b := binary.AppendUvarint(nil, uint64(p.segment))
	b = binary.AppendUvarint(b, uint64(p.offset))
	b = binary.AppendUvarint(b, uint64(p.stored))
	b = binary.AppendUvarint(b, uint64(p.size))
	if p.packed {
		return append(b, flagPacked)
	}
	return append(b, 0)
}

func unmarshalPlace(b []byte) (p place, err error) {
	var v [4]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return p, fmt.Errorf("%w: place of a body", kv.ErrCorrupt)
		}
		b = b[n:]
	}
	if len(b) != 1 {
		return p, fmt.Errorf("%w: place of a body", kv.ErrCorrupt)
	}
	return place{uint32(v[0]), int64(v[1]), uint32(v[2]), int64(v[3]), b[0]&flagPacked != 0, false}, nil
}

func idKey(id blob.ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

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

func sortedKeys[V any](m map[uint32]V) []uint32 { return slices.Sorted(maps.Keys(m)) }
