package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
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
	s, pos, fresh, err := readState(db.tree)
	if err != nil {
		return fmt.Errorf("tree.db: %w", err)
	}
	if err := db.openSegments(); err != nil {
		return err
	}
	db.open = newGroup(nil)
	db.durable, db.treePos, db.live = s, pos, maps.Clone(s.live)
	if fresh {
		if err := db.first(); err != nil {
			return err
		}
	}
	if err := db.replayJournal(s, pos); err != nil {
		return err
	}
	db.head = s.copy()
	db.since = db.distance(pos, position{db.out.number, db.out.end, db.seq})
	db.findSpare(fresh)
	if db.opt.ReadOnly {
		return nil
	}
	return errors.Join(db.removeStrangers(s.next), db.freeAgain())
}

// readState reads what a tree is the state of: its position in the journal, and
// there the next body and the accounts of the segments. A tree without a
// position is fresh: it stands at the beginning.
func readState(t *bolt.DB) (s *state, pos position, fresh bool, err error) {
	s = &state{over: newOverlay(), next: 1, live: map[uint32]int64{}}
	pos = position{1, segmentHeader, 0}
	err = sound(func() error {
		return t.View(func(tx *bolt.Tx) error {
			for _, b := range buckets {
				if tx.Bucket(b) == nil {
					return fmt.Errorf("%w: the tree has no table %q", kv.ErrCorrupt, b)
				}
			}
			v := tx.Bucket(bucketMeta).Get(keyPosition)
			if fresh = v == nil; fresh {
				return nil
			}
			b, err := unseal(keyPosition, v)
			if err != nil {
				return err
			}
			pos, s.next = decodePosition(b), blob.ID(binary.BigEndian.Uint64(b[20:]))
			return tx.Bucket(bucketLive).ForEach(func(k, v []byte) error {
				v, err := unseal(k, v)
				if err == nil {
					s.live[binary.BigEndian.Uint32(k)], _ = binary.Varint(v)
				}
				return err
			})
		})
	})
	return s, pos, fresh, err
}

// sound runs what reads a tree; a page that leads astray is damage.
func sound(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: a page: %v", kv.ErrCorrupt, r)
		}
	}()
	return fn()
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
func (db *DB) first() error {
	if f := db.files.get(1); f != nil {
		if _, err := readSegmentHeader(f, 1); err == nil || db.begun(f, 1) {
			return nil
		} else if len(db.files.numbers()) > 1 {
			return err
		}
		_ = db.files.drop(1) // cut while it was made; nothing was acknowledged
	}
	if db.opt.ReadOnly {
		return fmt.Errorf("%w: no journal", kv.ErrCorrupt)
	}
	if n := db.files.numbers(); len(n) > 0 {
		return fmt.Errorf("%w: the journal begins with segment %d, the tree before segment 1", kv.ErrCorrupt, n[0])
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
			return fmt.Errorf("%w: journal/%08d is missing", kv.ErrCorrupt, n)
		}
		end, err := db.replaySegment(s, n, f, off)
		if err != nil {
			return err
		}
		next := db.files.get(n + 1)
		if next != nil {
			prev, err := readSegmentHeader(next, n+1)
			switch {
			case err != nil && db.begun(next, db.seq+1): // damage, which Verify reports
			case err != nil && db.files.get(n+2) == nil: // cut while it was made
				if err := db.forget(n + 1); err != nil {
					return err
				}
				next = nil
			case err != nil:
				return err
			case prev != end:
				return fmt.Errorf("%w: journal/%08d ends at %d, must end at %d", kv.ErrCorrupt, n, end, prev)
			}
		}
		if last := db.files.numbers(); db.files.get(n+1) == nil && last[len(last)-1] > n {
			return fmt.Errorf("%w: journal/%08d is missing", kv.ErrCorrupt, n+1)
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
	tx, err := db.tree.Begin(false)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	r := replayer{state: s, tree: tx, redo: db.noteRedo}
	if off > size {
		return 0, fmt.Errorf("%w: journal/%08d is shorter than its checkpoint", kv.ErrCorrupt, n)
	}
	var buf []byte
	for {
		seq, payload, next, err := readFrame(file, off, size, buf)
		buf = next
		switch {
		case errors.Is(err, io.EOF):
			return off, nil
		case err != nil && !errors.Is(err, errPayload):
			return 0, err
		case seq != db.seq+1, err != nil && !db.followed(n, file, off+frameLength(payload), seq):
			return off, nil // torn, or what the file was before
		}
		if err := r.frame(n, off, payload); err != nil {
			return 0, fmt.Errorf("%w: journal/%08d at %d: frame %d", err, n, off, seq)
		}
		db.seq = seq
		off += frameLength(payload)
	}
}

// begun reports whether frame seq begins a segment: it was written when the
// segment's header had been synced.
func (db *DB) begun(file vfs.File, seq uint64) bool {
	size, err := file.Size()
	if err != nil {
		return false
	}
	first, _, _, err := readFrame(file, segmentHeader, size, nil)
	return err == nil && first == seq
}

// followed reports whether the journal goes on behind a damaged frame: then that
// was synced once, and is no torn tail. What is left of it is used.
func (db *DB) followed(n uint32, file vfs.File, off int64, seq uint64) bool {
	if size, err := file.Size(); err == nil {
		if after, _, _, err := readFrame(file, off, size, nil); err == nil && after == seq+1 {
			return true
		}
	}
	if next := db.files.get(n + 1); next != nil {
		end, err := readSegmentHeader(next, n+1)
		return err == nil && end == off
	}
	return false
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
	db.torn = !clean
	db.out = &segment{number: n, file: file, end: end, size: size}
	if clean || db.opt.ReadOnly {
		return nil
	}
	if err := file.Truncate(end); err != nil {
		return err
	}
	db.out.size = end
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
					return false, fmt.Errorf("%w: journal/%08d at %d: frame %d is damaged, frame %d is not", kv.ErrCorrupt, n, end, db.seq+1, seq)
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

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
