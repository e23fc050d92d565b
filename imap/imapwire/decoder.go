package imapwire

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// A Decoder reads commands. Not safe for concurrent use.
//
// Its first mistake stays until Begin: what is read after it is empty and takes
// nothing from the reader, so that a command is read from end to end as its
// grammar is written, and the error is looked at once.
type Decoder struct {
	// Continue asks the client for the literal it has announced.
	Continue func() error

	br      *bufio.Reader
	err     error
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
	d.err, d.left, d.stopped, d.literal, d.depth = nil, MaxLine, false, 0, 0
	d.keys, d.texts, d.mayDrop = 0, 0, maxDrop
	if stranger {
		d.left, d.mayDrop = MaxLineStranger, maxSkip
	}
}

// ErrTooLong is a command that is longer than it may be. When Skip returns it,
// there is no telling where the next command begins.
var ErrTooLong = &Error{status: "BAD", Code: "TOOBIG", Text: "command too long"}

// fail keeps the first mistake.
func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *Decoder) bad(format string, args ...any) { d.fail(bad(format, args...)) }

// limit refuses what is well formed and too much.
func (d *Decoder) limit(text string) { d.fail(&Error{status: "NO", Code: "LIMIT", Text: text}) }

// peek returns the next byte and leaves it there; 0 after a mistake. No
// grammar has a NUL in it.
func (d *Decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	b, err := d.br.Peek(1)
	if err != nil {
		d.fail(ioError(err))
		return 0
	}
	return b[0]
}

// next takes a byte; 0 after a mistake.
func (d *Decoder) next() byte {
	if d.left <= 0 {
		d.fail(ErrTooLong)
	}
	if d.err != nil {
		return 0
	}
	c, err := d.br.ReadByte()
	if err != nil {
		d.fail(ioError(err))
		return 0
	}
	d.left--
	if c == '\n' {
		d.stopped = true
	}
	return c
}

func ioError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skip takes c if it is next.
func (d *Decoder) skip(c byte) bool {
	if d.peek() != c || d.err != nil {
		return false
	}
	d.next()
	return d.err == nil
}

func (d *Decoder) sp() {
	if !d.skip(' ') {
		d.bad("a space is missing")
	}
}

// SP reads one space.
func (d *Decoder) SP() error {
	d.sp()
	return d.err
}

// CRLF reads the end of the command. A space before it is forgiven. It returns
// the mistake of the whole command.
func (d *Decoder) CRLF() error {
	for d.err == nil {
		switch d.next() {
		case '\n':
			return d.err
		case '\r', ' ':
		default:
			d.bad("too many arguments")
		}
	}
	return d.err
}

func isAtom(c byte) bool {
	return c > ' ' && c < 127 && strings.IndexByte(`(){%*"\]`, c) < 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// optional reads the bytes for which ok holds, which it never does for 0.
func (d *Decoder) optional(ok func(byte) bool) string {
	var b []byte
	for ok(d.peek()) {
		b = append(b, d.next())
	}
	return string(b)
}

// run is optional that reads one byte at least.
func (d *Decoder) run(what string, ok func(byte) bool) string {
	s := d.optional(ok)
	if s == "" {
		d.bad("%s is missing", what)
	}
	return s
}

// Tag reads a tag and the space behind it.
func (d *Decoder) Tag() (string, error) {
	t := d.run("the tag", func(c byte) bool { return (isAtom(c) || c == ']') && c != '+' })
	return t, d.SP()
}

// CommandName reads the name of a command.
func (d *Decoder) CommandName() (string, error) {
	name := d.run("the command", func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	})
	return name, d.err
}

// atom reads an atom in upper case, a flag's backslash included.
func (d *Decoder) atom(what string) string {
	return strings.ToUpper(d.run(what, func(c byte) bool { return isAtom(c) || c == '\\' }))
}

// astring reads an atom or string; "]" may be in it.
func (d *Decoder) astring() string {
	if d.atString() {
		return d.str()
	}
	return d.run("an argument", func(c byte) bool { return isAtom(c) || c == ']' })
}

func (d *Decoder) atString() bool {
	c := d.peek()
	return c == '"' || c == '{'
}

// str reads a quoted string or literal.
func (d *Decoder) str() string {
	switch d.next() {
	case '"':
		return d.quoted()
	case '{':
		return d.readLiteral()
	}
	d.bad("a string is missing")
	return ""
}

func (d *Decoder) quoted() string {
	var b []byte
	for d.err == nil {
		c := d.next()
		switch c {
		case '"':
			if !utf8.Valid(b) {
				d.bad("a string is not UTF-8")
			}
			return string(b)
		case '\\':
			if c = d.next(); c != '"' && c != '\\' {
				d.bad("a backslash quotes nothing")
			}
		case '\r', '\n', 0:
			d.bad("a quoted string does not end")
		}
		b = append(b, c)
	}
	return ""
}

// number reads a number of 63 bits.
func (d *Decoder) number() uint64 {
	n := uint64(0)
	for _, c := range d.run("a number", isDigit) {
		if n > (1<<63-1)/10 {
			d.bad("a number is too large")
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// list reads "(" elements ")", calling element for each.
func (d *Decoder) list(element func()) {
	if !d.skip('(') {
		d.bad("a list is missing")
	}
	d.deeper(func() {
		for d.err == nil && !d.skip(')') {
			element()
			if !d.skip(' ') && d.peek() != ')' {
				d.bad("a list is malformed")
			}
		}
	})
}

// deeper reads what may hold itself again.
func (d *Decoder) deeper(inner func()) {
	if d.depth++; d.depth > MaxDepth {
		d.bad("nested too deep")
	}
	inner()
	d.depth--
}

// keyword reads the one name that can stand here.
func (d *Decoder) keyword(what, name string) {
	if got := d.atom(what); got != name {
		d.bad("unknown %s %s", strings.TrimPrefix(what, "a "), got)
	}
}

// words reads a list of names, each of which sets what it stands for.
func (d *Decoder) words(what string, of map[string]*bool) {
	d.list(func() { d.word(what, of) })
}

func (d *Decoder) word(what string, of map[string]*bool) {
	name := d.atom(what)
	if of[name] == nil {
		d.bad("unknown %s %s", strings.TrimPrefix(what, "a "), name)
		return
	}
	*of[name] = true
}

// set reads a sequence set.
func (d *Decoder) set() (s Set) {
	if d.skip('$') {
		return Set{Saved: true}
	}
	for more := true; more; more = d.skip(',') {
		from := d.setNumber()
		to := from
		if d.skip(':') {
			to = d.setNumber()
		}
		s.Spans = append(s.Spans, Span{from, to})
	}
	return s
}

func (d *Decoder) setNumber() uint32 {
	if d.skip('*') {
		return 0
	}
	n := d.number()
	if n == 0 || n > 1<<32-1 {
		d.bad("%d is no message number", n)
	}
	return uint32(n)
}
