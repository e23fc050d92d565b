package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// A tx is one Update's transaction: it writes to the newest state as it goes
// and remembers how to take it back.
type tx struct {
	*snapshot
	db     *DB
	start  int // of its items in the group's frame
	bodies int
	next   blob.ID
	undo   []change
	freed  []freed
	staged []*blob.Staged
	redo   []byte
	wrote  bool // something besides redo operations
	err    error
}

// buffers are those of the last transaction, for the next one. The writer is
// locked.
type buffers struct {
	undo []change
	redo []byte
}

const (
	keptRedo = 1 << 20
	keptUndo = 16 << 10
)

func (b *buffers) keep(t *tx) {
	clear(t.undo) // what it refers to may go
	if cap(t.undo) <= keptUndo {
		b.undo = t.undo[:0]
	}
	if cap(t.redo) <= keptRedo {
		b.redo = t.redo[:0]
	}
	t.undo, t.redo = nil, nil
}

func (db *DB) begin(view *snapshot) *tx {
	t := &tx{
		snapshot: view, db: db, start: len(db.open.buf), bodies: len(db.open.bodies), next: db.head.next,
		undo: db.used.undo, redo: db.used.redo,
	}
	db.used = buffers{}
	return t
}

type change struct {
	now, old entry
	had      bool
}

type freed struct {
	id   blob.ID
	size int64
	old  place
	had  bool
}

// The redo item is a row of operations: key length + 1 and key, then value
// length + 1 and value, or 0 for a deletion; or 0 and an ID for a freed body.
func (t *tx) Put(key, value []byte) {
	if len(key) == 0 || len(key) > kv.MaxKey || len(value) > kv.MaxValue {
		t.err = errors.Join(t.err, fmt.Errorf("%w: key of %d bytes, value of %d", kv.ErrTooLarge, len(key), len(value)))
		return
	}
	both := make([]byte, len(key)+len(value))
	n := copy(both, key)
	copy(both[n:], value)
	t.set(entry{key: both[:n:n], value: both[n:]})
	t.redo = binary.AppendUvarint(t.redo, uint64(len(key))+1)
	t.redo = append(t.redo, key...)
	t.redo = binary.AppendUvarint(t.redo, uint64(len(value))+1)
	t.redo = append(t.redo, value...)
}

func (t *tx) Delete(key []byte) {
	if len(key) == 0 || len(key) > kv.MaxKey {
		return // there is none
	}
	t.set(entry{key: append([]byte(nil), key...), deleted: true})
	t.redo = binary.AppendUvarint(t.redo, uint64(len(key))+1)
	t.redo = append(t.redo, key...)
	t.redo = append(t.redo, 0)
}

func (t *tx) set(e entry) {
	old, had := t.db.head.over.set(e)
	t.undo = append(t.undo, change{e, old, had})
}

func (t *tx) Attach(s *blob.Staged) blob.ID {
	if s == nil {
		t.err = errors.Join(t.err, errors.New("kv: attaching no body"))
		return 0
	}
	id := t.db.head.next
	t.db.head.next++
	t.staged = append(t.staged, s)
	pl := place{stored: uint32(len(s.Stored)), size: s.Size, packed: s.Compressed}
	if s.Path != "" {
		pl = place{size: s.Size}
	}
	g := t.db.open
	it := item{kind: itemBlob, packed: s.Compressed, id: id, size: s.Size, data: s.Stored}
	if s.Path != "" {
		it = item{kind: itemFile, id: id, size: s.Size}
		if err := t.adopt(s, id); err != nil {
			t.err = errors.Join(t.err, err)
			return id
		}
	}
	if len(g.buf)+len(it.data) > maxFrame {
		t.err = errors.Join(t.err, kv.ErrTooLarge)
		return id
	}
	g.bodies = append(g.bodies, body{id: id, at: int64(len(g.buf)), pl: pl, from: s.Path})
	g.buf = it.append(g.buf)
	return id
}

// adopt gives a large body's file its place.
func (t *tx) adopt(s *blob.Staged, id blob.ID) error {
	path := t.db.bodyPath(id)
	dir := filepath.Dir(path)
	if err := t.db.fs.MkdirAll(dir); err != nil {
		return full(err)
	}
	if err := t.db.fs.Rename(s.Path, path); err != nil {
		return full(err)
	}
	g := t.db.open
	if g.dirs == nil {
		g.dirs = map[string]bool{}
	}
	g.dirs[dir], g.dirs[filepath.Dir(dir)] = true, true
	return nil
}

func (t *tx) Free(id blob.ID) {
	h := t.db.head
	old, had := h.over.blobs.Get(id)
	p, known := old, had
	if !had {
		p, known = t.whereabouts(id)
	}
	if !known || p.gone {
		return
	}
	t.freed = append(t.freed, freed{id, p.size, old, had})
	if p.segment != 0 {
		h.live[p.segment] -= p.span()
	}
	p.gone = true
	h.over.blobs.Set(id, p)
	t.redo = append(t.redo, 0)
	t.redo = binary.AppendUvarint(t.redo, uint64(id))
}

// finish ends the transaction's items in the frame.
func (t *tx) finish() error {
	g := t.db.open
	if len(g.buf)+len(t.redo) > maxFrame {
		return kv.ErrTooLarge
	}
	g.redo = append(g.redo, extent{offset: int64(len(g.buf)), n: int64(itemHeader + len(t.redo))})
	g.buf = item{kind: itemRedo, data: t.redo}.append(g.buf)
	for _, f := range t.freed {
		g.freed += f.size
	}
	for _, s := range t.staged {
		s.Attached()
	}
	return nil
}

// rollback takes everything back, newest first.
func (t *tx) rollback() {
	h, g := t.db.head, t.db.open
	for i := len(t.undo) - 1; i >= 0; i-- {
		c := t.undo[i]
		h.over.unset(c.now, c.old, c.had)
	}
	for i := len(t.freed) - 1; i >= 0; i-- {
		f := t.freed[i]
		if p, ok := h.over.blobs.Get(f.id); ok && p.segment != 0 {
			h.live[p.segment] += p.span()
		}
		if f.had {
			h.over.blobs.Set(f.id, f.old)
		} else {
			h.over.blobs.Delete(f.id)
		}
	}
	for _, b := range g.bodies[t.bodies:] {
		if b.from != "" { // the stager may try again, or discard it
			_ = t.db.fs.Rename(t.db.bodyPath(b.id), b.from)
		}
	}
	g.buf, g.bodies, h.next = g.buf[:t.start], g.bodies[:t.bodies], t.next
}

// whereabouts finds a body that the overlay of the newest state does not know.
// One that was attached in the open group has no place in a segment yet.
func (t *tx) whereabouts(id blob.ID) (p place, known bool) {
	for _, b := range t.db.open.bodies {
		if b.id == id {
			return b.pl, true
		}
	}
	p = t.place(id)
	return p, p != (place{})
}
