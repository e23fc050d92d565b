package ical

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Line writes a property as one content line, folded at 75 octets between
// characters (RFC 5545 §3.1), with eol after each part of it.
func Line(eol, name, value string, params ...Param) string {
	var b strings.Builder
	b.WriteString(name)
	for _, p := range params {
		b.WriteString(";" + p.Name + "=")
		for i, v := range p.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(encodeParam(v))
		}
	}
	b.WriteByte(':')
	b.WriteString(value)
	return Fold(b.String(), eol)
}

// Line writes the property anew.
func (p *Prop) Line(eol string) string { return Line(eol, p.Name, p.Value, p.Params...) }

// With returns a copy of the property with a parameter set; no values removes it.
func (p *Prop) With(name string, values ...string) Prop {
	q := Prop{Name: p.Name, Value: p.Value}
	set := len(values) == 0
	for _, x := range p.Params {
		if x.Name != name {
			q.Params = append(q.Params, x)
		} else if !set {
			q.Params, set = append(q.Params, Param{name, values}), true
		}
	}
	if !set {
		q.Params = append(q.Params, Param{name, values})
	}
	return q
}

func encodeParam(v string) string {
	if strings.ContainsAny(v, "^\"\r\n") {
		v = paramEncoder.Replace(v)
	}
	if strings.ContainsAny(v, ",;:") {
		return `"` + v + `"`
	}
	return v
}

// Fold breaks a content line into parts of at most 75 octets.
func Fold(s, eol string) string {
	const most = 75
	if len(s) <= most {
		return s + eol
	}
	var b strings.Builder
	room := most
	for len(s) > room {
		n := room
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		if n == 0 { // not UTF-8; no character to keep whole
			n = room
		}
		b.WriteString(s[:n])
		b.WriteString(eol + " ")
		s, room = s[n:], most-1
	}
	b.WriteString(s)
	b.WriteString(eol)
	return b.String()
}

// A Patch gathers edits of whole lines of one calendar. All positions are those
// of the calendar it was made from; Apply leaves everything else as it is.
type Patch struct {
	cal   *Calendar
	edits []edit
}

type edit struct {
	from, to int
	text     string
}

// Edit begins a patch.
func (c *Calendar) Edit() *Patch { return &Patch{cal: c} }

// EOL is the line end for text that is put in.
func (p *Patch) EOL() string { return p.cal.eol }

// Replace puts another content line in a property's place.
func (p *Patch) Replace(old *Prop, with Prop) {
	p.edits = append(p.edits, edit{old.start, old.end, with.Line(p.cal.eol)})
}

// Remove takes a property out.
func (p *Patch) Remove(old *Prop) { p.edits = append(p.edits, edit{old.start, old.end, ""}) }

// Add puts a content line after the component's own properties.
func (p *Patch) Add(c *Component, prop Prop) {
	p.edits = append(p.edits, edit{c.body, c.body, prop.Line(p.cal.eol)})
}

// AddLines is Add of text that is whole content lines.
func (p *Patch) AddLines(c *Component, text string) {
	p.edits = append(p.edits, edit{c.body, c.body, text})
}

// Set replaces the first property of that name, removes the others and adds it
// when there is none.
func (p *Patch) Set(c *Component, prop Prop) {
	all := c.All(prop.Name)
	if len(all) == 0 {
		p.Add(c, prop)
		return
	}
	p.Replace(all[0], prop)
	for _, x := range all[1:] {
		p.Remove(x)
	}
}

// Drop removes every property of that name.
func (p *Patch) Drop(c *Component, name string) {
	for _, x := range c.All(name) {
		p.Remove(x)
	}
}

// RemoveComponent takes a component out.
func (p *Patch) RemoveComponent(c *Component) { p.edits = append(p.edits, edit{c.start, c.end, ""}) }

// ReplaceComponent puts text, which is whole lines, in a component's place.
func (p *Patch) ReplaceComponent(c *Component, text string) {
	p.edits = append(p.edits, edit{c.start, c.end, text})
}

// AddComponent puts text, which is a whole component, before the END of another.
func (p *Patch) AddComponent(in *Component, text string) {
	p.edits = append(p.edits, edit{in.tail, in.tail, text})
}

// Changed reports whether there is anything to apply.
func (p *Patch) Changed() bool { return len(p.edits) > 0 }

// Apply returns the edited text. An edit inside of a component that another
// edit replaces is lost.
func (p *Patch) Apply() []byte {
	es := slices.Clone(p.edits)
	slices.SortStableFunc(es, func(a, b edit) int { // what is put in comes before what is taken out
		return cmp.Or(a.from-b.from, cmp.Compare(min(1, a.to-a.from), min(1, b.to-b.from)))
	})
	src := p.cal.src
	out := make([]byte, 0, len(src)+1024)
	at := 0
	for _, e := range es {
		if e.from < at {
			continue
		}
		out = append(out, src[at:e.from]...)
		if e.text != "" && len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, p.cal.eol...)
		}
		out = append(out, e.text...)
		at = e.to
	}
	return append(out, src[at:]...)
}

// Text returns the source as XML can carry it: as it is but for a byte order
// mark, unless a fold stands inside a character; then that line is folded anew.
func (c *Calendar) Text() string { return ValidText(c.src) }

// UTF8 is Text of iCalendar lines, which it gives back where nothing is to change.
func UTF8(src []byte) []byte {
	if utf8.Valid(src) {
		return bytes.TrimPrefix(src, []byte(bom))
	}
	return []byte(ValidText(string(src)))
}

// ValidText is Text of iCalendar lines.
func ValidText(src string) string {
	src = strings.TrimPrefix(src, bom)
	if utf8.ValidString(src) {
		return src
	}
	var b strings.Builder
	for p := (parser{src: src}); p.next(); {
		if utf8.ValidString(p.src[p.start:p.end]) {
			b.WriteString(p.src[p.start:p.end])
		} else {
			b.WriteString(Fold(strings.ToValidUTF8(p.text, "\ufffd"), "\r\n"))
		}
	}
	return b.String()
}
