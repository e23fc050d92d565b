// Package filter holds calendar objects against the filters of CalDAV.
//
// What it promises: Match says what RFC 4791 §9.7 to §9.9 say, for every instance
// of a series, every exception and every alarm. It answers within the budget of
// package recur; a recurrence that is too expensive to follow is taken to match,
// so that nothing is hidden.
//
// RFCs: 4791 §9.7 (filters), §9.9 (time ranges), 7953 §7.2.2 (VAVAILABILITY and
// AVAILABLE), 4790 and 5051 (collations; i;ascii-casemap is the default).
package filter

import (
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/collation"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
)

// A Range is a time range; a zero Start or End is without bound.
type Range struct{ Start, End time.Time }

// A Comp is a comp-filter. The outermost is VCALENDAR.
type Comp struct {
	Name       string
	NotDefined bool
	Range      *Range
	Props      []Prop
	Comps      []Comp
}

// A Prop is a prop-filter.
type Prop struct {
	Name       string
	NotDefined bool
	Range      *Range
	Text       *Text
	Params     []Param
}

// A Param is a param-filter.
type Param struct {
	Name       string
	NotDefined bool
	Text       *Text
}

// A Text is a text-match.
type Text struct {
	key       string
	collation collation.Collation
	negate    bool
}

// NewText makes a text-match of the substring kind.
func NewText(s string, c collation.Collation, negate bool) *Text {
	return &Text{c.Key(s), c, negate}
}

func (t *Text) match(s string) bool {
	return strings.Contains(t.collation.Key(s), t.key) != t.negate
}

// A Subject is a calendar object that was read for matching.
type Subject struct {
	*ical.Object
	Series *recur.Series
	Zones  *zone.Zones
}

// Read prepares an object; floating is the zone of its floating times.
func Read(o *ical.Object, z *zone.Zones) (*Subject, error) {
	s, err := recur.New(o.Parts, z)
	if err != nil {
		return nil, err
	}
	return &Subject{o, s, z}, nil
}

// Match reports whether the object fulfils a filter.
func (c *Comp) Match(s *Subject) bool {
	if c.Name != "VCALENDAR" {
		return c.NotDefined
	}
	if c.NotDefined {
		return false
	}
	m := matcher{Subject: s}
	return c.Range == nil && m.inside(c, s.Component, nil)
}

// Target is a component type that what matches must have, with its time range:
// what an index can be asked for. "" is any.
func (c *Comp) Target() (name string, r *Range) {
	for i := range c.Comps {
		if k := &c.Comps[i]; !k.NotDefined && slices.Contains(indexed, k.Name) {
			if k.Range != nil {
				return k.Name, k.Range
			}
			for j := range k.Comps {
				if k.Comps[j].Name == "VALARM" && k.Comps[j].Range != nil && !k.Comps[j].NotDefined {
					return k.Name, k.Comps[j].Range
				}
			}
			name = k.Name
		}
	}
	return name, nil
}

// Decided reports that the filter only asks for a type of component, so that an
// index of types has answered it.
func (c *Comp) Decided() bool {
	if c.NotDefined || c.Range != nil || len(c.Props) > 0 || len(c.Comps) > 1 {
		return false
	}
	if len(c.Comps) == 0 {
		return true
	}
	k := &c.Comps[0]
	return slices.Contains(indexed, k.Name) && !k.NotDefined && k.Range == nil && len(k.Props) == 0 && len(k.Comps) == 0
}

var indexed = []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

type matcher struct{ *Subject }

// inside holds the parts of a filter against a component within its parent.
func (m matcher) inside(f *Comp, c, parent *ical.Component) bool {
	if f.Range != nil && !m.overlaps(c, parent, *f.Range) {
		return false
	}
	for i := range f.Props {
		if !m.prop(&f.Props[i], c) {
			return false
		}
	}
	for i := range f.Comps {
		if !m.child(&f.Comps[i], c) {
			return false
		}
	}
	return true
}

func (m matcher) child(f *Comp, parent *ical.Component) bool {
	for _, k := range parent.Children {
		if k.Name == f.Name {
			if f.NotDefined {
				return false
			}
			if m.inside(f, k, parent) {
				return true
			}
		}
	}
	return f.NotDefined
}

func (m matcher) prop(f *Prop, c *ical.Component) bool {
	if f.Range != nil && len(f.Params) == 0 && inferred(f.Name, c) {
		return m.inferredRange(f.Name, c, *f.Range)
	}
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != f.Name {
			continue
		}
		if f.NotDefined {
			return false
		}
		if (f.Text == nil || m.text(f.Text, p)) && (f.Range == nil || m.propRange(c, p, *f.Range)) && params(f.Params, p) {
			return true
		}
	}
	return f.NotDefined
}

// text compares the unescaped value; of structured and list values the parts
// are seen as one text, commas included.
func (m matcher) text(t *Text, p *ical.Prop) bool { return t.match(p.Text()) }

func params(fs []Param, p *ical.Prop) bool {
	for _, f := range fs {
		if !f.match(p) {
			return false
		}
	}
	return true
}

func (f *Param) match(p *ical.Prop) bool {
	if f.NotDefined || f.Text == nil {
		return p.HasParam(f.Name) != f.NotDefined
	}
	for _, x := range p.Params {
		if x.Name == f.Name {
			return f.Text.match(strings.Join(x.Values, ","))
		}
	}
	return false
}
