package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// A replayer applies frames of the journal to a state above a tree.
type replayer struct {
	*state
	tree *bolt.Tx
	redo func(extent) // is told of every redo item; may be nil
}

// frame applies one frame.
func (r *replayer) frame(segment uint32, off int64, payload []byte) error {
	at := off + frameHeader
	for len(payload) > 0 {
		it, n, err := parseItem(payload)
		if err != nil && (n == 0 || it.kind != itemBlob && it.kind != itemMove) {
			return err
		}
		// A damaged body is where it was said to be: whoever reads it is told.
		pl := place{segment, at, uint32(len(it.data)), it.size, it.packed, false}
		switch it.kind {
		case itemBlob:
			r.settle(it.id, pl)
		case itemMove:
			if old := r.find(it.id); old != (place{}) {
				r.live[old.segment] -= old.span()
				r.settle(it.id, pl)
			}
		case itemFile:
			r.over.blobs.Set(it.id, place{size: it.size})
			r.next = max(r.next, it.id+1)
		case itemRedo:
			if r.redo != nil {
				r.redo(extent{segment, at, int64(n)})
			}
			err = replay(it.data, func(e entry) { r.over.set(e.clone()) }, r.freed)
		}
		if err != nil {
			return err
		}
		payload = payload[n:]
		at += int64(n)
	}
	if r.over.size == 0 {
		r.over.size = entrySize // bodies alone are a reason for a checkpoint, too
	}
	return nil
}

func (e entry) clone() entry {
	both := append(append(make([]byte, 0, len(e.key)+len(e.value)), e.key...), e.value...)
	if e.deleted {
		return entry{key: both, deleted: true}
	}
	return entry{key: both[:len(e.key):len(e.key)], value: both[len(e.key):]}
}

func (s *state) settle(id blob.ID, p place) {
	s.over.blobs.Set(id, p)
	s.live[p.segment] += p.span()
	s.next = max(s.next, id+1)
}

// find looks a body up in the state that is being rebuilt.
func (r *replayer) find(id blob.ID) place {
	sn := snapshot{over: r.over, tree: r.tree}
	return sn.place(id)
}

func (r *replayer) freed(id blob.ID) {
	p := r.find(id)
	if p == (place{}) {
		return
	}
	if p.segment != 0 {
		r.live[p.segment] -= p.span()
	}
	p.gone = true
	r.over.blobs.Set(id, p)
}

// eachFrame calls fn with the frames from one position to another, which a
// frame ends at, until fn returns false. It returns the position reached.
// Nothing in between may be given back meanwhile. A frame whose payload is
// damaged is passed on, and tells bad: its items have checksums of their own.
func (db *DB) eachFrame(from, to position, bad func(string), fn func(at position, payload []byte) (bool, error)) (position, error) {
	var buf []byte
	for more := true; more && from != to; {
		f := db.files.get(from.segment)
		if f == nil {
			return from, fmt.Errorf("%w: journal/%08d is missing", kv.ErrCorrupt, from.segment)
		}
		end, err := db.segmentEnd(from.segment, to)
		if err != nil {
			return from, err
		}
		if from.offset == end && from.segment < to.segment {
			from = position{from.segment + 1, segmentHeader, from.seq}
			continue
		}
		seq, payload, next, err := readFrame(f, from.offset, end, buf)
		buf = next
		if errors.Is(err, errPayload) && seq == from.seq+1 {
			bad(fmt.Sprintf("journal/%08d at %d: frame %d is damaged", from.segment, from.offset, seq))
			err = nil
		}
		if errors.Is(err, io.EOF) && from.segment < to.segment && db.begun(db.files.get(from.segment+1), from.seq+1) {
			from = position{from.segment + 1, segmentHeader, from.seq} // behind the end, which a damaged header does not tell
			continue
		}
		if errors.Is(err, io.EOF) || err == nil && seq != from.seq+1 {
			err = fmt.Errorf("%w: journal/%08d at %d: no frame %d", kv.ErrCorrupt, from.segment, from.offset, from.seq+1)
		}
		if err != nil {
			return from, err
		}
		if more, err = fn(from, payload); err != nil {
			return from, err
		}
		from.offset, from.seq = from.offset+frameLength(payload), seq
	}
	return from, nil
}

// segmentEnd is where the frames of a segment end, or to is.
func (db *DB) segmentEnd(n uint32, to position) (int64, error) {
	if n == to.segment {
		return to.offset, nil
	}
	next := db.files.get(n + 1)
	if n > to.segment || next == nil {
		return 0, fmt.Errorf("%w: journal/%08d is missing", kv.ErrCorrupt, n+1)
	}
	end, err := readSegmentHeader(next, n+1)
	if err != nil {
		return db.files.get(n).Size() // frames tell where they end
	}
	return end, nil
}

// replay calls set or free for each operation of a redo item. The entry is
// valid until the next call.
func replay(b []byte, set func(entry), free func(blob.ID)) error {
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	for len(b) > 0 {
		k, ok := number()
		if !ok || k > uint64(len(b))+1 {
			return errItem
		}
		if k == 0 {
			id, ok := number()
			if !ok {
				return errItem
			}
			free(blob.ID(id))
			continue
		}
		e := entry{key: b[:k-1]}
		b = b[k-1:]
		v, ok := number()
		if !ok || v > uint64(len(b))+1 {
			return errItem
		}
		if v == 0 {
			e.deleted = true
		} else {
			e.value, b = b[:v-1], b[v-1:]
		}
		set(e)
	}
	return nil
}
