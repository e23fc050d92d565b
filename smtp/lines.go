package smtp

import (
	"bytes"
	"errors"
	"io"
)

var errTooLarge = errors.New("smtp: message too large")

// errBare refuses what another server could take for a line end: it is how one
// message is smuggled inside another (CVE-2023-51764 and its kin).
var errBare = &Error{550, "5.6.11", "A message has lines that end in CR LF, and no other CR or LF"}

// lines passes a message on and fails at the first bare CR or LF, and beyond the
// limit. The error stays in err.
type lines struct {
	r     io.Reader
	n     int64
	limit int64
	cr    bool // the last byte was a CR
	err   error
}

func (l *lines) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	switch {
	case l.n > l.limit:
		l.err = errTooLarge
	case l.bare(p[:n]), l.cr && errors.Is(err, io.EOF):
		l.err = errBare
	}
	if l.err != nil {
		return 0, l.err
	}
	return n, err
}

// bare reports a CR or LF that is not part of a pair, looking only at those.
func (l *lines) bare(p []byte) bool {
	if l.cr && len(p) > 0 {
		if p[0] != '\n' {
			return true
		}
		p, l.cr = p[1:], false
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\r')
		line := p
		if i >= 0 {
			line = p[:i]
		}
		if bytes.IndexByte(line, '\n') >= 0 {
			return true
		}
		if i < 0 {
			return false
		}
		if i+1 == len(p) {
			l.cr = true
			return false
		}
		if p[i+1] != '\n' {
			return true
		}
		p = p[i+2:]
	}
	return false
}
