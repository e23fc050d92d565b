package imapwire

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// literalHeader reads n} or n+} and the line's end behind it.
func (d *Decoder) literalHeader() (n int64, wait bool, err error) {
	wait = true
	digits := 0
	for {
		c, err := d.next()
		if err != nil {
			return 0, false, err
		}
		switch {
		case c >= '0' && c <= '9' && digits < 15 && wait:
			n = n*10 + int64(c-'0')
			digits++
		case c == '+' && digits > 0 && wait:
			wait = false
		case c == '}' && digits > 0:
			return n, wait, d.literalEnd(n, wait)
		default:
			return 0, false, bad("a literal's length is malformed")
		}
	}
}

func (d *Decoder) literalEnd(n int64, wait bool) error {
	c, err := d.next()
	if err == nil && c == '\r' {
		c, err = d.next()
	}
	if err != nil {
		return err
	}
	if c != '\n' {
		return bad("a literal does not begin on a new line")
	}
	if !wait {
		d.literal = n
	}
	return nil
}

// accept asks for the literal; the rest of the line follows it.
func (d *Decoder) accept(n int64, wait bool) error {
	d.stopped = false
	d.literal = 0
	if wait {
		return d.Continue()
	}
	return nil
}

func (d *Decoder) readLiteral() (string, error) {
	n, wait, err := d.literalHeader()
	if err != nil {
		return "", err
	}
	if n > int64(d.left) {
		return "", ErrTooLong
	}
	if err := d.accept(n, wait); err != nil {
		return "", err
	}
	d.left -= int(n)
	b := make([]byte, n)
	if _, err := io.ReadFull(d.br, b); err != nil {
		return "", ioError(err)
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 { // RFC 9051 §4.3: CHAR8 is no NUL
		return "", bad("a literal is not UTF-8, or has NUL in it")
	}
	return string(b), nil
}

// Skip reads to the end of the command after a mistake.
func (d *Decoder) Skip() error {
	var tail []byte // the end of the line, where a literal may be announced
	for total := 0; !d.stopped || d.literal > 0; {
		if d.literal > 0 {
			if d.literal > d.mayDrop {
				return ErrTooLong
			}
			n, err := io.CopyN(io.Discard, d.br, d.literal)
			if d.literal -= n; err != nil {
				return ioError(err)
			}
			d.stopped = false
			continue
		}
		c, err := d.br.ReadByte()
		if err != nil {
			return ioError(err)
		}
		if total++; total > maxSkip {
			return ErrTooLong
		}
		if c != '\n' {
			if tail = append(tail, c); len(tail) > 64 {
				tail = tail[32:]
			}
			continue
		}
		d.stopped = true
		d.literal = announced(tail)
		tail = tail[:0]
	}
	return nil
}

// announced is the length of the non-synchronising literal at a line's end.
func announced(tail []byte) int64 {
	s := strings.TrimRight(string(tail), "\r")
	open := strings.LastIndexByte(s, '{')
	if open < 0 || !strings.HasSuffix(s, "+}") {
		return 0
	}
	n := int64(0)
	for _, c := range s[open+1 : len(s)-2] {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
