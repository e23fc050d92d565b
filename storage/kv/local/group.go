package local

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// A group is the transactions that one append and one sync make durable.
type group struct {
	buf    []byte // the frame so far
	bodies []body // placed when the frame's offset is known
	redo   []extent
	freed  int64 // bytes of bodies
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
	maxFrame  = 1 << 30
	keptFrame = 2 << 20
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
	switch {
	case s.over.size > db.opt.Overlay, db.since > db.opt.Replay:
		if !db.called.Swap(true) {
			db.goes.Go(db.background)
		}
	case s.over.size > 0:
		db.arm()
	}
}

// arm sets the quiet deadline at the first change after a checkpoint: a long
// one, as each page that a checkpoint writes costs the same for one change as
// for all of a day. Only a disk that was full wants its space back soon.
func (db *DB) arm() {
	if db.armed.Swap(true) {
		return
	}
	if db.tight.Load() {
		db.hurry()
	} else {
		db.quiet.Reset(db.opt.Quiet)
	}
}

// hurry lets the next checkpoint come soon.
func (db *DB) hurry() { db.quiet.Reset(min(db.opt.Quiet, 10*time.Second)) }

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
	if err := s.write(b, max(block, min(maxAhead, db.opt.Segment/8))); err != nil {
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
	db.written.group(g, s.end, n)
	s.end += n
	db.since += n + g.freed
	db.seq++
	db.groups.Add(1)
	db.syncs.Add(1)
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
	db.hurry()
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
