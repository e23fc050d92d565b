package local

import (
	"bytes"
	"maps"

	"essaim.coop/essaim/storage/blob"

	"github.com/tidwall/btree"
)

// An overlay is what was committed since a checkpoint: keys with their values,
// deleted keys, and where bodies went. Copies share what they have in common.
type overlay struct {
	keys  *btree.BTreeG[entry]
	blobs *btree.Map[blob.ID, place]
	size  int64
	hint  btree.PathHint // to where the last key was set, as the next is often beside it
}

// An entry is a key and its value; a deleted key has none.
type entry struct {
	key, value []byte
	deleted    bool
}

// degree is that of the maps. Their nodes are small because a group copies all
// that are on the way to what it changes.
const degree = 8

func newOverlay() *overlay {
	return &overlay{
		keys: btree.NewBTreeGOptions(func(a, b entry) bool { return bytes.Compare(a.key, b.key) < 0 },
			btree.Options{NoLocks: true, Degree: degree}),
		blobs: btree.NewMap[blob.ID, place](degree),
	}
}

func (o *overlay) copy() *overlay {
	return &overlay{keys: o.keys.Copy(), blobs: o.blobs.Copy(), size: o.size}
}

func (o *overlay) empty() bool { return o.keys.Len() == 0 && o.blobs.Len() == 0 }

// entrySize is what an entry takes up in memory, about.
const entrySize = 80

func (o *overlay) set(e entry) (old entry, had bool) {
	old, had = o.keys.SetHint(e, &o.hint)
	o.size += int64(len(e.key)+len(e.value)) + entrySize
	if had {
		o.size -= int64(len(old.key)+len(old.value)) + entrySize
	}
	return old, had
}

// unset undoes a set.
func (o *overlay) unset(e entry, old entry, had bool) {
	if had {
		o.set(old)
		return
	}
	if _, ok := o.keys.Delete(e); ok {
		o.size -= int64(len(e.key)+len(e.value)) + entrySize
	}
}

// A state is one point of the store's history, above the tree.
type state struct {
	over *overlay
	next blob.ID          // the next body's ID
	live map[uint32]int64 // live body bytes of each segment
}

func (s *state) copy() *state {
	return &state{s.over.copy(), s.next, maps.Clone(s.live)}
}

// A place says where a body is and in which form.
type place struct {
	segment uint32 // 0: a file of its own
	offset  int64  // of its item in the segment
	stored  uint32 // bytes of the stored form
	size    int64  // bytes of the body
	packed  bool   // zstd
	gone    bool   // freed
}

// span is what the body takes up in its segment.
func (p place) span() int64 { return int64(itemHeader) + int64(p.stored) }
