package filter

import (
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
)

// A Ring is an alarm going off.
type Ring struct {
	At       time.Time
	Alarm    *ical.Component
	Instance recur.Instance // of what
}

// HasAlarm reports whether an object has an alarm of an action (RFC 5545 §3.8.6.1).
func HasAlarm(o *ical.Object, action string) bool {
	for _, c := range o.Parts {
		for _, a := range c.Named("VALARM") {
			if strings.EqualFold(strings.TrimSpace(a.Value("ACTION")), action) {
				return true
			}
		}
	}
	return false
}

// NextRing is the first alarm of an action after one time and until another; false
// when there is none, or finding it is too much work.
func NextRing(s *Subject, action string, after, until time.Time) (next Ring, ok bool) {
	m := matcher{Subject: s}
	var before, behind time.Duration
	each := func(c *ical.Component, fn func(a *ical.Component, t trigger)) {
		for _, a := range c.Named("VALARM") {
			if t, good := readTrigger(a, s.Zones); good && strings.EqualFold(strings.TrimSpace(a.Value("ACTION")), action) {
				fn(a, t)
			}
		}
	}
	for _, c := range s.Parts {
		each(c, func(_ *ical.Component, t trigger) {
			if t.at.IsZero() {
				b, a := t.reach()
				before, behind = max(before, b), max(behind, a)
			}
		})
	}
	try := func(base time.Time, a *ical.Component, t trigger, x recur.Instance) {
		for i := range t.repeat + 1 {
			at := base.Add(time.Duration(i) * t.every)
			if at.After(after) && !at.After(until) && (!ok || at.Before(next.At)) {
				next, ok = Ring{at, a, x}, true
			}
		}
	}
	seen := map[*ical.Component]bool{} // a time of the clock rings once
	visit := func(x recur.Instance) bool {
		each(x.Comp, func(a *ical.Component, t trigger) {
			switch {
			case t.at.IsZero() && !x.Undated:
				base := x.Start
				if t.end {
					base = x.End
				}
				try(m.shifted(base, t.after), a, t, x)
			case !t.at.IsZero() && !seen[a]:
				seen[a] = true
				try(t.at, a, t, x)
			}
		})
		return !ok || !x.Start.Add(-before).After(next.At)
	}
	_ = s.Series.Each(after.Add(-behind), until.Add(before), visit)
	for _, c := range s.Parts { // a time of the clock may be far from its instance
		each(c, func(a *ical.Component, t trigger) {
			if !t.at.IsZero() && !seen[a] {
				start, end := Bounds(c, s.Zones)
				try(t.at, a, t, recur.Instance{Comp: c, Start: start, End: end})
			}
		})
	}
	return next, ok
}
