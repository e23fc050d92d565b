// Package local is the engine for one machine: a bbolt tree with a journal in
// front of it, in one directory.
//
// What it adds to the promises of package kv: a lone Update costs one append
// and one fdatasync, bodies and index together; concurrent ones share them.
// The store opens after any crash without a repair tool. Reading never waits
// for a sync.
//
// How it works, file by file:
//
//	group.go       transactions join the open group; one append, one sync; tx.go
//	journal.go     segments: frames of groups, in order, each with checksums
//	overlay.go     what was committed since the last checkpoint, in memory
//	tree.go        the bbolt tree: its buckets and checksums
//	view.go        one state: overlays over the tree
//	checkpoint.go  the overlay goes into the tree, dead space is given back
//	reclaim.go     when that may be, and what holds it back
//	recover.go     replay after the checkpoint, cut of the torn tail; replay.go
//	copy.go        a copy of the tree that follows the journal; Compact
//	spare.go       the one that is kept beside it; rebuild.go: the tree made of it
//	salvage.go     bodies without any tree
//	bodies.go      reading and freeing bodies, rewriting of mostly dead segments
//	snapshot.go    the online copy
//	stats.go       counters, written bytes by cause
//	failure.go     what a failing disk leaves behind: a note, then reading only
//	verify.go      looking at everything; treecheck.go: the pages of the tree
//
// The directory holds tree.db, spare.db (its spare copy), journal/NNNNNNNN (segments), blobs/ (large
// bodies), tmp/ (staged ones, emptied at open), ballast (space that a full
// disk's clean-up may use) and, after the disk has failed, the note "failed".
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// Options of Open; the zero value is what a server wants.
type Options struct {
	FS       vfs.FS        // of the journal and bodies; nil is the operating system's
	Overlay  int64         // bytes in memory before a checkpoint (2 MiB)
	Replay   int64         // bytes of journal before a checkpoint, which a start after a crash reads; freed bodies count as well (64 MiB)
	Quiet    time.Duration // checkpoint this long after the first change (6 h)
	Segment  int64         // size at which a new journal segment begins (256 MiB)
	Ballast  int64         // bytes kept for a full disk's clean-up (16 MiB; -1 none)
	Spare    int64         // bytes of journal by which the spare copy of the tree may be behind (64 MiB; -1 none)
	ReadOnly bool          // no Update; nothing is changed on disk
	Passing  bool          // not to be served: maps no more than there is, as on 32 bits there is no room for two

	tree   string // the tree's file, if not tree.db
	mutant mutant // deliberate faults, for the test that the tests find them
}

type mutant int

const (
	healthy mutant = iota
	mutantNoSync
	mutantEarlyReply
	mutantEarlyRead
)

// A DB is an open engine.
type DB struct {
	dir string
	fs  vfs.FS
	opt Options

	tree *bolt.DB

	// writer serialises Update functions and guards what is below it.
	writer   sync.Mutex
	head     *state // the newest state, perhaps not durable yet
	open     *group // gathering
	flying   *group // being appended, or done
	used     buffers
	stopping bool

	// flush is held, as its one token, by whoever appends to the journal.
	flush    chan struct{}
	idle     []byte // memory for the next frame
	out      *segment
	torn     bool   // recovery found something behind the last frame
	seq      uint64 // of the last group written
	since    int64  // bytes written and freed since the tree was frozen last
	deadRedo []extent

	// shown guards what a View captures together.
	shown   sync.RWMutex
	durable *state
	frozen  *frozen // being written to the tree
	closed  bool

	// moving keeps bodies in place while they are read.
	moving sync.RWMutex
	files  segmentFiles

	// ckpt is held by a checkpoint and guards what is below it.
	ckpt      sync.Mutex
	treePos   position         // of the tree
	live      map[uint32]int64 // the tree's accounts of segments
	spare     position         // of the spare copy of the tree; zero: none
	pin       position         // of a copy being made; zero: none
	dead      []extent         // to be given back
	reclaimed position         // up to which that was done last

	copying sync.Mutex  // held while the tree is copied or verified; before ckpt
	tight   atomic.Bool // the disk was full
	life    context.Context
	end     context.CancelFunc
	goes    sync.WaitGroup
	quiet   *time.Timer
	armed   atomic.Bool // the quiet deadline is set
	called  atomic.Bool // a checkpoint was asked for that has not begun
	failed  chan struct{}
	broken  atomic.Bool // set before failed is closed
	failure sync.Once
	noted   note   // what an earlier life left about the disk
	why     string // every Update is refused, or ""
	ballast ballast

	commits, groups, syncs, checkpoints atomic.Uint64
	written                             written
}

var _ kv.Engine = (*DB)(nil)

// Open opens the engine in dir, making it if there is none. Another process
// that has it open is an error after a second.
func Open(dir string, opt Options) (*DB, error) {
	if opt.FS == nil {
		opt.FS = vfs.OS
	}
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&opt.Overlay, 2<<20)
	def(&opt.Segment, 256<<20)
	def(&opt.Ballast, 16<<20)
	def(&opt.Spare, 64<<20)
	def(&opt.Replay, 64<<20)
	def((*int64)(&opt.Quiet), int64(6*time.Hour))
	if opt.tree == "" {
		opt.tree = "tree.db"
	}
	db := &DB{dir: dir, fs: opt.FS, opt: opt, flush: make(chan struct{}, 1), failed: make(chan struct{})}
	db.life, db.end = context.WithCancel(context.Background())
	for _, d := range []string{dir, db.path("journal"), db.path("blobs"), db.path("tmp")} {
		if err := db.fs.MkdirAll(d); err != nil {
			return nil, err
		}
	}
	db.admit()
	if err := db.start(); err != nil {
		db.release()
		return nil, fmt.Errorf("kv: opening %s: %w", dir, err)
	}
	return db, nil
}

func (db *DB) start() error {
	if err := db.openTree(); err != nil {
		return err
	}
	if err := db.recover(); err != nil {
		return err
	}
	if err := db.probation(); err != nil {
		return err
	}
	if db.opt.ReadOnly {
		return nil
	}
	if err := db.emptyTmp(); err != nil {
		return err
	}
	db.ballast = ballast{fs: db.fs, path: db.path("ballast"), size: db.opt.Ballast}
	db.ballast.fill()
	db.quiet = time.AfterFunc(time.Hour, db.background)
	db.quiet.Stop()
	if db.head.over.size > 0 {
		db.arm()
	}
	return nil
}

func (db *DB) path(parts ...string) string {
	return filepath.Join(append([]string{db.dir}, parts...)...)
}

func (db *DB) emptyTmp() error {
	for _, n := range []string{"tree.db.new", "spare.db.new"} { // copies that were cut
		if err := ignoreMissing(os.Remove(db.path(n))); err != nil {
			return err
		}
	}
	names, err := db.fs.ReadDir(db.path("tmp"))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := db.fs.Remove(db.path("tmp", n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Stage is kv.Engine.
func (db *DB) Stage() *blob.Writer { return blob.NewWriter(db.fs, db.path("tmp")) }

// Failed is kv.Engine.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Close lets the Updates end that have begun, writes a last checkpoint, unless
// the engine has failed, and closes.
func (db *DB) Close() error {
	var err error
	db.end()
	if !db.opt.ReadOnly {
		db.quiet.Stop()
		db.drain()
		if !db.hasFailed() {
			err = db.Checkpoint()
		}
	}
	db.shown.Lock()
	was := db.closed
	db.closed = true
	db.shown.Unlock()
	if was {
		return kv.ErrClosed
	}
	db.goes.Wait()
	return errors.Join(err, db.release())
}

// drain refuses later Updates and commits the open group for those who wait.
func (db *DB) drain() {
	db.writer.Lock()
	was := db.stopping
	db.stopping = true
	db.writer.Unlock()
	if was {
		return
	}
	db.flush <- struct{}{}
	defer func() { <-db.flush }()
	db.commit(db.take())
}

func (db *DB) release() error {
	err := db.files.close()
	if db.tree != nil {
		err = errors.Join(err, db.tree.Close())
	}
	return err
}

// background makes the checkpoint that the quiet deadline asked for.
func (db *DB) background() {
	ctx, leave, err := db.enter(context.Background())
	if err != nil {
		return
	}
	defer leave()
	db.armed.Store(false) // not by other checkpoints: the spare copy waits for this one
	err = db.Checkpoint()
	if err == nil {
		err = db.keepSpare(ctx)
		if errors.Is(err, kv.ErrCorrupt) || ctx.Err() != nil {
			err = nil // Verify tells of the damage; the old copy, if any, is kept with all it needs
		}
	}
	if err != nil && !errors.Is(err, kv.ErrFull) && !errors.Is(err, kv.ErrClosed) {
		db.fail(err)
	}
}

// A ballast file keeps space that lets a full disk be cleaned: deletions are
// writes, too.
type ballast struct {
	fs   vfs.FS
	path string
	size int64
	gone atomic.Bool
}

func (b *ballast) fill() {
	if b.size <= 0 {
		return
	}
	if n, err := b.fs.Size(b.path); err == nil && n == b.size {
		return
	}
	f, err := b.fs.Open(b.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return
	}
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i * 131) // no file system stores this as a hole
	}
	for off := int64(0); off < b.size; off += int64(len(chunk)) {
		if _, err := f.WriteAt(chunk[:min(int64(len(chunk)), b.size-off)], off); err != nil {
			b.release()
			return
		}
	}
	b.gone.Store(false)
}

// release gives the space to who needs it now. It is filled again at the next
// start with room.
func (b *ballast) release() bool {
	return b.size > 0 && !b.gone.Swap(true) && b.fs.Remove(b.path) == nil
}
