package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// A time limit for a whole request would cut long uploads and downloads, so
// there is none. Instead every read of a body and every write of an answer has
// its own, kept by a timer that fires into the connection's deadline: arming a
// timer costs less than moving the deadline, above all in HTTP/2.

// ErrSlow is the error of reading a body that does not come.
var ErrSlow = errors.New("web: the client sends too slowly")

var past = time.Unix(1, 0)

// A watchdog ends one direction of a request when a step takes too long.
type watchdog struct {
	limit time.Duration
	bite  func(time.Time) error // sets the deadline
	timer *time.Timer

	mu    sync.Mutex
	until time.Time // of the step under way, zero between steps
	over  bool      // the request: net/http must not be touched any more
}

func (d *watchdog) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	d.until = time.Now().Add(d.limit)
	if d.timer == nil {
		d.timer = time.AfterFunc(d.limit, d.fire)
		return
	}
	d.timer.Reset(d.limit)
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}

// end is stop for good.
func (d *watchdog) end() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.stop()
}

// fire may come late, when its step has ended, the next is under way or the
// request is over.
func (d *watchdog) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over && !d.until.IsZero() && !time.Now().Before(d.until) {
		_ = d.bite(past)
	}
}

// A body is a request's, whose every read is watched, and which must come with
// some speed.
type body struct {
	io.ReadCloser
	dog     watchdog
	now     func() time.Time
	started time.Time
	read    int64
	rate    int
	done    bool // to the end, or failed
	late    bool // too slow
	waits   bool // for 100 Continue, which the first read sends
}

const grace = time.Minute // before the average speed counts

func (b *body) Read(p []byte) (int, error) {
	if late := b.now().Sub(b.started) - grace; late > 0 && b.read < int64(late.Seconds()*float64(b.rate)) {
		b.done, b.late = true, true
		return 0, fmt.Errorf("%d bytes in %s: %w", b.read, late+grace, ErrSlow)
	}
	b.waits = false
	b.dog.start()
	n, err := b.ReadCloser.Read(p)
	b.dog.stop()
	b.read += int64(n)
	b.done = b.done || err != nil
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.late = true
		err = fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return n, err
}

// Close reads on a little, too.
func (b *body) Close() error {
	b.dog.start()
	defer b.dog.stop()
	return b.ReadCloser.Close()
}

// A writer is an answer, whose every write is watched. It remembers what was
// answered.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	dog     watchdog
	body    *body // nil when the request has none
	limits  *Limits
	now     func() time.Time
	old     bool // HTTP/1
	left    bool // the body
	status  int
	written int64
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		w.leaveBody()
	}
	w.ResponseWriter.WriteHeader(status)
}

// maxDrain is what is read of a body that a handler did not want, so that the
// connection can be used again. It is what net/http would read, without limit of
// time; a handler that reads an XML document leaves its last bytes, mostly.
const maxDrain = 256 << 10

// leaveBody reads the rest of the body of an HTTP/1 request before the answer
// begins. When there is too much of it the connection ends with the answer.
func (w *writer) leaveBody() {
	b := w.body
	if w.left || b == nil || b.done && !b.late || b.waits || !w.old {
		return
	}
	w.left = true
	end, limit := w.now().Add(w.limits.Read), b.read+maxDrain
	for buf := make([]byte, 1<<10); !b.done && b.read < limit && w.now().Before(end); {
		_, _ = b.Read(buf)
	}
	if !b.done || b.late {
		w.Header().Set("Connection", "close")
		_ = w.control.SetReadDeadline(w.now().Add(w.limits.Read))
	}
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
		w.leaveBody()
	}
	w.dog.start()
	n, err := w.ResponseWriter.Write(p)
	w.dog.stop()
	w.written += int64(n)
	return n, err
}

// FlushError is for http.ResponseController.
func (w *writer) FlushError() error {
	w.dog.start()
	defer w.dog.stop()
	return w.control.Flush()
}

// Flush is http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// watch puts the limits on a request.
func (s *Server) watch(rw http.ResponseWriter, r *http.Request) *writer {
	control := http.NewResponseController(rw)
	w := &writer{ResponseWriter: rw, control: control, limits: &s.Limits, now: s.Now, old: r.ProtoMajor == 1,
		dog: watchdog{limit: s.Limits.Write, bite: control.SetWriteDeadline}}
	if w.old { // the last request of the connection has left one
		_ = control.SetWriteDeadline(time.Time{})
	}
	if r.Body != nil && r.Body != http.NoBody {
		w.body = &body{ReadCloser: r.Body, now: s.Now, started: s.Now(), rate: s.Limits.Rate,
			waits: r.Header.Get("Expect") != "",
			dog:   watchdog{limit: s.Limits.Read, bite: control.SetReadDeadline}}
		r.Body = w.body
	}
	return w
}

// leave bounds the time in which net/http writes what the handler has left.
func (w *writer) leave() {
	w.leaveBody()
	w.dog.end()
	if w.body != nil {
		w.body.dog.end()
	}
	_ = w.control.SetWriteDeadline(w.now().Add(w.limits.Write))
}
