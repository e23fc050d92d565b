package imap

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Buffers are borrowed while a session works and given back while it waits.
const (
	readBuffer  = 4 << 10
	writeBuffer = 16 << 10
	writeChunk  = 32 << 10 // one Write and one deadline
	keepHeld    = 64 << 10 // larger view buffers are not kept
)

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}
	helds   = sync.Pool{New: func() any { return new([]byte) }}
)

// A conn is the network end of a session: deadlines on every blocking call, a
// flush of what is waiting before every blocking read (so that a batch of
// responses is one write), and a memory buffer in front of the network while a
// View is open. It belongs to one goroutine at a time.
type conn struct {
	raw     net.Conn // below TLS; for the server to interrupt, never changed
	tls     *tls.Conn
	nc      net.Conn      // the one in use
	br      *bufio.Reader // nil while parked
	bw      *bufio.Writer // nil while parked
	pre     []byte        // read while parked, not yet consumed
	holding *[]byte       // set while a View is open
	broken  error
	since   time.Time
	closing *atomic.Bool // the server's: no more blocking reads
	limit   time.Time    // no read goes on beyond: the time to log in, then that of the present command
	patience
}

// patience is how long a conn waits.
type patience struct {
	read, write time.Duration
}

// borrow takes buffers from the pools.
func (c *conn) borrow() {
	c.br = readers.Get().(*bufio.Reader)
	c.br.Reset(c)
	c.bw = writers.Get().(*bufio.Writer)
	c.bw.Reset((*writeEnd)(c))
}

// giveBack returns the buffers; nothing may be waiting in them.
func (c *conn) giveBack() {
	if c.br == nil {
		return
	}
	c.br.Reset(nil)
	readers.Put(c.br)
	c.bw.Reset(nil)
	writers.Put(c.bw)
	c.br, c.bw = nil, nil
}

// Read flushes, then blocks for at most the read patience.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.pre) > 0 {
		n := copy(p, c.pre)
		if c.pre = c.pre[n:]; len(c.pre) == 0 {
			c.pre = nil
		}
		return n, nil
	}
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.readUntil(p, time.Now().Add(c.read))
}

// readUntil blocks until bytes arrive, the deadline passes or the server stops.
func (c *conn) readUntil(p []byte, deadline time.Time) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	if !c.limit.IsZero() && c.limit.Before(deadline) {
		deadline = c.limit
	}
	c.nc.SetReadDeadline(deadline)
	if c.closing.Load() { // after the deadline: stop sets the flag, then the deadline
		return 0, errStopping
	}
	n, err := c.nc.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.fail(err)
		return n, c.broken
	}
	return n, err
}

// readParked is readUntil for a parked session: it touches nothing that a push
// may be using at the same time.
func (c *conn) readParked(p []byte, deadline time.Time) (int, error) {
	if !c.limit.IsZero() && c.limit.Before(deadline) {
		deadline = c.limit
	}
	c.nc.SetReadDeadline(deadline)
	if c.closing.Load() {
		return 0, errStopping
	}
	return c.nc.Read(p)
}

// expired reports whether the time to log in has run out.
func (c *conn) expired() bool { return !c.limit.IsZero() && !time.Now().Before(c.limit) }

// secure reports whether TLS is on.
func (c *conn) secure() bool { return c.tls != nil }

// buffered is the number of bytes read and not yet consumed.
func (c *conn) buffered() int { return len(c.pre) + c.br.Buffered() }

// errStopping ends reads when the server stops.
var errStopping = fmt.Errorf("%w: the server is stopping", errBroken)

// fail marks the connection as broken; the first cause is kept.
func (c *conn) fail(err error) {
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", errBroken, err)
	}
}

// flush writes what waits in the write buffer.
func (c *conn) flush() error {
	if c.broken != nil {
		return c.broken
	}
	if c.bw == nil || c.bw.Buffered() == 0 {
		return nil
	}
	return c.bw.Flush()
}

// writeEnd is what the write buffer empties itself into.
type writeEnd conn

func (w *writeEnd) Write(p []byte) (int, error) {
	c := (*conn)(w)
	if c.holding != nil {
		*c.holding = append(*c.holding, p...)
		return len(p), nil
	}
	return c.writeOut(p)
}

// writeOut writes to the network in chunks, each with a deadline of its own.
func (c *conn) writeOut(p []byte) (n int, err error) {
	for len(p) > 0 && c.broken == nil {
		k := min(len(p), writeChunk)
		c.nc.SetWriteDeadline(time.Now().Add(c.write))
		m, err := c.nc.Write(p[:k])
		n += m
		if err != nil {
			c.fail(err)
		}
		p = p[k:]
	}
	return n, c.broken
}

// hold keeps everything written from now on in memory.
func (c *conn) hold() { c.holding = helds.Get().(*[]byte) }

// heldBytes counts what waits since hold, the write buffer included.
func (c *conn) heldBytes() int {
	if c.holding == nil {
		return 0
	}
	return len(*c.holding) + c.bw.Buffered()
}

// release ends hold and lets what was kept go its way.
func (c *conn) release() error {
	h := c.holding
	c.holding = nil
	var err error
	if len(*h) > 0 {
		_, err = c.writeOut(*h)
	}
	if cap(*h) <= keepHeld*8 {
		*h = (*h)[:0]
		helds.Put(h)
	}
	return err
}

// tlsState is the state SASL channel binding needs, nil without TLS.
func (c *conn) tlsState() *tls.ConnectionState {
	if c.tls == nil {
		return nil
	}
	st := c.tls.ConnectionState()
	return &st
}

// close gives the buffers back and closes the connection.
func (c *conn) close() {
	c.giveBack()
	c.nc.SetDeadline(time.Now().Add(time.Second)) // for TLS's close_notify
	c.nc.Close()
}
