package filter

import (
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
)

// How the bounds of a range lie to a time; none is on the far side of all.
func (r Range) startsBefore(t time.Time) bool { return r.Start.IsZero() || r.Start.Before(t) }
func (r Range) startsBy(t time.Time) bool     { return r.Start.IsZero() || !r.Start.After(t) }
func (r Range) endsAfter(t time.Time) bool    { return r.End.IsZero() || r.End.After(t) }
func (r Range) endsBy(t time.Time) bool       { return r.End.IsZero() || !r.End.Before(t) }

// Holds reports whether an instant is in the range.
func (r Range) Holds(t time.Time) bool { return r.startsBy(t) && r.endsAfter(t) }

// Overlaps reports whether a stretch of time is; one without length is an instant.
func (r Range) Overlaps(start, end time.Time) bool {
	if !end.After(start) {
		return r.Holds(start)
	}
	return r.startsBefore(end) && r.endsAfter(start)
}

// Instance reports whether an instance of a VEVENT, VTODO or VJOURNAL overlaps
// the range (RFC 4791 §9.9).
func (r Range) Instance(x recur.Instance) bool {
	if x.Comp.Name != "VTODO" {
		return !x.Undated && r.Overlaps(x.Start, x.End)
	}
	has := func(name string) bool { return x.Comp.Prop(name) != nil }
	switch {
	case x.Undated:
		return r.undated(x.Comp)
	case !has("DTSTART"):
		return r.startsBefore(x.End) && r.endsBy(x.End)
	case has("DUE"):
		return (r.startsBefore(x.End) || r.startsBy(x.Start)) && (r.endsAfter(x.Start) || r.endsBy(x.End))
	case has("DURATION"):
		return r.startsBy(x.End) && (r.endsAfter(x.Start) || r.endsBy(x.End))
	}
	return r.Holds(x.Start)
}

// undated is a to-do with neither start nor due date.
func (r Range) undated(c *ical.Component) bool {
	at := func(name string) (time.Time, bool) {
		s, ok := c.Stamp(name)
		return time.Unix(s.Wall, 0), ok // both are in UTC
	}
	created, hasCreated := at("CREATED")
	completed, hasCompleted := at("COMPLETED")
	switch {
	case hasCreated && hasCompleted:
		return (r.startsBy(created) || r.startsBy(completed)) && (r.endsBy(created) || r.endsBy(completed))
	case hasCompleted:
		return r.startsBy(completed) && r.endsBy(completed)
	case hasCreated:
		return r.endsAfter(created)
	}
	return true
}

// overlaps is the time-range of a comp-filter on a component.
func (m matcher) overlaps(c, parent *ical.Component, r Range) bool {
	switch c.Name {
	case "VEVENT", "VTODO", "VJOURNAL":
		return m.anyInstance(c, r, r.Instance)
	case "VALARM":
		return m.alarm(c, parent, r)
	case "VFREEBUSY":
		return m.freebusy(c, r)
	case "VAVAILABILITY":
		start, end := Bounds(c, m.Zones)
		return (end.IsZero() || r.startsBefore(end)) && (start.IsZero() || r.endsAfter(start))
	case "AVAILABLE":
		return m.available(c, parent, r)
	}
	return false // "not defined for any other calendar components"
}

// anyInstance looks for an instance that a component describes, in a window a
// little wider than the range, that fulfils a test.
func (m matcher) anyInstance(c *ical.Component, r Range, test func(recur.Instance) bool) bool {
	found := false
	to := r.End
	if !to.IsZero() {
		to = to.Add(time.Second)
	}
	err := m.Series.Each(r.Start, to, func(x recur.Instance) bool {
		found = x.Comp == c && test(x)
		return !found
	})
	return found || err != nil
}

// inferred reports whether instances of a component have a property that may not
// be written: the start of a recurring one, or an end that DURATION gives.
func inferred(name string, c *ical.Component) bool {
	switch c.Name {
	case "VEVENT":
		return name == "DTSTART" || name == "DTEND" && (c.Prop("DTEND") != nil || c.Prop("DURATION") != nil)
	case "VTODO":
		return name == "DTSTART" && c.Prop("DTSTART") != nil ||
			name == "DUE" && (c.Prop("DUE") != nil || c.Prop("DTSTART") != nil && c.Prop("DURATION") != nil)
	}
	return false
}

// inferredRange holds the starts or ends of instances against a range.
func (m matcher) inferredRange(name string, c *ical.Component, r Range) bool {
	return m.anyInstance(c, r, func(x recur.Instance) bool {
		if name == "DTSTART" {
			return r.Holds(x.Start)
		}
		return r.Holds(x.End)
	})
}

// propRange is the time-range of a prop-filter.
func (m matcher) propRange(c *ical.Component, p *ical.Prop, r Range) bool {
	switch p.Name {
	case "COMPLETED", "CREATED", "DTEND", "DTSTAMP", "DTSTART", "DUE", "LAST-MODIFIED":
		s, err := p.Stamp()
		return err == nil && r.Holds(m.Zones.Time(s))
	}
	return false
}

// freebusy is a VFREEBUSY: its bounds, or else each of its periods.
func (m matcher) freebusy(c *ical.Component, r Range) bool {
	start, ok1 := c.Stamp("DTSTART")
	end, ok2 := c.Stamp("DTEND")
	if ok1 && ok2 {
		return r.startsBy(m.Zones.Time(end)) && r.endsAfter(m.Zones.Time(start))
	}
	for _, p := range c.All("FREEBUSY") {
		list, _ := p.Stamps()
		for _, x := range list {
			if from, to := Span(x, m.Zones); r.startsBefore(to) && r.endsAfter(from) {
				return true
			}
		}
	}
	return false
}

// Span is when a period begins and ends.
func Span(p ical.Period, z recur.Zones) (from, to time.Time) {
	from = z.Time(p.Start)
	if p.Explicit {
		return from, z.Time(p.End)
	}
	to = ical.Instant(p.Start.Wall+p.Length.Days*86400, z.Location(p.Start))
	return from, to.Add(time.Duration(p.Length.Seconds) * time.Second)
}

// Bounds are those of a VAVAILABILITY; a zero time is none (RFC 7953 §3.1).
func Bounds(c *ical.Component, z recur.Zones) (start, end time.Time) {
	s, ok := c.Stamp("DTSTART")
	if ok {
		start = z.Time(s)
	}
	if e, has := c.Stamp("DTEND"); has {
		return start, z.Time(e)
	}
	if d, err := ical.ParseDuration(c.Value("DURATION")); ok && err == nil {
		_, end = Span(ical.Period{Start: s, Length: d}, z)
	}
	return start, end
}

// available is an AVAILABLE within its VAVAILABILITY.
func (m matcher) available(c, parent *ical.Component, r Range) bool {
	s, err := recur.New(Siblings(c, parent), m.Zones)
	if err != nil {
		return false
	}
	n := m
	n.Subject = &Subject{m.Object, s, m.Zones}
	return n.anyInstance(c, r, func(x recur.Instance) bool { return r.Overlaps(x.Start, x.End) })
}

// Siblings are the components of a parent with the name and UID of one of them.
func Siblings(c, parent *ical.Component) (out []*ical.Component) {
	for _, k := range parent.Named(c.Name) {
		if k.Value("UID") == c.Value("UID") {
			out = append(out, k)
		}
	}
	return out
}
