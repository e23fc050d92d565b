package smtpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A chunk is what BDAT sends at a time.
const chunk = 256 << 10

// buffers are what a piece of a message passes through.
type buffers struct{ raw, out []byte }

var pool = sync.Pool{New: func() any { return new(buffers) }}

// body hands the message over. The host can have it only once its last byte was
// written; what goes wrong before is Temporary, after that Unknown.
func (c *Conn) body(m *Message) Result {
	if c.has("CHUNKING") {
		return c.inChunks(m)
	}
	c.put("DATA")
	r, err := c.reply(c.times.DataInit)
	switch {
	case err != nil:
		return c.broken()
	case r.ok(): // out of step: nothing was sent, so nothing was taken
		c.fail(fmt.Errorf("%w to DATA: %d", errReply, r.code))
		return c.broken()
	case r.code != 354:
		return r.result()
	}
	src := source{r: m.Body, size: m.Size, dots: true}
	for !src.end {
		if r := c.piece(&src, nil); r != nil {
			return *r
		}
	}
	if _, err := io.WriteString(c.w, ".\r\n"); err != nil {
		return c.late(err)
	}
	return c.final()
}

// inChunks is RFC 3030 §2: no dots, and no wait before the first byte.
func (c *Conn) inChunks(m *Message) Result {
	src := source{r: m.Body, size: m.Size}
	for {
		if r := c.piece(&src, func(n int, last bool) string {
			if last {
				return "BDAT " + strconv.Itoa(n) + " LAST\r\n"
			}
			return "BDAT " + strconv.Itoa(n) + "\r\n"
		}); r != nil {
			return *r
		}
		if src.end {
			return c.final()
		}
		r, err := c.reply(c.times.Final)
		switch {
		case err != nil:
			return c.broken()
		case r.code/100 == 3:
			c.fail(fmt.Errorf("%w to BDAT: %d", errReply, r.code))
			return c.broken()
		case !r.ok():
			return r.result()
		}
	}
}

// piece writes the next part of the message behind its announcement.
func (c *Conn) piece(src *source, announce func(n int, last bool) string) *Result {
	p := pool.Get().(*buffers)
	defer pool.Put(p)
	b, err := src.next(p)
	if err != nil { // ours to mend; the host must not take half for the whole
		c.fail(fmt.Errorf("reading the message: %w", err))
		r := c.broken()
		return &r
	}
	_ = c.nc.SetDeadline(time.Now().Add(c.times.Block))
	if announce != nil {
		_, err = io.WriteString(c.w, announce(len(b), src.end))
	}
	if err == nil {
		_, err = c.w.Write(b)
	}
	if err == nil && !src.end {
		err = c.w.Flush()
	}
	if err != nil {
		r := c.late(err)
		return &r
	}
	return nil
}

// late is the result of a message that could not be written to its end: what
// the host said of it, if it did.
func (c *Conn) late(cause error) Result {
	_ = c.nc.SetDeadline(time.Now().Add(min(c.times.Reply, 5*time.Second)))
	r, err := read(c.r)
	c.fail(cause)
	if err == nil && r.code >= 400 {
		return r.result()
	}
	return c.broken()
}

// final sends the end of the message and reads what became of it.
func (c *Conn) final() Result {
	_ = c.nc.SetDeadline(time.Now().Add(c.times.Block))
	if err := c.w.Flush(); err != nil {
		return c.late(err)
	}
	r, err := c.reply(c.times.Final)
	if err == nil && r.code/100 == 3 {
		err = c.fail(fmt.Errorf("%w to a message: %d", errReply, r.code))
	}
	if err != nil {
		b := c.broken()
		b.Status = Unknown
		return b
	}
	if c.dirty = false; !r.ok() && c.err == nil {
		// It may have said so in the middle, and take the rest for commands.
		c.fail(errors.New("the message was refused"))
	}
	return r.result()
}

// A source gives out a message with CR LF line ends, and with dots stuffed.
type source struct {
	r         io.ReaderAt
	off, size int64
	dots, end bool
	cr, mid   bool // the last byte was a CR; a line has begun
}

// next returns the next piece, in p.
func (s *source) next(p *buffers) ([]byte, error) {
	p.raw = slices.Grow(p.raw[:0], int(min(chunk, s.size-s.off)))
	raw := p.raw[:min(chunk, s.size-s.off)]
	n, err := s.r.ReadAt(raw, s.off)
	if n < len(raw) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	s.off += int64(n)
	p.out = s.canonical(slices.Grow(p.out[:0], n+n/8), raw)
	if s.end = s.off == s.size; s.end && (s.mid || s.cr) {
		p.out = append(p.out, "\r\n"...)
	}
	return p.out, nil
}

// canonical appends p with CR LF line ends. Runs that need no change are copied
// whole.
func (s *source) canonical(dst, p []byte) []byte {
	for len(p) > 0 {
		if s.cr { // a CR that has not been written
			s.cr, s.mid = false, false
			dst = append(dst, "\r\n"...)
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		if s.dots && !s.mid && p[0] == '.' {
			dst = append(dst, '.')
		}
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			s.mid = true
			return append(dst, p...)
		}
		dst = append(dst, p[:i]...)
		if p[i] == '\r' {
			s.cr = true
		} else {
			dst = append(dst, "\r\n"...)
		}
		s.mid = false
		p = p[i+1:]
	}
	return dst
}
