package imapwire

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// literalHeader reads n} or n+} and the line's end behind it.
func (d *Decoder) literalHeader() (n int64, wait bool) {
	digits := d.optional(isDigit)
	wait = !d.skip('+')
	if n, _ = strconv.ParseInt(digits, 10, 64); digits == "" || len(digits) > 15 || !d.skip('}') {
		d.bad("a literal's length is malformed")
	}
	d.skip('\r')
	if !d.skip('\n') {
		d.bad("a literal does not begin on a new line")
	}
	if d.err == nil && !wait {
		d.literal = n
	}
	return n, wait
}

// accept asks for the literal; the rest of the line follows it.
func (d *Decoder) accept(n int64, wait bool) {
	if d.err != nil {
		return
	}
	d.stopped, d.literal = false, 0
	if wait {
		d.fail(d.Continue())
	}
}

func (d *Decoder) readLiteral() string {
	n, wait := d.literalHeader()
	if n > int64(d.left) {
		d.fail(ErrTooLong)
	}
	d.accept(n, wait)
	if d.err != nil {
		return ""
	}
	d.left -= int(n)
	b := make([]byte, n)
	if _, err := io.ReadFull(d.br, b); err != nil {
		d.fail(ioError(err))
		return ""
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 { // RFC 9051 §4.3: CHAR8 is no NUL
		d.bad("a literal is not UTF-8, or has NUL in it")
	}
	return string(b)
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
