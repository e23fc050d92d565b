// Package powerdisk is a disk for tests that loses power.
//
// A Disk is a file served over FUSE, under a loop device and a real file
// system. It behaves as a drive with a volatile cache: a write is only sure to
// stay once a flush has come after it. Every write and every flush is recorded
// in order, and so are the marks a test sets; Image rebuilds what the drive
// could hold if the power had gone at any point of that record: everything
// before the last flush, and of the rest any subset of 512-byte sectors.
//
// The drive is served by a process of its own, a copy of the test's program: a
// page of a mapped file that a thread fetches from a drive of its own process
// can lock the process up. A test's TestMain calls Main first.
//
// It needs root, /dev/fuse and a free loop device; Available tells.
package powerdisk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Sector is what a drive writes as a whole.
const Sector = 512

// A drive is the disk in the process that serves it.
type drive struct {
	mu     sync.Mutex
	now    []byte // what reads see
	base   []byte // what was there when recording began
	events []event
	broken bool // writes and flushes fail from now on
}

type event struct {
	off   int64
	data  []byte // nil: a flush, or a mark
	mark  int
	flush bool
}

// Available says why a Disk cannot be made here, or "".
func Available() string {
	if os.Getuid() != 0 {
		return "not root"
	}
	for _, f := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(f); err != nil {
			return f + " is missing"
		}
	}
	return ""
}

// mount serves the drive below dir, an empty directory.
func (d *drive) mount(dir string) (*fuse.Server, error) {
	server, err := fs.Mount(dir, &root{drive: d}, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMount: true, FsName: "powerdisk", MaxWrite: 1 << 20,
	}})
	if err != nil {
		return nil, fmt.Errorf("mounting the drive: %w", err)
	}
	return server, nil
}

// record forgets what was recorded and starts from what the drive holds now.
func (d *drive) record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.base, d.events = append(d.base[:0], d.now...), nil
}

func (d *drive) mark(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event{mark: n})
}

func (d *drive) breakDown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = true
}

func (d *drive) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

func (d *drive) image(path string, n int, rng *rand.Rand) (marks []int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > len(d.events) {
		return nil, fmt.Errorf("%d events are recorded, not %d", len(d.events), n)
	}
	img := append([]byte(nil), d.base...)
	synced := 0
	for i, e := range d.events[:n] {
		switch {
		case e.flush:
			synced = i + 1
		case e.data == nil:
			marks = append(marks, e.mark)
		}
	}
	for i, e := range d.events[:n] {
		for o := 0; o < len(e.data); o += Sector {
			if i < synced || rng.IntN(2) == 0 {
				copy(img[e.off+int64(o):], e.data[o:min(o+Sector, len(e.data))])
			}
		}
	}
	return marks, writeSparse(path, img)
}

// writeSparse leaves holes where the image is zero.
func writeSparse(path string, img []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const block = 64 << 10
	for o := 0; o < len(img); o += block {
		if b := img[o:min(o+block, len(img))]; !zero(b) {
			if _, err := f.WriteAt(b, int64(o)); err != nil {
				return err
			}
		}
	}
	return f.Truncate(int64(len(img)))
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Mount mounts the image or drive at path on dir through a loop device.
func Mount(path, dir string, options ...string) error {
	args := []string{"-o", strings.Join(append([]string{"loop"}, options...), ","), path, dir}
	return run("mount", args...)
}

// Unmount undoes Mount.
func Unmount(dir string) error { return run("umount", dir) }

// Format makes a file system of the kind given (ext4, xfs, btrfs) on path.
func Format(kind, path string) error {
	args := map[string][]string{
		"ext4":  {"-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"},
		"xfs":   {"-q", "-f"},
		"btrfs": {"-q", "-f"},
	}[kind]
	return run("mkfs."+kind, append(args, path)...)
}

// runTime bounds a command on a drive: what takes longer is stuck.
const runTime = 2 * time.Minute

func run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// root is a directory with one file, disk.
type root struct {
	fs.Inode
	drive *drive
}

var _ = (fs.NodeOnAdder)((*root)(nil))

func (r *root) OnAdd(ctx context.Context) {
	child := r.NewPersistentInode(ctx, &node{drive: r.drive}, fs.StableAttr{Mode: syscall.S_IFREG})
	r.AddChild("disk", child, false)
}

type node struct {
	fs.Inode
	drive *drive
}

var (
	_ = (fs.NodeOpener)((*node)(nil))
	_ = (fs.NodeReader)((*node)(nil))
	_ = (fs.NodeWriter)((*node)(nil))
	_ = (fs.NodeFsyncer)((*node)(nil))
	_ = (fs.NodeGetattrer)((*node)(nil))
	_ = (fs.NodeSetattrer)((*node)(nil))
	_ = (fs.NodeAllocater)((*node)(nil))
)

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Size, out.Mode = uint64(len(n.drive.now)), syscall.S_IFREG|0o600
	return 0
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.Getattr(ctx, f, out)
}

// Allocate refuses discards, as a drive without TRIM does.
func (n *node) Allocate(context.Context, fs.FileHandle, uint64, uint64, uint32) syscall.Errno {
	return syscall.EOPNOTSUPP
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	if off >= int64(len(n.drive.now)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, n.drive.now[off:])]), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	d := n.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return 0, syscall.EIO
	}
	if off+int64(len(data)) > int64(len(d.now)) {
		return 0, syscall.ENOSPC
	}
	copy(d.now[off:], data)
	if d.base != nil {
		d.events = append(d.events, event{off: off, data: append([]byte{}, data...)})
	}
	return uint32(len(data)), 0
}

func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d := n.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return syscall.EIO
	}
	d.events = append(d.events, event{flush: true})
	return 0
}
