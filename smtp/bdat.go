package smtp

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// bdat takes a message in chunks whose length is said before (RFC 3030 §2). The
// further chunks are read by the message's source, in the middle of take.
func (x *session) bdat(arg string) error {
	x.commands-- // it brings a message forward
	n, last, err := parseBDAT(arg)
	if err != nil {
		x.quit, x.cut = true, true // how much follows that is not a command?
		return err
	}
	c := &chunks{left: n, last: last}
	switch {
	case x.env == nil: // of a message that was refused, or never begun
		return x.skipChunk(c, &Error{503, "5.5.1", "Say MAIL first"})
	case len(x.env.To) == 0:
		return x.skipChunk(c, &Error{554, "5.5.1", "No valid recipients"})
	}
	x.take(c)
	return nil
}

func parseBDAT(arg string) (n int64, last bool, err error) {
	size, word, _ := strings.Cut(arg, " ")
	u, err := strconv.ParseUint(size, 10, 63)
	if err != nil || word != "" && !strings.EqualFold(word, "LAST") {
		return 0, false, &Error{501, "5.5.4", "Write BDAT and a number of bytes, and LAST"}
	}
	return int64(u), word != "", nil
}

// skipChunk reads a chunk that belongs to nothing.
func (x *session) skipChunk(c *chunks, why error) error {
	m := &incoming{x: x, source: c, by: time.Now().Add(x.srv.Limits.Transfer)}
	if !m.skip() {
		x.quit, x.cut = true, true
	}
	return why
}

// A chunks is the source of BDAT.
type chunks struct {
	left int64
	last bool
}

func (c *chunks) unit() (left int64, last bool) { return c.left, c.last }

func (c *chunks) piece(m *incoming) ([]byte, error) {
	for c.left == 0 {
		if c.last {
			return nil, io.EOF
		}
		m.x.say(250, "2.0.0", "Got it, go on")
		if err := c.another(m.x); err != nil {
			return nil, err
		}
	}
	b := m.x.conn.unread()
	if len(b) == 0 {
		if err := m.fill(); err != nil {
			return nil, err
		}
		b = m.x.conn.unread()
	}
	b = b[:min(int64(len(b)), c.left)]
	m.x.conn.use(len(b))
	c.left -= int64(len(b))
	return b, nil
}

// another reads commands up to the next chunk, or to one that gives the message
// up; that one is done afterwards.
func (c *chunks) another(x *session) (err error) {
	for {
		line := x.command()
		if x.quit {
			if x.lost == nil {
				x.lost = io.ErrUnexpectedEOF
			}
			return errAborted
		}
		if line == nil {
			continue // refused
		}
		if x.commands++; x.commands > x.srv.Limits.Commands {
			x.goodbye("4.7.0", "Too many commands without a message")
			return errAborted
		}
		switch verb, arg := split(line); verb {
		case "BDAT":
			if c.left, c.last, err = parseBDAT(arg); err != nil {
				x.pending = append(x.pending, line...)
				return errAborted
			}
			if c.left > 0 || c.last {
				x.commands--
			}
			return nil
		case "NOOP":
			_ = x.noop(arg)
		case "RSET", "QUIT", "EHLO", "HELO", "LHLO":
			x.pending = append(x.pending, line...)
			return errAborted
		default:
			x.refuse(&Error{503, "5.5.1", "A message is under way: BDAT or RSET"})
		}
	}
}
