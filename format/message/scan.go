package message

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// A Part is one entity of a message. Offsets are in bytes from the message's
// start; a part's own header is [HeaderStart, BodyStart), its body [BodyStart,
// End).
type Part struct {
	HeaderStart, BodyStart, End int64
	Lines                       int64 // line ends in the body

	Type, Subtype         string // in lower case
	Params                []Param
	ID, Description       string
	Encoding              string
	MD5                   string
	Disposition           string
	DispositionParams     []Param
	Language              []string
	Location              string
	Children              []*Part // of a multipart
	Message               *Part   // in a message/rfc822
	Header                []byte  // raw, of a message's top part only
	boundary              []byte
	header                []byte
	inHeader, opaque, got bool
}

// A Param is a parameter as it is written, RFC 2231 marks in the name included.
type Param struct{ Name, Value string }

// Param returns the value of a parameter.
func (p *Part) Param(name string) string { return param(p.Params, name) }

func param(ps []Param, name string) string {
	for _, x := range ps {
		if strings.EqualFold(x.Name, name) {
			return x.Value
		}
	}
	return ""
}

// IsMultipart and IsMessage say how a part is taken further apart.
func (p *Part) IsMultipart() bool { return len(p.Children) > 0 }
func (p *Part) IsMessage() bool   { return p.Message != nil }

var scanReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// Scan reads a message to its end and returns its structure. The error is that
// of the reader; no message is malformed.
func Scan(r io.Reader) (*Part, error) {
	br := scanReaders.Get().(*bufio.Reader)
	br.Reset(r)
	defer func() { br.Reset(nil); scanReaders.Put(br) }()
	s := scanner{}
	s.root = s.open(0, nil)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			s.line(line)
		}
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			s.closeTo(0, s.off, 0)
			return s.root, nil
		default:
			return nil, err
		}
	}
}

// ScanBytes is Scan of bytes in memory.
func ScanBytes(b []byte) *Part {
	p, _ := Scan(bytes.NewReader(b)) // a bytes.Reader does not fail
	return p
}

type scanner struct {
	root    *Part
	stack   []*Part // open entities, outermost first
	off     int64
	parts   int
	headers int  // bytes of all of them
	cont    bool // the last chunk was not the end of its line
	eol     int64
}

// open starts an entity whose header begins at off.
func (s *scanner) open(off int64, parent *Part) *Part {
	p := &Part{HeaderStart: off, inHeader: true, Type: "text", Subtype: "plain"}
	if parent != nil && parent.Type == "multipart" && parent.Subtype == "digest" {
		p.Type, p.Subtype = "message", "rfc822" // RFC 2046 §5.1.5
	}
	s.parts++
	s.stack = append(s.stack, p)
	return p
}

// line takes a line, or a piece of a long one.
func (s *scanner) line(b []byte) {
	start := !s.cont
	if start && len(b) > 2 && b[0] == '-' && b[1] == '-' && s.boundary(b) {
		s.advance(b)
		return
	}
	top := s.stack[len(s.stack)-1]
	if top.inHeader && (len(top.header)+len(b) > MaxHeader || s.headers+len(b) > maxHeaders) {
		s.endHeader(top) // the rest is body
	}
	if b[len(b)-1] == '\n' {
		s.count()
	}
	ends := false
	if top.inHeader {
		top.header = append(top.header, b...)
		s.headers += len(b)
		ends = start && blank(b)
	}
	s.advance(b)
	if ends {
		s.endHeader(top)
	}
}

func (s *scanner) advance(b []byte) {
	s.off += int64(len(b))
	s.cont = b[len(b)-1] != '\n'
	s.eol = 0
	if !s.cont {
		if s.eol = 1; len(b) > 1 && b[len(b)-2] == '\r' {
			s.eol = 2
		}
	}
}

// count adds a line end to every open body.
func (s *scanner) count() {
	for _, p := range s.stack {
		if !p.inHeader {
			p.Lines++
		}
	}
}

// endHeader reads the fields of an entity and opens what is inside it.
func (s *scanner) endHeader(p *Part) {
	p.inHeader = false
	p.BodyStart = s.off
	p.readFields()
	top := len(s.stack) == 1 || s.stack[len(s.stack)-2].Message == p
	if top {
		p.Header = p.header
	}
	p.header = nil
	if len(s.stack) >= MaxDepth || s.parts >= MaxParts {
		p.opaque = true
		return
	}
	switch {
	case p.Type == "multipart":
		p.boundary = []byte(p.Param("boundary"))
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && identity(p.Encoding):
		p.Message = s.open(s.off, nil)
	}
}

func identity(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// boundary handles a line that is a delimiter of an open multipart; the
// innermost one it fits wins.
func (s *scanner) boundary(b []byte) bool {
	line := bytes.TrimRight(b, " \t\r\n")[2:]
	for i := len(s.stack) - 1; i >= 0; i-- {
		m := s.stack[i]
		if len(m.boundary) == 0 || !bytes.HasPrefix(line, m.boundary) {
			continue
		}
		rest := line[len(m.boundary):]
		if len(rest) != 0 && string(rest) != "--" {
			continue
		}
		if m.got || i < len(s.stack)-1 {
			s.closeTo(i+1, s.off-s.eol, s.eol)
		}
		s.count() // the delimiter's own line
		m.got = true
		if len(rest) > 0 { // the close-delimiter: an epilogue follows
			m.boundary = nil
		} else if s.parts < MaxParts {
			m.Children = append(m.Children, s.open(s.off+int64(len(b)), m))
		}
		return true
	}
	return false
}

// closeTo ends the open entities from index i on at offset end. eol is the
// length of the line end that belongs to the delimiter.
func (s *scanner) closeTo(i int, end, eol int64) {
	for k := len(s.stack) - 1; k >= i; k-- {
		p := s.stack[k]
		if p.inHeader {
			if end < p.HeaderStart {
				end = p.HeaderStart
			}
			s.finishHeader(p, end)
		}
		if end < p.BodyStart { // the delimiter's line end is the header's blank line
			end, eol = p.BodyStart, 0
		}
		p.End = end
		if eol > 0 && p.Lines > 0 {
			p.Lines--
		}
		s.downgrade(p)
	}
	s.stack = s.stack[:i]
}

// finishHeader ends an entity that has no blank line.
func (s *scanner) finishHeader(p *Part, end int64) {
	off := s.off
	s.off = end
	depth := len(s.stack)
	s.endHeader(p)
	if len(s.stack) > depth { // an empty embedded message
		m := s.stack[depth]
		m.inHeader, m.BodyStart, m.End = false, end, end
		m.readFields()
		s.stack = s.stack[:depth]
	}
	s.off = off
}

// downgrade makes a multipart without parts plain text, which is what it can
// be shown as.
func (s *scanner) downgrade(p *Part) {
	if p.Type == "multipart" && len(p.Children) == 0 {
		p.Type, p.Subtype, p.Params = "text", "plain", nil
	}
	p.boundary, p.header = nil, nil
}
