// Package freebusy computes when somebody is busy.
//
// What it promises: busy time follows RFC 4791 §7.10 (confirmed and tentative
// events that are opaque, and stored VFREEBUSY components) and RFC 7953 §5
// (availability: what is outside of the available times is busy, of several the
// one of higher priority counts). Periods of one type that touch are joined, so
// that nothing of single events shows; where types overlap the busier counts.
//
// RFCs: 5545 §3.6.4, 4791 §7.10, 7953 §3 and §5.
package freebusy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/recur"
)

// A Type is how busy a time is; the greater one counts.
type Type uint8

const (
	Free Type = iota
	Tentative
	Unavailable
	Busy
)

var typeNames = []string{"FREE", "BUSY-TENTATIVE", "BUSY-UNAVAILABLE", "BUSY"}

func (t Type) String() string { return typeNames[t] }

func typeOf(s string, other Type) Type {
	if i := slices.Index(typeNames, strings.ToUpper(s)); i >= 0 {
		return Type(i)
	}
	return other
}

// A Period is a stretch of time of one type.
type Period struct {
	Start, End time.Time
	Type       Type
}

// A Sheet gathers busy time within a range.
type Sheet struct {
	from, to time.Time
	busy     []Period
	avail    []availability
}

type availability struct {
	priority int
	periods  []Period // painted in order
}

// New makes an empty sheet; from is before to.
func New(from, to time.Time) *Sheet { return &Sheet{from: from, to: to} }

const maxPeriods = 100_000

// Add puts an object on the sheet. ErrBudget of package recur when it is too
// much work, and then some of it may be on it.
func (s *Sheet) Add(o *filter.Subject) error {
	switch o.Type {
	case "VEVENT":
		return s.events(o)
	case "VFREEBUSY":
		for _, c := range o.Parts {
			s.stored(c, o.Zones)
		}
	case "VAVAILABILITY":
		for _, c := range o.Parts {
			if err := s.availability(c, o.Zones); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sheet) events(o *filter.Subject) error {
	err := o.Series.Each(s.from, s.to, func(x recur.Instance) bool {
		if t := eventType(x.Comp); t != Free && !x.Undated {
			s.add(x.Start, x.End, t)
		}
		return len(s.busy) < maxPeriods
	})
	if err == nil && len(s.busy) >= maxPeriods {
		return recur.ErrBudget
	}
	return err
}

// eventType is that of an event by its STATUS and TRANSP (RFC 4791 §7.10).
func eventType(c *ical.Component) Type {
	switch {
	case strings.EqualFold(c.Value("TRANSP"), "TRANSPARENT"), strings.EqualFold(c.Value("STATUS"), "CANCELLED"):
		return Free
	case strings.EqualFold(c.Value("STATUS"), "TENTATIVE"):
		return Tentative
	}
	return Busy
}

func (s *Sheet) stored(c *ical.Component, z recur.Zones) {
	for _, p := range c.All("FREEBUSY") {
		t := Busy
		if v := p.Param("FBTYPE"); v != "" {
			t = typeOf(v, Busy) // unknown types are busy, RFC 5545 §3.2.9
		}
		list, _ := p.Stamps()
		for _, x := range list {
			if from, to := filter.Span(x, z); t != Free {
				s.add(from, to, t)
			}
		}
	}
}

func (s *Sheet) add(from, to time.Time, t Type) {
	if from.Before(s.from) {
		from = s.from
	}
	if to.After(s.to) {
		to = s.to
	}
	if from.Before(to) {
		s.busy = append(s.busy, Period{from.UTC(), to.UTC(), t})
	}
}

// availability notes what one VAVAILABILITY says (RFC 7953 §3.1): busy within its
// bounds, free within each AVAILABLE.
func (s *Sheet) availability(c *ical.Component, z recur.Zones) error {
	a := availability{priority: 10} // 0 and none are the lowest
	if n, err := strconv.Atoi(strings.TrimSpace(c.Value("PRIORITY"))); err == nil && n > 0 && n < 10 {
		a.priority = n
	}
	start, end := filter.Bounds(c, z)
	if start.IsZero() || start.Before(s.from) {
		start = s.from
	}
	if end.IsZero() || end.After(s.to) {
		end = s.to
	}
	if !start.Before(end) {
		return nil
	}
	a.periods = append(a.periods, Period{start, end, typeOf(c.Value("BUSYTYPE"), Unavailable)})
	seen := map[string]bool{}
	for _, k := range c.Named("AVAILABLE") {
		if seen[k.Value("UID")] {
			continue
		}
		seen[k.Value("UID")] = true
		series, err := recur.New(filter.Siblings(k, c), z)
		if err != nil {
			continue
		}
		err = series.Each(start, end, func(x recur.Instance) bool {
			from, to := x.Start, x.End
			if from.Before(start) {
				from = start
			}
			if to.After(end) {
				to = end
			}
			a.periods = append(a.periods, Period{from, to, Free})
			return len(a.periods) < maxPeriods
		})
		if err != nil {
			return err
		}
	}
	s.avail = append(s.avail, a)
	return nil
}

// Periods returns the busy time in order, without overlaps.
func (s *Sheet) Periods() []Period {
	slices.SortStableFunc(s.avail, func(a, b availability) int { return b.priority - a.priority })
	var painted []Period
	for _, a := range s.avail { // the lowest priority first, the others over it
		painted = paint(painted, a.periods)
	}
	return busiest(append(painted, s.busy...))
}

// paint puts periods over others: where they are, the last one counts.
func paint(under, over []Period) []Period {
	free := busiest(slices.DeleteFunc(slices.Clone(over[1:]), func(p Period) bool { return !p.Start.Before(p.End) }))
	out := cut(under, over[:1])
	return append(out, cut(over[:1], free)...)
}

// cut takes the times of holes, which are in order, out of periods.
func cut(ps, holes []Period) (out []Period) {
	for _, p := range ps {
		for _, h := range holes {
			if !h.End.After(p.Start) || !h.Start.Before(p.End) {
				continue
			}
			if h.Start.After(p.Start) {
				out = append(out, Period{p.Start, h.Start, p.Type})
			}
			if p.Start = h.End; !p.Start.Before(p.End) {
				break
			}
		}
		if p.Start.Before(p.End) {
			out = append(out, p)
		}
	}
	return out
}

// busiest orders periods, keeps the greatest type where they overlap and joins
// those of one type that touch.
func busiest(ps []Period) (out []Period) {
	type edge struct {
		at   time.Time
		t    Type
		step int
	}
	var edges []edge
	for _, p := range ps {
		edges = append(edges, edge{p.Start, p.Type, 1}, edge{p.End, p.Type, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), b.step-a.step) })
	var open [Busy + 1]int
	for i, e := range edges {
		open[e.t] += e.step
		if i+1 == len(edges) || !edges[i+1].at.After(e.at) {
			continue
		}
		for t := Busy; ; t-- {
			if open[t] > 0 {
				if n := len(out); n > 0 && out[n-1].Type == t && out[n-1].End.Equal(e.at) {
					out[n-1].End = edges[i+1].at
				} else {
					out = append(out, Period{e.at, edges[i+1].at, t})
				}
				break
			}
			if t == Free {
				break
			}
		}
	}
	return out
}

// Component writes the sheet as a VFREEBUSY with more lines of its own, each
// without its end (RFC 4791 §7.10, RFC 6638 §5.2).
func (s *Sheet) Component(now time.Time, lines ...string) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(ical.Fold(s, "\r\n")) }
	line("BEGIN:VFREEBUSY")
	for _, l := range lines {
		line(l)
	}
	line("DTSTAMP:" + ical.At(now).String())
	line("DTSTART:" + ical.At(s.from).String())
	line("DTEND:" + ical.At(s.to).String())
	for _, p := range s.Periods() {
		line("FREEBUSY;FBTYPE=" + p.Type.String() + ":" + ical.At(p.Start).String() + "/" + ical.At(p.End).String())
	}
	line("END:VFREEBUSY")
	return b.String()
}
