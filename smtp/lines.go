package smtp

import "bytes"

// What a message must not hold. What another server could take for a line end
// is how one message is smuggled inside another (CVE-2023-51764 and its kin).
var (
	errBare     = &Error{550, "5.6.11", "A message has lines that end in CR LF, and no other CR or LF"}
	errNUL      = &Error{554, "5.6.0", "A message has no NUL in it"}
	errLineLong = &Error{554, "5.6.0", "A line of the message is too long"}
)

// A lines checks a message piece by piece.
type lines struct {
	limit int  // bytes of a line, CR LF included
	have  int  // bytes of the line so far
	cr    bool // the last byte was a CR
}

// check says what is wrong with the next piece.
func (l *lines) check(p []byte) error {
	if bytes.IndexByte(p, 0) >= 0 {
		return errNUL
	}
	if l.cr && len(p) > 0 {
		if p[0] != '\n' {
			return errBare
		}
		p, l.cr, l.have = p[1:], false, 0
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		line := p
		if i >= 0 {
			line = p[:i]
		}
		cr := bytes.IndexByte(line, '\r')
		if l.have += len(line) + 1; l.have > l.limit {
			return errLineLong
		}
		switch {
		case i < 0:
			l.have--
			if l.cr = cr >= 0; l.cr && cr < len(line)-1 {
				return errBare
			}
			return nil
		case cr < 0 || cr < len(line)-1:
			return errBare
		}
		p, l.have = p[i+1:], 0
	}
	return nil
}

// end says what is wrong with where the message ends.
func (l *lines) end() error {
	if l.cr {
		return errBare
	}
	return nil
}
