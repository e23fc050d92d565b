package powerdisk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// What a process that serves a drive is told by its environment.
const (
	dirEnv  = "ESSAIM_POWERDISK_DIR"
	sizeEnv = "ESSAIM_POWERDISK_SIZE"
)

// Main serves a drive and ends the process, when that is what it was started
// for.
func Main() {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		return
	}
	size, err := strconv.ParseInt(os.Getenv(sizeEnv), 10, 64)
	if err == nil {
		err = serve(dir, size, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A request and its reply are one line of JSON each.
type request struct {
	Op   string
	N    int
	Path string
	Seed uint64
}

type reply struct {
	N     int
	Marks []int
	Err   string
}

// serve does what it is asked until in ends, as it does when the other process
// does, and takes the drive away.
func serve(dir string, size int64, in io.Reader, out io.Writer) error {
	d := &drive{now: make([]byte, size)}
	server, err := d.mount(dir)
	if err != nil {
		return err
	}
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	if err := replies.Encode(reply{}); err != nil {
		return err
	}
	for {
		var q request
		if err := requests.Decode(&q); err != nil {
			break
		}
		if err := replies.Encode(d.answer(q)); err != nil {
			break
		}
	}
	if server.Unmount() == nil {
		return nil
	}
	return run("umount", "-l", dir)
}

func (d *drive) answer(q request) (r reply) {
	switch q.Op {
	case "record":
		d.record()
	case "mark":
		d.mark(q.N)
	case "break":
		d.breakDown()
	case "events":
		r.N = d.count()
	case "image":
		marks, err := d.image(q.Path, q.N, rand.New(rand.NewPCG(q.Seed, uint64(q.N))))
		if r.Marks = marks; err != nil {
			r.Err = err.Error()
		}
	default:
		r.Err = "no such request: " + q.Op
	}
	return r
}

// A Disk is one drive, served by another process. Its methods are safe for
// concurrent use. One whose process is gone fails the test that uses it.
type Disk struct {
	dir string
	cmd *exec.Cmd
	in  io.WriteCloser

	mu       sync.Mutex
	requests *json.Encoder
	replies  *json.Decoder
}

// New serves an empty drive of size bytes below dir, an empty directory.
func New(dir string, size int64) (*Disk, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), dirEnv+"="+dir, fmt.Sprint(sizeEnv, "=", size))
	cmd.Stderr, cmd.WaitDelay = os.Stderr, 10*time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &Disk{dir: dir, cmd: cmd, in: in, requests: json.NewEncoder(in), replies: json.NewDecoder(out)}
	if err := d.replies.Decode(new(reply)); err != nil {
		return nil, errors.Join(fmt.Errorf("the drive's process: %w", err), d.Close())
	}
	return d, nil
}

func (d *Disk) ask(q request) (reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var r reply
	if err := errors.Join(d.requests.Encode(q), d.replies.Decode(&r)); err != nil {
		return r, fmt.Errorf("the drive's process: %w", err)
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	return r, nil
}

// must is for what can only fail with the process.
func (d *Disk) must(q request) reply {
	r, err := d.ask(q)
	if err != nil {
		panic(err)
	}
	return r
}

// Path names the drive's file, for a loop device.
func (d *Disk) Path() string { return filepath.Join(d.dir, "disk") }

// Close takes the drive away.
func (d *Disk) Close() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// Record forgets what was recorded and starts from what the drive holds now.
func (d *Disk) Record() { d.must(request{Op: "record"}) }

// Mark records that n happened: an acknowledgement, in the order of the
// drive's own writes and flushes.
func (d *Disk) Mark(n int) { d.must(request{Op: "mark", N: n}) }

// Break makes every later write and flush fail with EIO.
func (d *Disk) Break() { d.must(request{Op: "break"}) }

// Events returns how many writes, flushes and marks are recorded.
func (d *Disk) Events() int { return d.must(request{Op: "events"}).N }

// Image writes to path what the drive could hold after a power cut behind the
// first n events, chosen by the seed, and returns the marks set until then.
func (d *Disk) Image(path string, n int, seed uint64) (marks []int, err error) {
	r, err := d.ask(request{Op: "image", Path: path, N: n, Seed: seed})
	return r.Marks, err
}
