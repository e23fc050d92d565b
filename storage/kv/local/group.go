package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// A group is the transactions that one append and one sync make durable.
type group struct {
	buf    []byte // the frame so far
	bodies []body // placed when the frame's offset is known
	redo   []extent
	dirs   map[string]bool
	done   chan struct{}
	err    error
}

// A body is an item of the frame at offset at.
type body struct {
	id    blob.ID
	at    int64
	pl    place
	from  string // a large body's staged name
	moved bool   // rewritten: it leaves the place it had
}

// newGroup makes a group in the memory of an earlier one's frame.
func newGroup(buf []byte) *group {
	return &group{buf: beginFrame(buf[:0]), done: make(chan struct{})}
}

func (g *group) empty() bool { return len(g.buf) == frameHeader }

const (
	maxFrame   = 1 << 30
	keptFrame  = 2 << 20
	smallGroup = 4 << 10
	padding    = 32 << 10
)

// Update is kv.Engine. Its answer rests on what fn did, or if it did nothing on
// what it saw: either way on a group, whose end it waits for.
func (db *DB) Update(fn func(kv.Tx) error) error {
	g, err := db.join(fn)
	if g == nil {
		return err
	}
	if db.opt.mutant == mutantEarlyReply {
		go db.await(g)
		return err
	}
	if lost := db.await(g); lost != nil {
		return lost // and with it what err may have been about
	}
	return err
}

// await waits until a group is durable. Whoever waits while nobody appends to
// the journal does it for all: with the token in hand, a group that is not done
// is the open one.
func (db *DB) await(g *group) error {
	select {
	case <-g.done:
	case db.flush <- struct{}{}:
		select {
		case <-g.done:
		default:
			db.commit(db.take())
		}
		<-db.flush
	}
	return g.err
}

// join runs fn on the newest state and adds what it did to the open group,
// which it returns. When fn failed or changed nothing, that is the newest group
// fn saw, or none if all of that was durable already.
func (db *DB) join(fn func(kv.Tx) error) (*group, error) {
	db.writer.Lock()
	defer db.writer.Unlock()
	if err := db.writable(); err != nil {
		return nil, err
	}
	seen := db.newest()
	view, err := db.capture(db.head)
	if err != nil {
		return nil, err
	}
	defer view.end()
	tx := db.begin(view)
	done := false
	defer func() {
		if !done { // fn panicked or failed
			tx.rollback()
		}
		db.used.keep(tx)
	}()
	err = fn(tx)
	if err = errors.Join(err, tx.err, view.err); err != nil {
		return seen, err
	}
	if len(tx.redo) == 0 && len(tx.staged) == 0 && !tx.wrote {
		done = true
		return seen, nil
	}
	if err := tx.finish(); err != nil {
		return seen, err
	}
	done = true
	db.commits.Add(1)
	return db.open, nil
}

// newest returns the group that made the newest state, nil when that is
// durable. The writer is locked.
func (db *DB) newest() *group {
	if !db.open.empty() {
		return db.open
	}
	if db.flying != nil {
		select {
		case <-db.flying.done:
			db.flying = nil
		default:
		}
	}
	return db.flying
}

func (db *DB) writable() error {
	db.shown.RLock()
	defer db.shown.RUnlock()
	switch {
	case db.opt.ReadOnly:
		return kv.ErrReadOnly
	case db.closed, db.stopping:
		return kv.ErrClosed
	case db.hasFailed():
		return kv.ErrFailed
	}
	return nil
}

// take closes the open group and returns it with the state it leads to. The
// flush token is held.
func (db *DB) take() (*group, *state) {
	db.writer.Lock()
	defer db.writer.Unlock()
	return db.takeLocked()
}

func (db *DB) takeLocked() (*group, *state) {
	g := db.open
	db.open, db.flying = newGroup(db.idle), g
	db.idle = nil
	if db.out.end+int64(len(g.buf)) <= db.opt.Segment {
		db.settle(g, db.out.number, db.out.end)
	} else { // the group opens a segment
		db.settle(g, db.out.number+1, segmentHeader)
	}
	return g, db.head.copy()
}

// settle places the bodies of a group whose frame will be at off.
func (db *DB) settle(g *group, segment uint32, off int64) {
	for _, b := range g.bodies {
		if p, ok := db.head.over.blobs.Get(b.id); ok && p.gone {
			continue // freed again by a later transaction of the group
		}
		if b.moved {
			db.leave(b.id)
		}
		if b.from == "" {
			b.pl.segment, b.pl.offset = segment, off+b.at
			db.head.live[segment] += b.pl.span()
		}
		db.head.over.blobs.Set(b.id, b.pl)
	}
	if db.head.over.size == 0 && len(g.bodies) > 0 {
		db.head.over.size = entrySize // bodies alone are a reason for a checkpoint, too
	}
}

// leave takes a body that moves out of the accounts of its old segment.
func (db *DB) leave(id blob.ID) {
	sn, err := db.capture(db.head)
	if err != nil {
		return
	}
	defer sn.end()
	if old := sn.place(id); old.segment != 0 {
		db.head.live[old.segment] -= old.span()
	}
}

// commit makes a group durable and then visible. The flush token is held.
func (db *DB) commit(g *group, next *state) {
	if g.empty() {
		close(g.done)
		return
	}
	if db.opt.mutant == mutantEarlyRead {
		db.show(next)
	}
	g.err = db.append(g)
	switch {
	case g.err == nil:
		db.show(next)
	case errors.Is(g.err, kv.ErrFull):
		db.undo(g)
	default:
		db.fail(g.err)
	}
	if cap(g.buf) <= keptFrame {
		db.idle, g.buf = g.buf, nil
	}
	close(g.done)
}

func (db *DB) show(s *state) {
	db.shown.Lock()
	db.durable = s
	db.shown.Unlock()
	if s.over.size > db.opt.Overlay {
		db.goes.Go(db.background)
	} else if s.over.size > 0 {
		db.arm()
	}
}

// arm sets the quiet deadline at the first change after a checkpoint.
func (db *DB) arm() {
	if !db.armed.Swap(true) {
		db.quiet.Reset(db.opt.Quiet)
	}
}

// append writes the group's frame and syncs it.
func (db *DB) append(g *group) error {
	if db.hasFailed() {
		return kv.ErrFailed
	}
	for dir := range g.dirs {
		if err := db.fs.SyncDir(dir); err != nil {
			return db.lost(err)
		}
	}
	b := endFrame(g.buf, db.seq+1)
	if db.out.end+int64(len(g.buf)) > db.opt.Segment {
		s, err := db.newSegment(db.out.number+1, db.out.end)
		if err != nil {
			return full(err)
		}
		db.out = s
	}
	s, n := db.out, int64(len(b))
	if n < smallGroup && s.end+n > s.padded {
		// The next small groups will not make the file grow: a sync that must
		// also commit the size is two flushes of the device, not one.
		b = append(b, make([]byte, padding)...)
	}
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return full(err)
	}
	if db.opt.mutant != mutantNoSync {
		if err := s.file.Sync(); err != nil {
			return db.lost(err)
		}
	}
	for _, e := range g.redo {
		db.noteRedo(extent{s.number, s.end + e.offset, e.n})
	}
	s.padded = max(s.padded, s.end+int64(len(b)))
	s.end += n
	db.seq++
	db.groups.Add(1)
	db.syncs.Add(1)
	db.written.Add(uint64(len(b)))
	return nil
}

// lost is the end: after a failed sync nobody knows what is on the disk, and a
// second try would be told that all is well.
func (db *DB) lost(err error) error {
	db.fail(err)
	return fmt.Errorf("%w: %w", kv.ErrFailed, err)
}

// full tells a full disk, which passes, from a failing one.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", kv.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrFailed, err)
}

// undo returns to the durable state after a group that found no space: it and
// the transactions that were built on it fail, with all they did.
func (db *DB) undo(g *group) {
	db.tight.Store(true)
	db.ballast.release()
	db.writer.Lock()
	defer db.writer.Unlock()
	late := db.open
	db.open, db.flying = newGroup(nil), nil
	db.head = db.durable.copy()
	late.err = g.err
	for _, x := range []*group{g, late} {
		for _, b := range x.bodies {
			if b.from != "" {
				_ = db.fs.Remove(db.bodyPath(b.id))
			}
		}
	}
	close(late.done)
}

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
	id  blob.ID
	old place
	had bool
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
	t.freed = append(t.freed, freed{id, old, had})
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
