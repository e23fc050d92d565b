package vcard

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// foldAt is the longest line in octets, without its end (RFC 6350 §3.2).
const foldAt = 75

// New makes a card to be filled with Add.
func New(v Version) *Card { return &Card{Version: v} }

// Add puts a property of text at the end.
func (c *Card) Add(name, text string, params ...Param) {
	c.AddRaw(name, Escape(text), params...)
}

// AddRaw puts a property at the end whose value is escaped already. Control
// characters in it become spaces.
func (c *Card) AddRaw(name, value string, params ...Param) {
	c.Properties = append(c.Properties, Property{Name: name, Params: params, Value: clean(value)})
	c.raw = nil
}

// AddFields puts a structured property at the end.
func (c *Card) AddFields(name string, fields ...string) {
	for i, f := range fields {
		fields[i] = Escape(f)
	}
	c.AddRaw(name, strings.Join(fields, ";"))
}

func clean(s string) string {
	if strings.IndexFunc(s, control) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// append writes the property: as it was, or folded anew.
func (p *Property) append(b []byte) []byte {
	if bytes.HasSuffix(p.raw, []byte("\r\n")) && utf8.Valid(p.raw) {
		return append(b, p.raw...)
	}
	return fold(b, p.line())
}

// line writes the property without folds.
func (p *Property) line() string {
	var s strings.Builder
	s.Grow(len(p.Value) + 64)
	if p.Group != "" {
		s.WriteString(p.Group + ".")
	}
	s.WriteString(p.Name)
	for _, x := range p.Params {
		s.WriteString(";" + x.Name + "=")
		for i, v := range x.Values {
			if i > 0 {
				s.WriteByte(',')
			}
			v = paramEncoder.Replace(v)
			if strings.ContainsAny(v, ",;:") {
				v = `"` + v + `"`
			}
			s.WriteString(v)
		}
	}
	s.WriteByte(':')
	s.WriteString(p.Value)
	return s.String()
}

// fold appends a line in pieces of at most 75 octets that do not cut a
// character.
func fold(b []byte, s string) []byte {
	room := foldAt
	for len(s) > room {
		n := room
		for n > 1 && !utf8.RuneStart(s[n]) {
			n--
		}
		b = append(append(b, s[:n]...), "\r\n "...)
		s, room = s[n:], foldAt-1
	}
	return append(append(b, s...), "\r\n"...)
}
