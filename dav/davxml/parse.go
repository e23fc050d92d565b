package davxml

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bound what Parse accepts; zero fields take the defaults.
type Limits struct {
	Bytes int64 // of the document; 1 MiB
	Depth int   // of elements in elements; 64
	Nodes int   // elements, attributes and texts together; 65,536
}

const (
	maxBindings = 64 // namespace declarations in force at one place
	maxAttrs    = 64 // of one element
)

var (
	// ErrSyntax is a document that is not well-formed, or uses what is refused.
	ErrSyntax = errors.New("davxml: syntax")
	// ErrLimit is one beyond the limits.
	ErrLimit = errors.New("davxml: too large")
)

// Parse reads one document and returns its root element. Character data is
// kept as it is, white space included; comments are dropped. A document of no
// bytes is io.EOF.
func Parse(r io.Reader, lim Limits) (*Element, error) {
	if lim.Bytes == 0 {
		lim.Bytes = 1 << 20
	}
	if lim.Depth == 0 {
		lim.Depth = 64
	}
	if lim.Nodes == 0 {
		lim.Nodes = 1 << 16
	}
	b, err := io.ReadAll(io.LimitReader(r, lim.Bytes+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > lim.Bytes:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrLimit, lim.Bytes)
	case len(b) == 0:
		return nil, io.EOF
	}
	p := &parser{s: strings.TrimPrefix(string(b), "\uFEFF"), lim: lim}
	if err := p.checkChars(); err != nil {
		return nil, err
	}
	return p.document()
}

// A parser reads s from pos on.
type parser struct {
	s        string
	pos      int
	lim      Limits
	nodes    int
	bindings []binding
	stack    []open
}

// A binding is a namespace declaration in force.
type binding struct{ prefix, space string }

// An open element waits for its end tag.
type open struct {
	e        *Element
	qname    string
	bindings int // in force outside it
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: byte %d: %s", ErrSyntax, p.pos, fmt.Sprintf(format, args...))
}

// checkChars refuses what is no character of XML 1.0 (§2.2), so that the rest
// need not look.
func (p *parser) checkChars() error {
	if !utf8.ValidString(p.s) {
		return p.errorf("not UTF-8")
	}
	for i := range len(p.s) {
		c := p.s[i]
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			p.pos = i
			return p.errorf("control character %#x", c)
		}
		if c == 0xEF && (strings.HasPrefix(p.s[i:], "\uFFFE") || strings.HasPrefix(p.s[i:], "\uFFFF")) {
			p.pos = i
			return p.errorf("no character")
		}
	}
	return nil
}

func (p *parser) document() (*Element, error) {
	if err := p.declaration(); err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	root, err := p.tree()
	if err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos != len(p.s) {
		return nil, p.errorf("something after the root element")
	}
	return root, nil
}

// declaration reads the XML declaration, which may be missing.
func (p *parser) declaration() error {
	if !strings.HasPrefix(p.s, "<?xml") || len(p.s) < 6 || !isSpace(p.s[5]) {
		return nil
	}
	end := strings.Index(p.s, "?>")
	if end < 0 {
		return p.errorf("declaration without end")
	}
	for rest := p.s[5:end]; strings.TrimLeft(rest, " \t\r\n") != ""; {
		name, v, ok := strings.Cut(strings.TrimLeft(rest, " \t\r\n"), "=")
		v = strings.TrimLeft(v, " \t\r\n")
		if !ok || v == "" || v[0] != '"' && v[0] != '\'' {
			return p.errorf("declaration")
		}
		n := strings.IndexByte(v[1:], v[0])
		if n < 0 {
			return p.errorf("declaration")
		}
		value := v[1 : n+1]
		rest = v[n+2:]
		switch strings.TrimRight(name, " \t\r\n") {
		case "version":
			if value != "1.0" && value != "1.1" {
				return p.errorf("version %q", value)
			}
		case "encoding":
			if !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, "us-ascii") {
				return p.errorf("encoding %q", value)
			}
		case "standalone":
		default:
			return p.errorf("declaration of %q", name)
		}
	}
	p.pos = end + 2
	return nil
}

// misc skips white space and comments beside the root element.
func (p *parser) misc() error {
	for {
		p.space()
		if !strings.HasPrefix(p.s[p.pos:], "<!--") {
			return nil
		}
		if err := p.comment(); err != nil {
			return err
		}
	}
}

func (p *parser) space() {
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) comment() error {
	end := strings.Index(p.s[p.pos+4:], "--")
	if end < 0 || !strings.HasPrefix(p.s[p.pos+4+end:], "-->") {
		return p.errorf("comment")
	}
	p.pos += 4 + end + 3
	return nil
}

// tree reads the root element. It keeps its own stack, so that no document can
// exhaust that of the goroutine.
func (p *parser) tree() (*Element, error) {
	if p.pos >= len(p.s) || p.s[p.pos] != '<' {
		return nil, p.errorf("no root element")
	}
	root, err := p.startTag()
	if err != nil {
		return nil, err
	}
	for len(p.stack) > 0 {
		rest := p.s[p.pos:]
		switch {
		case rest == "":
			return nil, p.errorf("end of document in an element")
		case rest[0] != '<':
			err = p.text()
		case strings.HasPrefix(rest, "</"):
			err = p.endTag()
		case strings.HasPrefix(rest, "<!--"):
			err = p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			err = p.cdata()
		case rest[1:] == "" || rest[1] == '!' || rest[1] == '?':
			err = p.errorf("document types and processing instructions are not accepted")
		default:
			_, err = p.startTag()
		}
		if err != nil {
			return nil, err
		}
	}
	return root, nil
}

// count counts a node against the limit.
func (p *parser) count() error {
	if p.nodes++; p.nodes > p.lim.Nodes {
		return fmt.Errorf("%w: more than %d nodes", ErrLimit, p.lim.Nodes)
	}
	return nil
}

// add adds text to the innermost element.
func (p *parser) add(text string) error {
	if text == "" {
		return nil
	}
	e := p.stack[len(p.stack)-1].e
	e.Nodes = append(e.Nodes, Node{Chars: text})
	return p.count()
}

func (p *parser) text() error {
	n := strings.IndexByte(p.s[p.pos:], '<')
	if n < 0 {
		n = len(p.s) - p.pos
	}
	raw := p.s[p.pos : p.pos+n]
	if strings.Contains(raw, "]]>") {
		return p.errorf("]]> in text")
	}
	text, err := p.unescape(raw, false)
	if err != nil {
		return err
	}
	p.pos += n
	return p.add(text)
}

func (p *parser) cdata() error {
	start := p.pos + len("<![CDATA[")
	n := strings.Index(p.s[start:], "]]>")
	if n < 0 {
		return p.errorf("CDATA section without end")
	}
	p.pos = start + n + 3
	return p.add(newlines(p.s[start : start+n]))
}

// newlines normalizes line ends (XML 1.0 §2.11).
func newlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}
