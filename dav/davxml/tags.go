package davxml

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const nsXMLNS = "http://www.w3.org/2000/xmlns/"

// startTag reads a start tag or an empty element, and opens the former.
func (p *parser) startTag() (*Element, error) {
	p.pos++
	qname, err := p.qname()
	if err != nil {
		return nil, err
	}
	if err := p.count(); err != nil {
		return nil, err
	}
	outside := len(p.bindings)
	attrs, empty, err := p.attributes()
	if err != nil {
		return nil, err
	}
	e := &Element{}
	if e.Name, err = p.expand(qname, true); err != nil {
		return nil, err
	}
	for i := range attrs {
		if attrs[i].Name, err = p.expand(attrs[i].Name.Local, false); err != nil {
			return nil, err
		}
		for _, b := range attrs[:i] {
			if b.Name == attrs[i].Name {
				return nil, p.errorf("attribute %s twice", b.Name)
			}
		}
	}
	e.Attrs = attrs
	if n := len(p.stack); n > 0 {
		parent := p.stack[n-1].e
		parent.Nodes = append(parent.Nodes, Node{Element: e})
	}
	if empty {
		p.bindings = p.bindings[:outside]
		return e, nil
	}
	if len(p.stack) >= p.lim.Depth {
		return nil, fmt.Errorf("%w: deeper than %d", ErrLimit, p.lim.Depth)
	}
	p.stack = append(p.stack, open{e, qname, outside})
	return e, nil
}

// attributes reads up to the end of a start tag: declarations are put into
// force, the others returned with their names as they are.
func (p *parser) attributes() (attrs []Attr, empty bool, err error) {
	for {
		before := p.pos
		p.space()
		switch rest := p.s[p.pos:]; {
		case strings.HasPrefix(rest, ">"):
			p.pos++
			return attrs, false, nil
		case strings.HasPrefix(rest, "/>"):
			p.pos += 2
			return attrs, true, nil
		case p.pos == before:
			return nil, false, p.errorf("start tag")
		}
		qname, value, err := p.attribute()
		if err != nil {
			return nil, false, err
		}
		if err := p.count(); err != nil {
			return nil, false, err
		}
		prefix, isDecl := strings.CutPrefix(qname, "xmlns:")
		switch {
		case qname == "xmlns":
			err = p.bind("", value)
		case isDecl:
			err = p.bind(prefix, value)
		case len(attrs) >= maxAttrs:
			err = fmt.Errorf("%w: more than %d attributes", ErrLimit, maxAttrs)
		default:
			attrs = append(attrs, Attr{Name{"", qname}, value})
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func (p *parser) attribute() (qname, value string, err error) {
	if qname, err = p.qname(); err != nil {
		return "", "", err
	}
	p.space()
	if !strings.HasPrefix(p.s[p.pos:], "=") {
		return "", "", p.errorf("attribute without value")
	}
	p.pos++
	p.space()
	if p.pos >= len(p.s) || p.s[p.pos] != '"' && p.s[p.pos] != '\'' {
		return "", "", p.errorf("attribute without quotes")
	}
	n := strings.IndexByte(p.s[p.pos+1:], p.s[p.pos])
	if n < 0 {
		return "", "", p.errorf("attribute without end")
	}
	raw := p.s[p.pos+1 : p.pos+1+n]
	if strings.IndexByte(raw, '<') >= 0 {
		return "", "", p.errorf("< in an attribute")
	}
	value, err = p.unescape(raw, true)
	p.pos += n + 2
	return qname, value, err
}

// bind puts a namespace declaration into force (Namespaces in XML 1.0 §3).
func (p *parser) bind(prefix, space string) error {
	switch {
	case prefix == "xmlns", space == nsXMLNS, (prefix == "xml") != (space == NSXML):
		return p.errorf("reserved namespace")
	case prefix != "" && space == "":
		return p.errorf("prefix %q without a namespace", prefix)
	case len(p.bindings) >= maxBindings:
		return fmt.Errorf("%w: more than %d namespaces", ErrLimit, maxBindings)
	}
	p.bindings = append(p.bindings, binding{prefix, space})
	return nil
}

// expand finds the namespace of a qualified name.
func (p *parser) expand(qname string, element bool) (Name, error) {
	prefix, local, ok := strings.Cut(qname, ":")
	if !ok {
		prefix, local = "", qname
		if !element {
			return Name{"", local}, nil
		}
	}
	if prefix == "xml" {
		return Name{NSXML, local}, nil
	}
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if p.bindings[i].prefix == prefix {
			return Name{p.bindings[i].space, local}, nil
		}
	}
	if prefix != "" {
		return Name{}, p.errorf("prefix %q is not declared", prefix)
	}
	return Name{"", local}, nil
}

func (p *parser) endTag() error {
	p.pos += 2
	qname, err := p.qname()
	if err != nil {
		return err
	}
	p.space()
	top := p.stack[len(p.stack)-1]
	if qname != top.qname || !strings.HasPrefix(p.s[p.pos:], ">") {
		return p.errorf("end tag of %q, not %q", qname, top.qname)
	}
	p.pos++
	p.bindings = p.bindings[:top.bindings]
	p.stack = p.stack[:len(p.stack)-1]
	return nil
}

// qname reads a name with at most one colon, inside it (Namespaces §4).
func (p *parser) qname() (string, error) {
	start, colons := p.pos, 0
	first := true
	for p.pos < len(p.s) {
		r, n := utf8.DecodeRuneInString(p.s[p.pos:])
		if r == ':' {
			if colons++; first || colons > 1 {
				return "", p.errorf("colon in a name")
			}
			first = true
			p.pos++
			continue
		}
		if !nameRune(r, first) {
			break
		}
		first = false
		p.pos += n
	}
	if first {
		return "", p.errorf("name")
	}
	return p.s[start:p.pos], nil
}

// nameRune reports whether a name may begin with r, or hold it (XML 1.0 §2.3,
// without the colon).
func nameRune(r rune, first bool) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_':
		return true
	case '0' <= r && r <= '9', r == '-', r == '.', r == 0xB7, 0x300 <= r && r <= 0x36F, r == 0x203F, r == 0x2040:
		return !first
	case r < 0xC0, r == 0xD7, r == 0xF7, r == 0x37E:
		return false
	case r <= 0x1FFF, r == 0x200C, r == 0x200D, 0x2070 <= r && r <= 0x218F, 0x2C00 <= r && r <= 0x2FEF,
		0x3001 <= r && r <= 0xD7FF, 0xF900 <= r && r <= 0xFDCF, 0xFDF0 <= r && r <= 0xFFFD, 0x10000 <= r && r <= 0xEFFFF:
		return true
	}
	return false
}

// unescape replaces references and normalizes line ends and, in attributes,
// white space (XML 1.0 §3.3.3).
func (p *parser) unescape(s string, attr bool) (string, error) {
	if attr {
		if strings.ContainsAny(s, "\t\r\n") {
			s = strings.NewReplacer("\t", " ", "\n", " ").Replace(newlines(s))
		}
	} else {
		s = newlines(s)
	}
	if strings.IndexByte(s, '&') < 0 {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "&")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		ref, after, ok := strings.Cut(rest, ";")
		r, known := reference(ref)
		if !ok || !known {
			return "", p.errorf("reference &%.20s", ref)
		}
		b.WriteRune(r)
		s = after
	}
}

func reference(ref string) (rune, bool) {
	switch ref {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(ref, "#")
	if !ok || len(digits) > 10 {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
		return 0, false
	}
	return r, true
}
