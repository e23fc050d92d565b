package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// recover brings memory to the last durable state: the tree, then the journal
// after the tree's position. What is behind the last frame that checks out was
// never acknowledged and is cut.
func (db *DB) recover() error {
	s := &state{over: newOverlay(), next: 1, live: map[uint32]int64{}}
	pos, err := db.readMeta(s)
	if err != nil {
		return err
	}
	if err := db.openSegments(); err != nil {
		return err
	}
	db.open = newGroup(nil)
	db.durable = s
	if pos.segment == 0 {
		if err := db.first(&pos); err != nil {
			return err
		}
	}
	if err := db.replayJournal(s, pos); err != nil {
		return err
	}
	db.head = s.copy()
	if db.opt.ReadOnly {
		return nil
	}
	return errors.Join(db.removeStrangers(s.next), db.freeAgain())
}

func (db *DB) readMeta(s *state) (pos position, err error) {
	err = db.tree.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketMeta).Get(keyPosition)
		if v == nil {
			return nil // a new store
		}
		b, err := unseal(keyPosition, v)
		if err != nil {
			return err
		}
		pos = decodePosition(b)
		s.next = blob.ID(binary.BigEndian.Uint64(b[20:]))
		return tx.Bucket(bucketLive).ForEach(func(k, v []byte) error {
			v, err := unseal(k, v)
			if err == nil {
				s.live[binary.BigEndian.Uint32(k)], _ = binary.Varint(v)
			}
			return err
		})
	})
	return pos, err
}

func decodePosition(b []byte) position {
	return position{binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint64(b[4:])), binary.BigEndian.Uint64(b[12:])}
}

func (db *DB) openSegments() error {
	names, err := db.fs.ReadDir(db.path("journal"))
	if err != nil {
		return err
	}
	flag := os.O_RDWR
	if db.opt.ReadOnly {
		flag = os.O_RDONLY
	}
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return fmt.Errorf("journal: %q is not a segment", name)
		}
		f, err := db.fs.Open(db.segmentPath(uint32(n)), flag)
		if err != nil {
			return err
		}
		db.files.put(uint32(n), f)
	}
	return nil
}

// first finds or makes the first segment of a store without a checkpoint.
func (db *DB) first(pos *position) error {
	*pos = position{1, segmentHeader, 0}
	if f := db.files.get(1); f != nil {
		if _, err := readSegmentHeader(f, 1); err == nil || len(db.files.numbers()) > 1 {
			return err
		}
		_ = db.files.drop(1) // cut while it was made; nothing was acknowledged
	}
	if db.opt.ReadOnly {
		return fmt.Errorf("%w: no journal", kv.ErrCorrupt)
	}
	_, err := db.newSegment(1, 0)
	return err
}

// replayJournal applies the frames after pos and leaves db.out at their end.
func (db *DB) replayJournal(s *state, pos position) error {
	db.seq = pos.seq
	off := pos.offset
	for n := pos.segment; ; n++ {
		f := db.files.get(n)
		if f == nil {
			return fmt.Errorf("%w: journal segment %d is missing", kv.ErrCorrupt, n)
		}
		end, err := db.replaySegment(s, n, f, off)
		if err != nil {
			return err
		}
		next := db.files.get(n + 1)
		if next != nil {
			prev, err := readSegmentHeader(next, n+1)
			switch {
			case err != nil && db.files.get(n+2) == nil: // cut while it was made
				if err := db.forget(n + 1); err != nil {
					return err
				}
				next = nil
			case err != nil:
				return err
			case prev != end:
				return fmt.Errorf("%w: journal segment %d ends at %d, must end at %d", kv.ErrCorrupt, n, end, prev)
			}
		}
		if next == nil {
			return db.cutTail(n, f, end)
		}
		off = segmentHeader
	}
}

func (db *DB) forget(n uint32) error {
	if db.opt.ReadOnly {
		return nil
	}
	return errors.Join(db.files.drop(n), db.fs.Remove(db.segmentPath(n)))
}

func (db *DB) replaySegment(s *state, n uint32, file vfs.File, off int64) (end int64, err error) {
	size, err := file.Size()
	if err != nil {
		return 0, err
	}
	if off > size {
		return 0, fmt.Errorf("%w: journal segment %d is shorter than its checkpoint", kv.ErrCorrupt, n)
	}
	var buf []byte
	for {
		seq, payload, next, err := readFrame(file, off, size, buf)
		buf = next
		if errors.Is(err, io.EOF) || err == nil && seq != db.seq+1 {
			return off, nil
		}
		if err != nil {
			return 0, err
		}
		if err := db.replayFrame(s, n, off, payload); err != nil {
			return 0, err
		}
		db.seq = seq
		off += frameLength(payload)
	}
}

func (db *DB) replayFrame(s *state, segment uint32, off int64, payload []byte) error {
	at := off + frameHeader
	for len(payload) > 0 {
		it, n, err := parseItem(payload)
		if err != nil {
			return err
		}
		pl := place{segment, at, uint32(len(it.data)), it.size, it.packed, false}
		switch it.kind {
		case itemBlob:
			s.settle(it.id, pl)
		case itemMove:
			if old := db.find(s, it.id); old != (place{}) {
				s.live[old.segment] -= old.span()
				s.settle(it.id, pl)
			}
		case itemFile:
			s.over.blobs.Set(it.id, place{size: it.size})
			s.next = max(s.next, it.id+1)
		case itemRedo:
			db.noteRedo(extent{segment, at, int64(n)})
			err = replay(it.data, func(e entry) { s.over.set(e.clone()) }, func(id blob.ID) { db.freed(s, id) })
		}
		if err != nil {
			return err
		}
		payload = payload[n:]
		at += int64(n)
	}
	if s.over.size == 0 {
		s.over.size = entrySize // bodies alone are a reason for a checkpoint, too
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

// find looks a body up in a state that is being rebuilt.
func (db *DB) find(s *state, id blob.ID) place {
	sn, err := db.capture(s)
	if err != nil {
		return place{}
	}
	defer sn.end()
	return sn.place(id)
}

func (db *DB) freed(s *state, id blob.ID) {
	p := db.find(s, id)
	if p == (place{}) {
		return
	}
	if p.segment != 0 {
		s.live[p.segment] -= p.span()
	}
	p.gone = true
	s.over.blobs.Set(id, p)
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

// cutTail ends the journal at end. A frame behind it that checks out says that
// the damage is not a torn tail: that frame was written after everything
// before it had been synced.
func (db *DB) cutTail(n uint32, file vfs.File, end int64) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	clean, err := db.inspectTail(n, end, size)
	if err != nil {
		return err
	}
	db.out = &segment{number: n, file: file, end: end, padded: size}
	if clean || db.opt.ReadOnly {
		return nil
	}
	if err := file.Truncate(end); err != nil {
		return err
	}
	db.out.padded = end
	return file.Sync()
}

// inspectTail reports whether only zeros follow, and fails if a whole later
// frame does.
func (db *DB) inspectTail(n uint32, end, size int64) (clean bool, err error) {
	file := db.files.get(n)
	clean = true
	buf := make([]byte, 256<<10)
	for off := end; off < size; off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), size-off)]
		if _, err := file.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		for i := 0; i < len(b); i += 8 {
			if i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:]) == 0 {
				continue
			}
			clean = false
			if i+4 <= len(b) && binary.LittleEndian.Uint32(b[i:]) == frameMagic {
				if seq, _, _, err := readFrame(file, off+int64(i), size, nil); err == nil && seq > db.seq+1 {
					return false, fmt.Errorf("%w: journal segment %d at %d: frame %d is damaged, frame %d is not", kv.ErrCorrupt, n, end, db.seq+1, seq)
				}
			}
		}
	}
	return clean, nil
}

// removeStrangers deletes files of large bodies that were never committed.
// Only the newest folders can hold any.
func (db *DB) removeStrangers(next blob.ID) error {
	names, err := db.fs.ReadDir(db.path("blobs"))
	if err != nil {
		return err
	}
	for _, name := range names {
		shard, err := strconv.ParseUint(name, 10, 64)
		if err != nil || blob.ID(shard) < next>>10 {
			continue
		}
		files, err := db.fs.ReadDir(db.path("blobs", name))
		if err != nil {
			return err
		}
		for _, file := range files {
			if id, err := strconv.ParseUint(file, 10, 64); err == nil && blob.ID(id) >= next {
				if err := db.fs.Remove(db.path("blobs", name, file)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// freeAgain gives back what the last checkpoint freed: a crash may have come
// between the two.
func (db *DB) freeAgain() error {
	var dead []extent
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
		}, &dead)
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return db.punch(dead)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
