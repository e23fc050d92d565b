// Package view makes what a CalDAV report asks for in place of a whole object:
// some of its components and properties, its instances one by one, or the
// exceptions that matter to a time range.
//
// What it promises: lines that stay are the client's own; nothing is written
// anew but the times of an expansion. Work and output of an expansion are bounded
// by the instances and bytes the caller allows and the budget of package recur.
//
// RFC: 4791 §9.6 (calendar-data).
package view

import (
	"errors"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/recur"
)

// ErrTooMany is an expansion with more instances or bytes than allowed, or one
// that takes too much work.
var ErrTooMany = errors.New("too many instances")

// A Comp says which parts of a component are wanted (RFC 4791 §9.6.1).
type Comp struct {
	Name     string
	AllProps bool
	Props    []Prop
	AllComps bool
	Comps    []Comp
}

// A Prop is a wanted property, perhaps without its value (§9.6.4).
type Prop struct {
	Name    string
	NoValue bool
}

// Options are what a calendar-data element asks for.
type Options struct {
	Comp                *Comp // nil is everything
	Expand, Limit, Busy *filter.Range
	MaxInstances        int // of an expansion
	MaxBytes            int // of it, about
}

// Whole reports whether the object is wanted as it is.
func (o *Options) Whole() bool {
	return o.Comp == nil && o.Expand == nil && o.Limit == nil && o.Busy == nil
}

// Make returns the text that is asked for. instances is how many an expansion
// has.
func (o *Options) Make(s *filter.Subject) (text string, instances int, err error) {
	switch {
	case o.Expand != nil:
		text, instances, err = expand(s, *o.Expand, o.MaxInstances, o.MaxBytes)
	case o.Limit != nil:
		text = limit(s, *o.Limit)
	default:
		text = s.Source()
	}
	if err != nil {
		return "", 0, err
	}
	if o.Busy == nil && o.Comp == nil {
		return ical.ValidText(text), instances, nil
	}
	lim := ical.DefaultLimits
	lim.Bytes, lim.Lines, lim.Components = 1<<30, 1<<30, 1<<30 // bounded when it was stored and expanded
	cal, err := lim.Parse([]byte(text))
	if err != nil {
		return "", 0, err
	}
	if o.Busy != nil {
		if cal, err = lim.Parse(limitBusy(cal, s, *o.Busy)); err != nil {
			return "", 0, err
		}
	}
	text = cal.Source()
	if o.Comp != nil {
		var b strings.Builder
		o.Comp.write(&b, cal, cal.Component)
		text = b.String()
	}
	return ical.ValidText(text), instances, nil
}

// write keeps what is wanted of a component.
func (w *Comp) write(b *strings.Builder, cal *ical.Calendar, c *ical.Component) {
	b.WriteString(cal.Head(c))
	for i := range c.Props {
		p := &c.Props[i]
		switch want, noValue := w.wants(p.Name); {
		case noValue:
			q := *p
			q.Value = ""
			b.WriteString(q.Line(cal.EOL()))
		case want:
			b.WriteString(cal.Lines(p))
		}
	}
	for _, k := range c.Children {
		if w.AllComps {
			b.WriteString(cal.Slice(k))
			continue
		}
		for i := range w.Comps {
			if w.Comps[i].Name == k.Name {
				w.Comps[i].write(b, cal, k)
				break
			}
		}
	}
	b.WriteString(cal.Tail(c))
}

func (w *Comp) wants(name string) (yes, noValue bool) {
	for _, p := range w.Props {
		if p.Name == name {
			return true, p.NoValue
		}
	}
	return w.AllProps, false
}

// expand writes every instance in a range as a component of its own, in UTC.
func expand(s *filter.Subject, r filter.Range, most, bytes int) (string, int, error) {
	var b strings.Builder
	b.WriteString(s.Head(s.Component))
	for i := range s.Props {
		b.WriteString(s.Lines(&s.Props[i]))
	}
	n := 0
	to := r.End
	if !to.IsZero() {
		to = to.Add(time.Second)
	}
	err := s.Series.Each(r.Start, to, func(x recur.Instance) bool {
		if r.Instance(x) {
			if n++; n <= most && b.Len() <= bytes {
				(&instance{Instance: x, s: s, b: &b}).write()
			}
		}
		return n <= most && b.Len() <= bytes
	})
	if err != nil || n > most || b.Len() > bytes {
		return "", n, ErrTooMany
	}
	for _, k := range s.Children {
		if k.Name != s.Type && k.Name != "VTIMEZONE" {
			b.WriteString(s.Slice(k))
		}
	}
	b.WriteString(s.Tail(s.Component))
	return b.String(), n, nil
}

// An instance is written as a component of its own; a date stays a date and a
// floating time floating.
type instance struct {
	recur.Instance
	s     *filter.Subject
	b     *strings.Builder
	ended bool // DTEND or DUE is written
}

func (x *instance) write() {
	x.b.WriteString(x.s.Head(x.Comp))
	for i := range x.Comp.Props {
		x.property(&x.Comp.Props[i])
	}
	if x.Period && !x.ended {
		x.time("DTEND", nil, x.ID, x.End)
	}
	if x.Recurs {
		start, _ := x.s.Series.Original(x.ID)
		x.time("RECURRENCE-ID", nil, x.ID, start)
	}
	for _, k := range x.Comp.Children {
		x.b.WriteString(x.s.Slice(k))
	}
	x.b.WriteString(x.s.Tail(x.Comp))
}

func (x *instance) property(p *ical.Prop) {
	like, err := p.Stamp()
	dated := err == nil && !x.Undated
	switch p.Name {
	case "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID":
		return
	case "DURATION":
		if x.Period {
			return // it has an end of its own
		}
	case "DTSTART":
		if dated {
			x.time(p.Name, p, like, x.Start)
			return
		}
	case "DTEND", "DUE":
		if dated {
			x.time(p.Name, p, like, x.End)
			x.ended = true
			return
		}
	}
	if err == nil && like.TZID != "" && timed[p.Name] {
		x.time(p.Name, p, like, x.s.Zones.Time(like))
		return
	}
	x.b.WriteString(x.s.Lines(p))
}

// time writes a property at an instant, in the form of another and with the other
// parameters of p.
func (x *instance) time(name string, p *ical.Prop, like ical.Stamp, t time.Time) {
	v := ical.At(t)
	if like.Floating() {
		v = ical.Stamp{Wall: ical.WallOf(t, x.s.Zones.Location(like)), Date: like.Date}
	}
	q := ical.Prop{Name: name, Value: v.String(), Params: v.Params()}
	if p != nil {
		for _, y := range p.Params {
			if y.Name != "TZID" && y.Name != "VALUE" && y.Name != "RANGE" {
				q.Params = append(q.Params, y)
			}
		}
	}
	x.b.WriteString(q.Line(x.s.EOL()))
}

var timed = map[string]bool{"COMPLETED": true, "CREATED": true, "DTSTAMP": true, "LAST-MODIFIED": true}

// limit leaves out the exceptions that do not touch a range.
func limit(s *filter.Subject, r filter.Range) string {
	p := s.Edit()
	for _, c := range s.Parts {
		rid := c.Prop("RECURRENCE-ID")
		if rid == nil || rid.Param("RANGE") == "THISANDFUTURE" {
			continue // it may describe instances anywhere
		}
		id, err := rid.Stamp()
		if err != nil {
			continue
		}
		from, to := s.Series.Original(id)
		if !r.Overlaps(from, to) && !touches(s, c, r) {
			p.RemoveComponent(c)
		}
	}
	return string(p.Apply())
}

// touches reports whether the instance that a component describes is in a range.
func touches(s *filter.Subject, c *ical.Component, r filter.Range) bool {
	one, err := recur.New([]*ical.Component{c}, s.Zones)
	if err != nil {
		return true
	}
	yes := false
	_ = one.Each(time.Time{}, time.Time{}, func(x recur.Instance) bool { yes = r.Instance(x); return false })
	return yes
}

// limitBusy leaves out the FREEBUSY periods that do not touch a range.
func limitBusy(cal *ical.Calendar, s *filter.Subject, r filter.Range) []byte {
	edit := cal.Edit()
	for _, c := range cal.Named("VFREEBUSY") {
		for _, p := range c.All("FREEBUSY") {
			var keep []string
			for v := range strings.SplitSeq(p.Value, ",") {
				x, err := ical.ParsePeriod(v, "")
				if from, to := filter.Span(x, s.Zones); err != nil || r.Overlaps(from, to) {
					keep = append(keep, v)
				}
			}
			switch {
			case len(keep) == 0:
				edit.Remove(p)
			case len(keep) < strings.Count(p.Value, ",")+1:
				q := *p
				q.Value = strings.Join(keep, ",")
				edit.Replace(p, q)
			}
		}
	}
	return edit.Apply()
}
