package imapwire

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// A Decoder reads commands. Not safe for concurrent use.
type Decoder struct {
	// Continue asks the client for the literal it has announced.
	Continue func() error

	br      *bufio.Reader
	left    int
	stopped bool  // the line's end has been read
	literal int64 // bytes announced without waiting, not read yet
	depth   int
	keys    int // of SEARCH, and the texts among them
	texts   int
	mayDrop int64 // bytes of a literal that is not wanted
}

// NewDecoder reads from br.
func NewDecoder(br *bufio.Reader) *Decoder {
	return &Decoder{br: br, Continue: func() error { return nil }}
}

// Begin starts a command.
func (d *Decoder) Begin(stranger bool) {
	d.left, d.stopped, d.literal, d.depth = MaxLine, false, 0, 0
	d.keys, d.texts, d.mayDrop = 0, 0, maxDrop
	if stranger {
		d.left, d.mayDrop = MaxLineStranger, maxSkip
	}
}

// ErrTooLong is a command that is longer than it may be. When Skip returns it,
// there is no telling where the next command begins.
var ErrTooLong = &Error{status: "BAD", Code: "TOOBIG", Text: "command too long"}

func (d *Decoder) peek() (byte, error) {
	b, err := d.br.Peek(1)
	if err != nil {
		return 0, ioError(err)
	}
	return b[0], nil
}

func (d *Decoder) next() (byte, error) {
	if d.left <= 0 {
		return 0, ErrTooLong
	}
	c, err := d.br.ReadByte()
	if err != nil {
		return 0, ioError(err)
	}
	d.left--
	if c == '\n' {
		d.stopped = true
	}
	return c, nil
}

func ioError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// SP reads one space.
func (d *Decoder) SP() error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c != ' ' {
		return bad("a space is missing")
	}
	_, err = d.next()
	return err
}

// skipByte reads c if it is next.
func (d *Decoder) skipByte(c byte) (bool, error) {
	p, err := d.peek()
	if err != nil || p != c {
		return false, err
	}
	_, err = d.next()
	return err == nil, err
}

// CRLF reads the end of the command. A space before it is forgiven.
func (d *Decoder) CRLF() error {
	for {
		c, err := d.next()
		if err != nil {
			return err
		}
		switch c {
		case '\n':
			return nil
		case '\r', ' ':
		default:
			return bad("too many arguments")
		}
	}
}

func isAtom(c byte) bool {
	return c > ' ' && c < 127 && strings.IndexByte(`(){%*"\]`, c) < 0
}

// run reads the bytes for which ok holds, at least one.
func (d *Decoder) run(what string, ok func(byte) bool) (string, error) {
	var b []byte
	for {
		c, err := d.peek()
		if err != nil {
			return "", err
		}
		if !ok(c) {
			if len(b) == 0 {
				return "", bad("%s is missing", what)
			}
			return string(b), nil
		}
		if _, err := d.next(); err != nil {
			return "", err
		}
		b = append(b, c)
	}
}

// Tag reads a tag and the space behind it.
func (d *Decoder) Tag() (string, error) {
	t, err := d.run("the tag", func(c byte) bool { return (isAtom(c) || c == ']') && c != '+' })
	if err != nil {
		return "", err
	}
	return t, d.SP()
}

// CommandName reads the name of a command.
func (d *Decoder) CommandName() (string, error) {
	return d.run("the command", func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	})
}

// atom reads an atom in upper case, a flag's backslash included.
func (d *Decoder) atom(what string) (string, error) {
	s, err := d.run(what, func(c byte) bool { return isAtom(c) || c == '\\' })
	return strings.ToUpper(s), err
}

// AString reads an atom or string; "]" may be in it.
func (d *Decoder) AString() (string, error) {
	c, err := d.peek()
	if err != nil {
		return "", err
	}
	if c == '"' || c == '{' {
		return d.String()
	}
	return d.run("an argument", func(c byte) bool { return isAtom(c) || c == ']' })
}

// String reads a quoted string or literal.
func (d *Decoder) String() (string, error) {
	c, err := d.next()
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		return d.quoted()
	case '{':
		return d.readLiteral()
	}
	return "", bad("a string is missing")
}

func (d *Decoder) quoted() (string, error) {
	var b []byte
	for {
		c, err := d.next()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			if !utf8.Valid(b) {
				return "", bad("a string is not UTF-8")
			}
			return string(b), nil
		case '\\':
			if c, err = d.next(); err != nil {
				return "", err
			}
			if c != '"' && c != '\\' {
				return "", bad("a backslash quotes nothing")
			}
		case '\r', '\n', 0:
			return "", bad("a quoted string does not end")
		}
		b = append(b, c)
	}
}

// Number reads a number.
func (d *Decoder) Number() (uint64, error) {
	s, err := d.run("a number", func(c byte) bool { return c >= '0' && c <= '9' })
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for i := range len(s) {
		if n > (1<<63-1)/10 {
			return 0, bad("a number is too large")
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, nil
}

// list reads "(" elements ")", calling element for each.
func (d *Decoder) list(element func() error) error {
	if ok, err := d.skipByte('('); err != nil || !ok {
		return orBad(err, "a list is missing")
	}
	if d.depth++; d.depth > MaxDepth {
		return bad("nested too deep")
	}
	defer func() { d.depth-- }()
	for {
		if ok, err := d.skipByte(')'); err != nil || ok {
			return err
		}
		if err := element(); err != nil {
			return err
		}
		if ok, err := d.skipByte(' '); err != nil {
			return err
		} else if !ok {
			if c, err := d.peek(); err != nil || c != ')' {
				return orBad(err, "a list is malformed")
			}
		}
	}
}

func orBad(err error, text string) error {
	if err != nil {
		return err
	}
	return bad("%s", text)
}

// Set reads a sequence set.
func (d *Decoder) Set() (s Set, err error) {
	if ok, err := d.skipByte('$'); err != nil || ok {
		return Set{Saved: true}, err
	}
	for {
		from, err := d.setNumber()
		if err != nil {
			return s, err
		}
		to := from
		if ok, err := d.skipByte(':'); err != nil {
			return s, err
		} else if ok {
			if to, err = d.setNumber(); err != nil {
				return s, err
			}
		}
		s.Spans = append(s.Spans, Span{from, to})
		if ok, err := d.skipByte(','); err != nil || !ok {
			return s, err
		}
	}
}

func (d *Decoder) setNumber() (uint32, error) {
	if ok, err := d.skipByte('*'); err != nil || ok {
		return 0, err
	}
	n, err := d.Number()
	if err == nil && (n == 0 || n > 1<<32-1) {
		err = bad("%d is no message number", n)
	}
	return uint32(n), err
}
