package message

import (
	"bytes"
	"strings"
)

// readFields takes the MIME fields out of the entity's header.
func (p *Part) readFields() {
	seen := map[string]bool{}
	for _, f := range ParseHeader(p.header) {
		if len(f.Name) < 8 || !strings.EqualFold(f.Name[:8], "content-") {
			continue
		}
		name := strings.ToLower(f.Name[8:])
		if seen[name] {
			continue // the first counts
		}
		seen[name] = true
		p.readField(name, f.Value)
	}
}

func (p *Part) readField(name string, v []byte) {
	switch name {
	case "type":
		t, params := parseValue(v)
		major, minor, ok := strings.Cut(t, "/")
		if ok && isToken(major) && isToken(minor) {
			p.Type, p.Subtype, p.Params = strings.ToLower(major), strings.ToLower(minor), params
		}
	case "transfer-encoding":
		p.Encoding, _ = parseValue(v)
	case "id":
		p.ID = string(Unfold(v))
	case "description":
		p.Description = string(Unfold(v))
	case "md5":
		p.MD5 = string(Unfold(v))
	case "disposition":
		p.Disposition, p.DispositionParams = parseValue(v)
	case "language":
		for l := range strings.SplitSeq(string(Unfold(stripComments(v))), ",") {
			if l = strings.TrimSpace(l); l != "" && len(p.Language) < maxParams {
				p.Language = append(p.Language, l)
			}
		}
	case "location":
		p.Location = strings.Join(strings.Fields(string(v)), "")
	}
}

// parseValue reads "value; name=value; name="value"", tolerantly.
func parseValue(v []byte) (value string, params []Param) {
	v = Unfold(v)
	l := &lexer{b: v}
	value = strings.TrimSpace(l.until(";"))
	for l.skip(';') {
		name := strings.TrimSpace(l.until("=;"))
		if !l.skip('=') {
			continue
		}
		val := l.value()
		l.until(";")
		if name != "" && len(params) < maxParams {
			params = append(params, Param{name, val})
		}
	}
	return value, params
}

// A lexer reads structured field values (RFC 5322 §3.2, RFC 2045 §5.1).
type lexer struct {
	b []byte
	i int
}

func (l *lexer) skip(c byte) bool {
	if l.i < len(l.b) && l.b[l.i] == c {
		l.i++
		return true
	}
	return false
}

// until reads to one of the bytes in stop, leaving comments out.
func (l *lexer) until(stop string) string {
	var out []byte
	for l.i < len(l.b) {
		c := l.b[l.i]
		switch {
		case c == '(':
			l.comment()
		case c == '"' && !strings.Contains(stop, `"`):
			out = append(out, l.quoted()...)
		case strings.IndexByte(stop, c) >= 0:
			return string(out)
		default:
			out = append(out, c)
			l.i++
		}
	}
	return string(out)
}

// value reads a quoted string or a token, which may hold what tokens must not.
func (l *lexer) value() string {
	l.space()
	if l.i < len(l.b) && l.b[l.i] == '"' {
		return l.quoted()
	}
	return strings.TrimSpace(l.until(";"))
}

func (l *lexer) space() {
	for l.i < len(l.b) {
		switch l.b[l.i] {
		case ' ', '\t', '\r', '\n':
			l.i++
		case '(':
			l.comment()
		default:
			return
		}
	}
}

// quoted reads a quoted string and returns what it means.
func (l *lexer) quoted() string {
	l.i++
	var out []byte
	for l.i < len(l.b) {
		c := l.b[l.i]
		l.i++
		switch c {
		case '"':
			return string(out)
		case '\\':
			if l.i < len(l.b) {
				out = append(out, l.b[l.i])
				l.i++
			}
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// comment reads a comment, nested ones included, and returns its text.
func (l *lexer) comment() string {
	depth, start := 0, l.i+1
	for l.i < len(l.b) {
		switch l.b[l.i] {
		case '\\':
			l.i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.i++
				return string(l.b[start : l.i-1])
			}
		}
		l.i++
	}
	l.i = min(l.i, len(l.b))
	return string(l.b[min(start, l.i):l.i])
}

func stripComments(v []byte) []byte {
	if bytes.IndexByte(v, '(') < 0 {
		return v
	}
	l := &lexer{b: v}
	return []byte(l.until(""))
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 127 || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
