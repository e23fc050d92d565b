// Package faultfs is a file system in memory that loses power, fills up and
// fails, for tests of what stands on vfs.
//
// What is written is only sure to stay once the file has been synced; what is
// created, renamed or removed, once its directory has. Crash leaves what a
// drive could hold then: of everything else any part, in sectors of 512 bytes,
// at random. Sizes of files behave as data do.
package faultfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"essaim.coop/essaim/internal/vfs"
)

const sector = 512

// An FS is one such file system. Safe for concurrent use.
type FS struct {
	mu      sync.Mutex
	rng     *rand.Rand
	names   map[string]*inode // as programs see them
	durable map[string]*inode // what directories have synced
	dirs    map[string]bool

	// Fail is asked before every call that changes something; an error is what
	// the call returns. Guarded by the FS: it must not call it.
	Fail func(op, name string) error
	dead bool
}

type inode struct {
	now     []byte
	durable []byte
	dirty   map[int64]bool // sectors written since the last sync
	resized bool
}

// New makes an empty file system.
func New(seed uint64) *FS {
	return &FS{rng: rand.New(rand.NewPCG(seed, 3)), names: map[string]*inode{}, durable: map[string]*inode{}, dirs: map[string]bool{}}
}

var errDead = errors.New("faultfs: the power is off")

func (f *FS) may(op, name string) error {
	if f.dead {
		return errDead
	}
	if f.Fail != nil {
		return f.Fail(op, name)
	}
	return nil
}

// PowerOff makes every later call of the running program fail.
func (f *FS) PowerOff() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// Crash returns the file system that is found when the power is back.
func (f *FS) Crash() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := New(f.rng.Uint64())
	for d := range f.dirs {
		out.dirs[d] = true
	}
	all := map[string]bool{}
	for n := range f.names {
		all[n] = true
	}
	for n := range f.durable {
		all[n] = true
	}
	for _, name := range slices.Sorted(mapKeys(all)) {
		i := f.durable[name]
		if now := f.names[name]; now != i && f.rng.IntN(2) == 0 {
			i = now // the directory's change happened to be written
		}
		if i != nil {
			kept := i.afterCrash(f.rng)
			x := &inode{now: kept, durable: slices.Clone(kept), dirty: map[int64]bool{}}
			out.names[name], out.durable[name] = x, x
		}
	}
	return out
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (i *inode) afterCrash(rng *rand.Rand) []byte {
	size := len(i.durable)
	if i.resized && rng.IntN(2) == 0 {
		size = len(i.now)
	}
	out := make([]byte, size)
	copy(out, i.durable)
	for s := range i.dirty {
		if rng.IntN(2) == 0 {
			continue
		}
		end := min(int((s+1)*sector), size, len(i.now))
		if int(s*sector) < end {
			copy(out[s*sector:end], i.now[s*sector:end])
		}
	}
	return out
}

func (f *FS) Open(name string, flag int) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	i := f.names[name]
	switch {
	case i == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case i != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	if i == nil || flag&os.O_TRUNC != 0 {
		if err := f.may("create", name); err != nil {
			return nil, err
		}
	}
	if i == nil {
		i = &inode{dirty: map[int64]bool{}}
		f.names[name] = i
	}
	if flag&os.O_TRUNC != 0 {
		i.now, i.resized = nil, true
	}
	return &file{f, i, name}, nil
}

func (f *FS) change(op, name string, do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.may(op, name); err != nil {
		return err
	}
	do()
	return nil
}

func (f *FS) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	f.mu.Lock()
	missing := f.names[from] == nil
	f.mu.Unlock()
	if missing {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	return f.change("rename", to, func() {
		f.names[to] = f.names[from]
		delete(f.names, from)
	})
}

func (f *FS) Remove(name string) error {
	name = filepath.Clean(name)
	f.mu.Lock()
	missing := f.names[name] == nil
	f.mu.Unlock()
	if missing {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	return f.change("remove", name, func() { delete(f.names, name) })
}

func (f *FS) MkdirAll(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for d := filepath.Clean(name); d != "/" && d != "."; d = filepath.Dir(d) {
		f.dirs[d] = true
	}
	return nil
}

func (f *FS) ReadDir(name string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	seen := map[string]bool{}
	for n := range f.names {
		if filepath.Dir(n) == name {
			seen[filepath.Base(n)] = true
		}
	}
	for d := range f.dirs {
		if filepath.Dir(d) == name {
			seen[filepath.Base(d)] = true
		}
	}
	return slices.Sorted(mapKeys(seen)), nil
}

func (f *FS) Size(name string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.names[filepath.Clean(name)]
	if i == nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return int64(len(i.now)), nil
}

// SyncDir makes the names directly below a directory last.
func (f *FS) SyncDir(name string) error {
	name = filepath.Clean(name)
	return f.change("syncdir", name, func() {
		for n := range f.durable {
			if filepath.Dir(n) == name && f.names[n] == nil {
				delete(f.durable, n)
			}
		}
		for n, i := range f.names {
			if filepath.Dir(n) == name {
				f.durable[n] = i
			}
		}
	})
}

// Flip inverts one bit of a file, as rot does.
func (f *FS) Flip(name string, bit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.names[filepath.Clean(name)]
	i.now[bit/8] ^= 1 << (bit % 8)
}

// Names lists the files below a directory, in order.
func (f *FS) Names(below string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for n := range f.names {
		if strings.HasPrefix(n, filepath.Clean(below)+"/") {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

type file struct {
	fs   *FS
	i    *inode
	name string
}

func (x *file) ReadAt(p []byte, off int64) (int, error) {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	if off >= int64(len(x.i.now)) {
		return 0, io.EOF
	}
	n := copy(p, x.i.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt on a full disk writes a part, as real ones do.
func (x *file) WriteAt(p []byte, off int64) (int, error) {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	err := x.fs.may("write", x.name)
	if errors.Is(err, syscall.ENOSPC) {
		p = p[:len(p)/2]
	} else if err != nil {
		return 0, err
	}
	if end := off + int64(len(p)); end > int64(len(x.i.now)) {
		x.i.now = append(x.i.now, make([]byte, end-int64(len(x.i.now)))...)
		x.i.resized = true
	}
	copy(x.i.now[off:], p)
	for s := off / sector; s*sector < off+int64(len(p)); s++ {
		x.i.dirty[s] = true
	}
	return len(p), err
}

func (x *file) Sync() error {
	return x.fs.change("sync", x.name, func() {
		x.i.durable = append(x.i.durable[:0], x.i.now...)
		clear(x.i.dirty)
		x.i.resized = false
	})
}

func (x *file) Truncate(size int64) error {
	return x.fs.change("truncate", x.name, func() {
		if size < int64(len(x.i.now)) {
			x.i.now = x.i.now[:size:size]
		} else {
			x.i.now = append(x.i.now, make([]byte, size-int64(len(x.i.now)))...)
		}
		x.i.resized = true
	})
}

func (x *file) Size() (int64, error) {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	return int64(len(x.i.now)), nil
}

func (x *file) Allocate(off, n int64) error {
	return x.fs.change("allocate", x.name, func() {
		if end := off + n; end > int64(len(x.i.now)) {
			x.i.now = append(x.i.now, make([]byte, end-int64(len(x.i.now)))...)
			x.i.resized = true
		}
	})
}

func (x *file) Punch(off, n int64) error {
	return x.fs.change("punch", x.name, func() {
		for k := off; k < min(off+n, int64(len(x.i.now))); k++ {
			x.i.now[k] = 0
		}
		for s := off / sector; s*sector < off+n; s++ {
			x.i.dirty[s] = true
		}
	})
}

// WriteOut promises nothing, so nothing happens: what a power cut leaves of the
// range is any part of it already.
func (x *file) WriteOut(off, n int64) {}

func (x *file) Close() error { return nil }
