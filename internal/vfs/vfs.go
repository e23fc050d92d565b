// Package vfs is the file system as the store uses it: the few calls below,
// and what each promises about power cuts. Tests put a layer that loses what
// was not synced, tears writes and fails calls in its place (vfs/faultfs).
package vfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// An FS opens and names files. Names are paths; nothing else is assumed.
type FS interface {
	// Open opens a file; flag is as for os.OpenFile.
	Open(name string, flag int) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	MkdirAll(name string) error
	// ReadDir returns the sorted names in a directory.
	ReadDir(name string) ([]string, error)
	Size(name string) (int64, error)
	// SyncDir makes creations, renames and removals in a directory last.
	SyncDir(name string) error
}

// A File is an open file. Written bytes last once Sync has returned nil; after
// an error of Sync nothing is known and it must not be called again.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
	// Allocate takes space for a range up to off+n, which lengthens the file with
	// zeros. Who fails to get it can still write.
	Allocate(off, n int64) error
	// Punch gives the space of a range back; it then reads as zeros. It is a
	// hint: where the file system cannot, nothing happens.
	Punch(off, n int64) error
	// WriteOut begins to write a range to the disk and does not wait for it, so
	// that less is left for Sync, which alone promises anything. It is a hint.
	WriteOut(off, n int64)
}

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

type osFile struct{ *os.File }

func (osFS) Open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }
func (osFS) MkdirAll(name string) error   { return os.MkdirAll(name, 0o700) }

func (osFS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (osFS) Size(name string) (int64, error) {
	st, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f osFile) Allocate(off, n int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), 0, off, n); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f osFile) Punch(off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

func (f osFile) WriteOut(off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// WriteFile writes a small file so that after a power cut either the old or
// the new one is there: temporary name, sync, rename, sync of the directory.
func WriteFile(fs FS, name string, data []byte) error {
	tmp := name + ".new"
	f, err := fs.Open(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, name); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}
