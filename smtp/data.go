package smtp

import (
	"bytes"
	"io"
)

// data takes a message up to the line with a single dot (RFC 5321 §4.1.1.4).
func (x *session) data(arg string) error {
	x.commands-- // it brings a message forward
	switch {
	case arg != "":
		return &Error{501, "5.5.4", "DATA has no arguments"}
	case x.env == nil:
		return &Error{503, "5.5.1", "Say MAIL first"}
	case len(x.env.To) == 0: // a pipelining client whose recipients were all refused (RFC 2920 §3.1)
		return &Error{554, "5.5.1", "No valid recipients"}
	}
	x.say(354, "", "Send the message, then a line with a dot")
	x.take(&dotted{line: true})
	return nil
}

// A dotted is the source of DATA. It ends at CR LF dot CR LF and at nothing
// else; the dot that hides a dot is taken away (RFC 5321 §4.5.2).
type dotted struct {
	line bool // at the beginning of a line
	cr   bool // behind a CR that has been given out
	done bool
}

func (d *dotted) unit() (left int64, last bool) {
	if d.done {
		return 0, true
	}
	return 3, true
}

func (d *dotted) piece(m *incoming) ([]byte, error) {
	c := m.x.conn
	for {
		b := c.unread()
		if len(b) == 0 || d.line && b[0] == '.' && (len(b) == 1 || len(b) == 2 && b[1] == '\r') {
			if err := m.fill(); err != nil {
				return nil, err
			}
			continue
		}
		if d.line && b[0] == '.' {
			if b[1] == '\r' && b[2] == '\n' {
				c.use(3)
				d.done = true
				return nil, io.EOF
			}
			c.use(1)
			d.line = false
			continue
		}
		n := d.run(b)
		c.use(n)
		return b[:n], nil
	}
}

var lineDot = []byte("\r\n.")

// run returns how many of the bytes are the message's as they are: up to the
// next line that begins with a dot.
func (d *dotted) run(b []byte) int {
	n := len(b)
	if d.cr && b[0] == '\n' {
		if n > 1 && b[1] == '.' {
			d.line, d.cr = true, false
			return 1
		}
	}
	if i := bytes.Index(b, lineDot); i >= 0 {
		d.line, d.cr = true, false
		return i + 2
	}
	d.line = bytes.HasSuffix(b, lineDot[:2]) || n == 1 && d.cr && b[0] == '\n'
	d.cr = b[n-1] == '\r'
	return n
}
