package davxml

import (
	"unicode/utf8"
)

// A Writer builds XML in memory. The zero value serves; Reset makes it empty
// again and keeps its buffer. Element names are the caller's to balance.
type Writer struct {
	buf      []byte
	declared uint    // a bit for each namespace in known that is declared around
	around   *string // within node: the default namespace
}

// Header is what a document begins with.
const Header = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// Bytes returns what was written; it is valid until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Len returns the bytes written so far.
func (w *Writer) Len() int { return len(w.buf) }

// Reset empties the Writer; what the root declared stays declared.
func (w *Writer) Reset() { w.buf = w.buf[:0] }

// Truncate takes back what was written after the first n bytes.
func (w *Writer) Truncate(n int) { w.buf = w.buf[:n] }

// Root opens a document: header, root element, and the declarations of its own
// namespace and of those given, as far as they have a fixed prefix. Elements of
// namespaces not declared here declare them where they stand.
func (w *Writer) Root(n Name, spaces ...string) {
	w.buf = append(w.buf, Header...)
	w.buf = append(w.buf, '<')
	w.declared = 0
	w.name(n)
	for _, s := range append([]string{n.Space}, spaces...) {
		if i := knownIndex(s); i >= 0 && w.declared&(1<<i) == 0 {
			w.declared |= 1 << i
			w.declare(i)
		}
	}
	w.buf = append(w.buf, '>')
}

// Declare notes namespaces as declared by XML around what is written.
func (w *Writer) Declare(spaces ...string) {
	for _, s := range spaces {
		if i := knownIndex(s); i >= 0 {
			w.declared |= 1 << i
		}
	}
}

func (w *Writer) declare(i int) {
	w.buf = append(w.buf, " xmlns:"...)
	w.buf = append(w.buf, known[i].prefix...)
	w.buf = append(w.buf, `="`...)
	w.buf = append(w.buf, known[i].space...)
	w.buf = append(w.buf, '"')
}

// name writes the qualified name and returns its place in known.
func (w *Writer) name(n Name) int {
	i := knownIndex(n.Space)
	if i >= 0 {
		w.buf = append(w.buf, known[i].prefix...)
		w.buf = append(w.buf, ':')
	}
	w.buf = append(w.buf, n.Local...)
	return i
}

// start writes a tag up to its end, with the declaration it needs.
func (w *Writer) start(n Name) {
	w.buf = append(w.buf, '<')
	i := w.name(n)
	switch {
	case i < 0:
		w.buf = append(w.buf, ` xmlns="`...)
		w.attr(n.Space)
		w.buf = append(w.buf, '"')
	case w.declared&(1<<i) == 0:
		w.declare(i)
	}
}

// Open writes a start tag; attrs are names and values in turn.
func (w *Writer) Open(n Name, attrs ...string) {
	w.start(n)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.buf = append(w.buf, ' ')
		w.buf = append(w.buf, attrs[i]...)
		w.buf = append(w.buf, `="`...)
		w.attr(attrs[i+1])
		w.buf = append(w.buf, '"')
	}
	w.buf = append(w.buf, '>')
}

// Close writes an end tag.
func (w *Writer) Close(n Name) {
	w.buf = append(w.buf, "</"...)
	w.name(n)
	w.buf = append(w.buf, '>')
}

// Empty writes an element without content.
func (w *Writer) Empty(n Name, attrs ...string) {
	w.Open(n, attrs...)
	w.buf = append(w.buf[:len(w.buf)-1], "/>"...)
}

// Leaf writes an element that holds text.
func (w *Writer) Leaf(n Name, text string) {
	w.Open(n)
	w.Text(text)
	w.Close(n)
}

// Href writes a DAV:href element; the reference is URL-encoded already.
func (w *Writer) Href(ref string) {
	w.Leaf(Name{NS, "href"}, ref)
}

// Raw writes XML as it is.
func (w *Writer) Raw(xml string) { w.buf = append(w.buf, xml...) }

// RawBytes writes XML as it is.
func (w *Writer) RawBytes(xml []byte) { w.buf = append(w.buf, xml...) }

// Text writes character data.
func (w *Writer) Text(s string) { w.buf = appendEscaped(w.buf, s, false) }

// TextBytes writes character data.
func (w *Writer) TextBytes(b []byte) { w.buf = appendEscaped(w.buf, b, false) }

func (w *Writer) attr(s string) { w.buf = appendEscaped(w.buf, s, true) }

// plain are the bytes that need no look: printable ASCII but <, >, & and ", and
// in text tab and line feed.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = true
	}
	t['<'], t['>'], t['&'], t['"'] = false, false, false, false
	return t
}()

// appendEscaped escapes markup, keeps carriage returns from being normalized
// away (XML 1.0 §2.11) and replaces what is no character (§2.2).
func appendEscaped[T string | []byte](dst []byte, s T, attr bool) []byte {
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		esc, size := "", 1
		switch {
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '&':
			esc = "&amp;"
		case c == '"' && attr:
			esc = "&quot;"
		case c == '"', c == 0x7f, (c == '\t' || c == '\n') && !attr:
			i++
			continue
		case c == '\t':
			esc = "&#9;"
		case c == '\n':
			esc = "&#10;"
		case c == '\r':
			esc = "&#13;"
		case c < utf8.RuneSelf:
			esc = "\uFFFD"
		default:
			r, n := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			if (r != utf8.RuneError || n > 1) && r != 0xFFFE && r != 0xFFFF {
				i += n
				continue
			}
			esc, size = "\uFFFD", n
		}
		dst = append(append(dst, s[last:i]...), esc...)
		i += size
		last = i
	}
	return append(dst, s[last:]...)
}

// Element writes an element with everything in it.
func (w *Writer) Element(e *Element) { w.node(Node{Element: e}) }

// node writes an element whose namespace is declared where it was not yet.
func (w *Writer) node(n Node) {
	if n.Element == nil {
		w.Text(n.Chars)
		return
	}
	before, around := w.declared, w.around
	if i := knownIndex(n.Name.Space); i >= 0 {
		w.start(n.Name)
		w.declared |= 1 << i
	} else if around != nil && *around == n.Name.Space {
		w.Raw("<" + n.Name.Local)
	} else {
		w.start(n.Name)
		w.around = &n.Name.Space
	}
	for i, a := range n.Attrs {
		w.attribute(i, a)
	}
	if len(n.Nodes) == 0 {
		w.Raw("/>")
	} else {
		w.Raw(">")
		for _, c := range n.Nodes {
			w.node(c)
		}
		w.Close(n.Name)
	}
	w.declared, w.around = before, around
}

// attribute writes an attribute with a prefix of its own where it has a
// namespace.
func (w *Writer) attribute(i int, a Attr) {
	w.Raw(" ")
	switch a.Name.Space {
	case "":
	case NSXML:
		w.Raw("xml:")
	default:
		prefix := "a" + string(rune('a'+i%26)) + string(rune('a'+i/26%26))
		w.Raw("xmlns:" + prefix + `="`)
		w.attr(a.Name.Space)
		w.Raw(`" ` + prefix + ":")
	}
	w.Raw(a.Name.Local)
	w.Raw(`="`)
	w.attr(a.Value)
	w.Raw(`"`)
}
