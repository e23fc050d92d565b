// Package overlay keeps apart what is of one person in a calendar object that
// several have: alarms, what programs note about them, and whether an event takes
// up one's time.
//
// What it promises: Of and Differing take that out of an object, by instance; With
// puts it into another, in place of what that one has, and leaves every other byte
// as it is. An instance of which nothing is said is like the whole series. Alarms
// by e-mail (RFC 5545 §3.6.6, ACTION:EMAIL) are no part of it: a server sends
// those, and to one address. Time and memory are linear in the texts and bounded;
// there is no I/O.
package overlay

import (
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// maxAdded is how many bytes With adds to an object.
const maxAdded = 256 << 10

// An Overlay is what one person has of their own in an object, by instance.
type Overlay struct {
	parts map[string]part
	order []string
}

// A part is of one component. Texts are whole content lines that end in LF.
type part struct {
	id     string // the RECURRENCE-ID line, "" of the whole series
	transp string // in upper case, "" when it is as everybody's
	marks  string // properties
	alarms string // components
}

func (p part) content() string { return p.transp + "\n" + p.marks + "\n" + p.alarms }

func (p part) empty() bool { return p.transp == "" && p.marks == "" && p.alarms == "" }

func isMark(name string) bool {
	return name == "X-MOZ-LASTACK" || name == "X-MOZ-GENERATION" || strings.HasPrefix(name, "X-MOZ-SNOOZE-TIME")
}

func isAlarm(c *ical.Component) bool {
	return c.Name == "VALARM" && !strings.EqualFold(strings.TrimSpace(c.Value("ACTION")), "EMAIL")
}

// transp is whether an event takes up time (RFC 5545 §3.8.2.7), "" of what is none.
func transp(c *ical.Component) string {
	if c.Name != "VEVENT" {
		return ""
	}
	if v := strings.ToUpper(strings.TrimSpace(c.Value("TRANSP"))); v != "" {
		return v
	}
	return "OPAQUE"
}

// key names an instance, "" the whole series.
func key(c *ical.Component) (string, *ical.Prop) {
	p := c.Prop("RECURRENCE-ID")
	if p == nil {
		return "", nil
	}
	if s, err := p.Stamp(); err == nil {
		return s.String(), p
	}
	return p.Value, p
}

func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func (v *Overlay) set(key string, p part) {
	if v.parts == nil {
		v.parts = map[string]part{}
	}
	if _, is := v.parts[key]; !is {
		v.order = append(v.order, key)
	}
	v.parts[key] = p
}

// find is what an instance has.
func (v *Overlay) find(key string) part {
	if p, ok := v.parts[key]; ok {
		return p
	}
	return v.parts[""]
}

// read takes out of components what is personal in them.
func read(cal *ical.Calendar, parts []*ical.Component) (v Overlay) {
	for _, c := range parts {
		k, id := key(c)
		p := part{transp: transp(c)}
		if id != nil {
			p.id = lines(cal.Lines(id))
		}
		var marks, alarms strings.Builder
		for i := range c.Props {
			if isMark(c.Props[i].Name) {
				marks.WriteString(lines(cal.Lines(&c.Props[i])))
			}
		}
		for _, a := range c.Children {
			if isAlarm(a) {
				alarms.WriteString(lines(cal.Slice(a)))
			}
		}
		p.marks, p.alarms = marks.String(), alarms.String()
		v.set(k, p)
	}
	return v
}

// Of is all that is personal in an object.
func Of(o *ical.Object) Overlay { return read(o.Calendar, o.Parts) }

// Differing is what is personal in an object of somebody who was shown another
// one, with whether it takes up time only where that is not as in the other's. A
// nil other has nothing to differ from.
func Differing(o, other *ical.Object) (v Overlay) {
	all := Of(o)
	theirs := all
	if other != nil {
		theirs = Of(other)
	}
	for _, k := range all.order {
		p := all.parts[k]
		if t := theirs.find(k).transp; t == p.transp || t == "" {
			p.transp = ""
		}
		all.parts[k] = p
	}
	series := all.parts[""]
	for _, k := range all.order {
		if p := all.parts[k]; k == "" && !p.empty() || k != "" && p.content() != series.content() {
			v.set(k, p)
		}
	}
	return v
}

// String writes an overlay for Parse, "" when there is nothing in it.
func (v *Overlay) String() string {
	if len(v.order) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\n")
	for _, k := range v.order {
		p := v.parts[k]
		b.WriteString("BEGIN:VEVENT\n" + p.id)
		if p.transp != "" {
			b.WriteString(ical.Line("\n", "TRANSP", p.transp))
		}
		b.WriteString(p.marks + p.alarms + "END:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return b.String()
}

// Parse reads what String has written.
func Parse(text string) (v Overlay, err error) {
	if text == "" {
		return v, nil
	}
	cal, err := ical.Parse([]byte(text))
	if err != nil {
		return v, err
	}
	v = read(cal, cal.Children)
	for i, k := range v.order {
		if p := v.parts[k]; cal.Children[i].Prop("TRANSP") == nil {
			p.transp = ""
			v.parts[k] = p
		}
	}
	return v, nil
}

// Has reports whether an object has something that With takes out.
func Has(o *ical.Object) bool {
	return slices.ContainsFunc(o.Parts, func(c *ical.Component) bool {
		return slices.ContainsFunc(c.Props, func(p ical.Prop) bool { return isMark(p.Name) }) || slices.ContainsFunc(c.Children, isAlarm)
	})
}

// With is an object's text with what is in the overlay in place of what is
// personal in it; whether an event takes up time stays where the overlay does not
// say it. ical.ErrLimit when there would be too much of it.
func With(o *ical.Object, v Overlay) ([]byte, error) {
	edit, added := o.Edit(), 0
	for _, c := range o.Parts {
		k, _ := key(c)
		p := v.find(k)
		for i := range c.Props {
			if isMark(c.Props[i].Name) {
				edit.Remove(&c.Props[i])
			}
		}
		for _, a := range c.Children {
			if isAlarm(a) {
				edit.RemoveComponent(a)
			}
		}
		if t := transp(c); p.transp != "" && t != "" && p.transp != t {
			edit.Set(c, ical.Prop{Name: "TRANSP", Value: p.transp})
		}
		if added += len(p.marks) + len(p.alarms); added > maxAdded {
			return nil, fmt.Errorf("%w: alarms of more than %d bytes", ical.ErrLimit, maxAdded)
		}
		put := func(text string) string { return strings.ReplaceAll(text, "\n", edit.EOL()) }
		if p.marks != "" {
			edit.AddLines(c, put(p.marks))
		}
		if p.alarms != "" {
			edit.AddComponent(c, put(p.alarms))
		}
	}
	return edit.Apply(), nil
}

// View is the text of an object as somebody is shown it whose overlay is text. It
// is an object within the limits in any case: one that would not be is shown
// without the overlay.
func View(raw []byte, text string) ([]byte, error) {
	o, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if v, err := Parse(text); err == nil && text != "" {
		if out, err := With(o, v); err == nil {
			if _, err := parse(out); err == nil {
				return out, nil
			}
		}
	}
	return With(o, Overlay{})
}

func parse(raw []byte) (*ical.Object, error) {
	cal, err := ical.Parse(raw)
	if err != nil {
		return nil, err
	}
	return cal.Object()
}
