package itip

import (
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
)

// mostCompared is of how many instances two states of a series are compared; who is
// invited to more is asked again.
const mostCompared = 10_000

// reinvites reports whether a new state of a component is at times at which the old
// one was not, so that nobody has answered for them (RFC 6638 §3.2.8). A series that
// ends earlier or leaves out an instance invites to nothing new.
func reinvites(before, after *stored, was, is *ical.Component) bool {
	switch {
	case differ(was, is, []string{"DTSTART", "DTEND", "DURATION", "DUE"}):
		return true
	case !differ(was, is, []string{"RRULE"}):
		return !within(after.listed(is, "RDATE"), before.listed(was, "RDATE")) || !within(before.listed(was, "EXDATE"), after.listed(is, "EXDATE"))
	}
	for _, r := range is.All("RRULE") {
		if v := strings.ToUpper(r.Value); !strings.Contains(v, "UNTIL=") && !strings.Contains(v, "COUNT=") {
			return true
		}
	}
	now, ok := after.dates(is, time.Time{})
	if !ok || len(now) == 0 {
		return !ok
	}
	then, ok := before.dates(was, time.Unix(slices.Max(now), 0).Add(time.Second))
	return !ok || !within(now, then)
}

func within(some, all []int64) bool {
	known := map[int64]bool{}
	for _, x := range all {
		known[x] = true
	}
	return !slices.ContainsFunc(some, func(x int64) bool { return !known[x] })
}

// listed are the instants that a property has, as the component writes its start.
func (s *stored) listed(c *ical.Component, name string) (out []int64) {
	for _, p := range c.All(name) {
		list, _ := p.Stamps()
		for _, x := range list {
			out = append(out, s.zones.Time(s.like(x.Start)).Unix())
		}
	}
	return out
}

// dates are when a component recurs before a time, zero being no bound; false when
// that are too many.
func (s *stored) dates(c *ical.Component, until time.Time) (out []int64, ok bool) {
	series, err := recur.New([]*ical.Component{c}, s.zones)
	if err != nil {
		return nil, false
	}
	err = series.Each(time.Time{}, until, func(x recur.Instance) bool {
		out = append(out, x.Start.Unix())
		return len(out) <= mostCompared
	})
	return out, err == nil && len(out) <= mostCompared
}
