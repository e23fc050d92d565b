package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A conn is a client's connection: the socket, TLS once there is some, what was
// read and not yet used, and replies that wait. Replies go out together, when
// the next read would wait (RFC 2920 §3.2). All but interrupt belong to one
// goroutine.
type conn struct {
	raw     net.Conn
	nc      net.Conn // raw, or TLS on it
	lim     *Limits
	ip      string // what the limits count
	trusted bool

	buf   []byte
	r, w  int    // buf[r:w] is unread
	small []byte // the buffer for commands, while buf is a large one
	out   []byte

	mu      sync.Mutex
	stopped bool // a stop was asked for
	busy    bool // a message is coming in, which a stop waits for
}

const (
	smallBuffer = 2 << 10  // for commands
	largeBuffer = 32 << 10 // for messages, shared
	outBuffer   = 4 << 10
)

var largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

var (
	errStopping = errors.New("smtp: stopping")
	errLong     = errors.New("smtp: line too long")
	errEndless  = errors.New("smtp: line without an end")
	errEnding   = errors.New("smtp: a line ended in LF alone")
)

func newConn(nc net.Conn, lim *Limits) *conn {
	c := &conn{raw: nc, nc: nc, lim: lim, buf: make([]byte, smallBuffer)}
	var local bool
	c.ip, local = address(nc.RemoteAddr())
	c.trusted = local && lim.TrustLoopback
	return c
}

// address returns what the limits count, an IPv6 client's /64, and whether it
// is loopback.
func address(a net.Addr) (string, bool) {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String(), true
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String(), ip.IsLoopback()
		}
	}
	return ip.String(), ip.IsLoopback()
}

// passing reports an error of accept that goes away by itself.
func passing(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fill sends what waits and reads more, until by at the latest.
func (c *conn) fill(by time.Time) error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if !c.await(by) {
		return errStopping
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && c.wasStopped() {
		return errStopping
	}
	return err
}

// await sets the deadline of a read, unless it must not begin any more.
func (c *conn) await(by time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped && !c.busy {
		return false
	}
	_ = c.raw.SetReadDeadline(by)
	return true
}

func (c *conn) wasStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped && !c.busy
}

// interrupt ends the wait for the next command.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if !c.busy {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// message notes that a message begins, with a large buffer, or has ended.
func (c *conn) message(coming bool) {
	c.mu.Lock()
	c.busy = coming
	c.mu.Unlock()
	switch {
	case coming && c.small == nil && len(c.buf) < largeBuffer:
		c.small = c.exchange(*largeBuffers.Get().(*[]byte))
	case !coming && c.small != nil && c.w-c.r <= len(c.small):
		old := c.exchange(c.small)
		c.small = nil
		largeBuffers.Put(&old)
	}
}

// exchange moves what is unread to another buffer and returns the old one.
func (c *conn) exchange(buf []byte) []byte {
	old := c.buf
	c.w = copy(buf, old[c.r:c.w])
	c.buf, c.r = buf, 0
	return old
}

// unread is what can be used without waiting, and use says what was.
func (c *conn) unread() []byte { return c.buf[c.r:c.w] }
func (c *conn) use(n int)      { c.r += n }

// line reads a command line of at most limit bytes, until by, and returns it
// without its CR LF. It is valid until the next read. A line that is too long,
// or ends in LF alone, has been read when its error comes.
func (c *conn) line(limit int, by time.Time) ([]byte, error) {
	long, skipped := false, 0
	for seen := 0; ; {
		if i := bytes.IndexByte(c.unread()[seen:], '\n'); i >= 0 {
			line := c.unread()[:seen+i+1]
			c.use(len(line))
			switch n := len(line); {
			case long || n > limit:
				return nil, errLong
			case n < 2 || line[n-2] != '\r':
				return nil, errEnding
			default:
				return line[:n-2], nil
			}
		}
		if seen = len(c.unread()); seen >= limit {
			if skipped += seen; skipped > 1<<20 {
				return nil, errEndless
			}
			c.use(seen)
			long, seen = true, 0
		} else if c.r == 0 && c.w == len(c.buf) {
			c.exchange(make([]byte, len(c.buf)+limit))
		}
		if err := c.fill(by); err != nil {
			return nil, err
		}
	}
}

// put queues bytes to be sent.
func (c *conn) put(p ...string) {
	for _, s := range p {
		c.out = append(c.out, s...)
	}
}

// flush sends what waits.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.raw.SetWriteDeadline(time.Now().Add(c.lim.Write))
	_, err := c.nc.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > outBuffer {
		c.out = nil
	}
	return err
}

// startTLS does the handshake. What came in the clear behind STARTTLS is
// dropped: it was not said by who has the key (RFC 3207 §4.2, CVE-2011-0411).
func (c *conn) startTLS(ctx context.Context, conf *tls.Config) (*tls.ConnectionState, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	c.r, c.w = 0, 0
	ctx, cancel := context.WithTimeout(ctx, c.lim.Handshake)
	defer cancel()
	by := time.Now().Add(c.lim.Handshake)
	if !c.await(by) {
		return nil, errStopping
	}
	_ = c.raw.SetWriteDeadline(by)
	t := tls.Server(c.raw, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	c.nc = t
	state := t.ConnectionState()
	return &state, nil
}

// close sends what waits and closes. When the client may still be sending, its
// bytes are read for a moment: closing on them would take the last reply away.
func (c *conn) close(cut bool) {
	_ = c.flush()
	if cut {
		if t, ok := c.raw.(*net.TCPConn); ok && c.nc == c.raw {
			_ = t.CloseWrite()
		}
		_ = c.raw.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c.raw, 1<<20)
	}
	_ = c.raw.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.nc.Close()
	if c.small != nil {
		largeBuffers.Put(&c.buf)
	}
}
