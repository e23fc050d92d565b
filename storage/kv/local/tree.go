package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

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
	if opt.ReadOnly || db.opt.Passing {
		opt.InitialMmapSize = 0
	}
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

func sortedKeys[V any](m map[uint32]V) []uint32 { return slices.Sorted(maps.Keys(m)) }
