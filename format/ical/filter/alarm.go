package filter

import (
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
)

// A trigger is when an alarm goes off (RFC 5545 §3.8.6.3).
type trigger struct {
	at     time.Time // absolute, or zero
	after  ical.Duration
	end    bool // after the end of the component, not its start
	every  time.Duration
	repeat int
}

const maxRepeat = 1000

func readTrigger(alarm *ical.Component, z recur.Zones) (t trigger, ok bool) {
	p := alarm.Prop("TRIGGER")
	if p == nil {
		return t, false
	}
	if n := strings.TrimSpace(alarm.Value("REPEAT")); n != "" {
		for _, c := range []byte(n) {
			if c < '0' || c > '9' || t.repeat > maxRepeat {
				break
			}
			t.repeat = t.repeat*10 + int(c-'0')
		}
		t.repeat = min(t.repeat, maxRepeat)
		d, err := ical.ParseDuration(alarm.Value("DURATION"))
		if t.every = d.Exact(); err != nil || t.every <= 0 {
			t.repeat = 0
		}
	}
	if !strings.ContainsAny(p.Value, "Pp") {
		s, err := p.Stamp()
		t.at = z.Time(s)
		return t, err == nil
	}
	var err error
	t.after, err = ical.ParseDuration(p.Value)
	t.end = strings.EqualFold(p.Param("RELATED"), "END")
	return t, err == nil
}

// reach is how long before and after its instance an alarm can go off.
func (t trigger) reach() (before, after time.Duration) {
	d := t.after.Exact()
	last := d + time.Duration(t.repeat)*t.every
	return max(0, -d) + 25*time.Hour, max(0, last) + 25*time.Hour
}

// rings reports whether one of the alarm's times after a base is in the range.
func (t trigger) rings(base time.Time, r Range) bool {
	for i := range t.repeat + 1 {
		if r.Holds(base.Add(time.Duration(i) * t.every)) {
			return true
		}
	}
	return false
}

// alarm is the time-range of a VALARM, at every instance that has it.
func (m matcher) alarm(alarm, parent *ical.Component, r Range) bool {
	t, ok := readTrigger(alarm, m.Zones)
	switch {
	case !ok || parent == nil:
		return false
	case !t.at.IsZero():
		return t.rings(t.at, r)
	}
	before, after := t.reach()
	wide := r
	if !wide.Start.IsZero() {
		wide.Start = wide.Start.Add(-after)
	}
	if !wide.End.IsZero() {
		wide.End = wide.End.Add(before)
	}
	return m.anyInstance(parent, wide, func(x recur.Instance) bool {
		base := x.Start
		if t.end {
			base = x.End
		}
		return !x.Undated && t.rings(m.shifted(base, t.after), r)
	})
}

// shifted adds a duration whose days are nominal.
func (m matcher) shifted(t time.Time, d ical.Duration) time.Time {
	if d.Days != 0 {
		loc := t.Location()
		t = ical.Instant(ical.WallOf(t, loc)+d.Days*86400, loc)
	}
	return t.Add(time.Duration(d.Seconds) * time.Second)
}

// Extent is a stretch of time outside of which no time range matches the object,
// its alarms included. Open ends are zero times; a floating time is taken to be
// anywhere on earth.
func Extent(s *Subject) (first, last time.Time) {
	switch s.Type {
	case "VFREEBUSY", "VAVAILABILITY":
		return first, last
	}
	first, last, endless, dated := s.Series.Extent()
	if !dated || hasUndated(s.Object) {
		return time.Time{}, time.Time{}
	}
	before, after := 25*time.Hour, 25*time.Hour // floating times
	for _, part := range s.Parts {
		for _, alarm := range part.Named("VALARM") {
			t, ok := readTrigger(alarm, s.Zones)
			switch {
			case !ok:
			case t.at.IsZero():
				b, a := t.reach()
				before, after = max(before, b+25*time.Hour), max(after, a+25*time.Hour)
			default:
				if t.at.Before(first) {
					first = t.at
				}
				if end := t.at.Add(time.Duration(t.repeat) * t.every); end.After(last) {
					last = end
				}
			}
		}
	}
	if first = first.Add(-before); endless {
		return first, time.Time{}
	}
	return first, last.Add(after)
}

func hasUndated(o *ical.Object) bool {
	for _, p := range o.Parts {
		if p.Prop("DTSTART") == nil && p.Prop("DUE") == nil {
			return true
		}
	}
	return false
}

// ReadText is Read of text that a store holds.
func ReadText(b []byte, floating *time.Location) (*Subject, error) {
	cal, err := ical.Parse(b)
	if err != nil {
		return nil, err
	}
	o, err := cal.Object()
	if err != nil {
		return nil, err
	}
	return Read(o, zone.Of(cal, floating))
}
