package filter

import (
	"time"

	"essaim.coop/essaim/format/ical/recur"
)

// A Once is an event that happens once, and when: as much as an index has to know
// of it to answer for a time range. The zero Once is anything else.
type Once struct {
	Is         bool
	Floating   bool  // when it is depends on the reader, or on a zone that it only names
	Start, End int64 // seconds since 1970; of one that floats, as in UTC or by that name
}

// floats is how far from its Start a floating one can be, and more.
const floats = 15 * time.Hour

// OnceOf is the Once of an object.
func OnceOf(s *Subject) (o Once) {
	if s.Type != "VEVENT" || len(s.Parts) != 1 || s.Series.Recurs() {
		return o
	}
	event := s.Parts[0]
	start, dated := event.Stamp("DTSTART")
	if !dated || event.Prop("EXDATE") != nil {
		return o
	}
	_ = s.Series.Each(time.Time{}, time.Time{}, func(x recur.Instance) bool {
		o = Once{Is: true, Floating: !s.Zones.Certain(start), Start: x.Start.Unix(), End: x.End.Unix()}
		return false
	})
	if end, has := event.Stamp("DTEND"); has && !s.Zones.Certain(end) {
		o.Floating = true
	}
	return o
}

// In reports whether the event is in a range; known is false when only the object
// itself can tell.
func (o Once) In(r Range) (in, known bool) {
	start, end := time.Unix(o.Start, 0), time.Unix(o.End, 0)
	if !o.Is || o.Floating && !(r.Holds(start.Add(-floats)) && r.Holds(start.Add(floats))) {
		return false, false
	}
	return o.Floating || r.Overlaps(start, end), true
}

// Timed is the time range of a filter that asks for events in it and for nothing
// else, so that Once.In answers it.
func (c *Comp) Timed() (r Range, ok bool) {
	if c.NotDefined || c.Range != nil || len(c.Props) > 0 || len(c.Comps) != 1 {
		return r, false
	}
	k := &c.Comps[0]
	if k.Name != "VEVENT" || k.NotDefined || k.Range == nil || len(k.Props) > 0 || len(k.Comps) > 0 {
		return r, false
	}
	return *k.Range, true
}
