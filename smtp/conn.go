package smtp

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A listener wraps the connections it accepts.
type listener struct {
	net.Listener
	srv *Server
}

// Accept returns the next connection that there is room for. Running out of
// descriptors is waited out by the caller (net.Error's Temporary).
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, srv: l.srv}
		c.ip, c.trusted = address(nc.RemoteAddr())
		c.trusted = c.trusted && l.srv.Limits.TrustLoopback
		if !l.srv.enter(c) {
			_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
			if !l.srv.ImplicitTLS {
				_, _ = nc.Write([]byte("421 4.7.0 Too many connections, try again later\r\n"))
			}
			nc.Close()
			continue
		}
		if l.srv.ImplicitTLS {
			return tls.Server(c, l.srv.tls), nil
		}
		return c, nil
	}
}

// address returns what the limits count, an IPv6 client's /64, and whether it
// is loopback.
func address(a net.Addr) (string, bool) {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String(), true
	}
	ip := t.AddrPort().Addr().Unmap()
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String(), ip.IsLoopback()
		}
	}
	return ip.String(), ip.IsLoopback()
}

// A conn is below TLS. It gives every blocking read and write a deadline of its
// own, so that a long message may take its time and a silent client may not,
// and keeps replies together: they go out when the next read would wait.
type conn struct {
	net.Conn
	srv     *Server
	ip      string
	trusted bool

	mu      sync.Mutex
	out     []byte
	stopped bool
	inData  bool // a message is coming in: a stop waits for it
}

const outBuffer = 4 << 10

func (c *conn) Read(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	c.mu.Lock()
	if !c.stopped || c.inData {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.srv.Limits.Read))
	}
	c.mu.Unlock()
	return c.Conn.Read(p)
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.out = append(c.out, p...)
	full := len(c.out) >= outBuffer
	c.mu.Unlock()
	if full {
		return len(p), c.flush()
	}
	return len(p), nil
}

func (c *conn) flush() error {
	c.mu.Lock()
	out := c.out
	c.out = nil
	c.mu.Unlock()
	if len(out) == 0 {
		return nil
	}
	_ = c.Conn.SetWriteDeadline(time.Now().Add(c.srv.Limits.Write))
	_, err := c.Conn.Write(out)
	if cap(out) <= outBuffer {
		c.mu.Lock()
		if c.out == nil {
			c.out = out[:0]
		}
		c.mu.Unlock()
	}
	return err
}

// interrupt ends the wait for the next command.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if !c.inData {
		_ = c.Conn.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// message notes that a message begins or has ended.
func (c *conn) message(coming bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inData = coming
	if c.stopped && !coming {
		_ = c.Conn.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// below finds our connection under the library's.
func below(nc net.Conn) *conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// Close sends what is waiting and closes.
func (c *conn) Close() error {
	_ = c.flush()
	c.srv.leave(c)
	return c.Conn.Close()
}

// The library's own deadlines are not used.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
