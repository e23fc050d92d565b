package recur

import (
	"time"

	"essaim.coop/essaim/format/ical"
)

// Each calls fn with the instances that end at or after from and start before
// to, in order, until it returns false. A zero time is no bound. ErrBudget says
// that there may be more.
func (s *Series) Each(from, to time.Time, fn func(Instance) bool) error {
	alone := s.alone
	before := func(limit time.Time, all bool) bool { // gives overridden instances in their turn
		for len(alone) > 0 && (all || !alone[0].Start.After(limit)) {
			x := alone[0]
			alone = alone[1:]
			if x.within(from, to) && !fn(x) {
				return false
			}
		}
		return true
	}
	more := true
	err := s.regular(from, to, func(x Instance) bool {
		more = before(x.Start, false) && fn(x)
		return more
	})
	if more {
		before(time.Time{}, true)
	}
	return err
}

func (x *Instance) within(from, to time.Time) bool {
	return x.Undated || (from.IsZero() || !x.End.Before(from)) && (to.IsZero() || x.Start.Before(to))
}

// regular gives the instances that are not overridden one by one.
func (s *Series) regular(from, to time.Time, fn func(Instance) bool) error {
	if s.master == nil {
		return nil
	}
	if s.master.undated {
		fn(Instance{Comp: s.master.comp, Undated: true})
		return nil
	}
	last := int64(1<<62 - 1)
	if !to.IsZero() {
		last = ical.WallOf(to, s.loc) + s.shift + daySeconds
	}
	m := s.merge(from, last)
	before := int64(-1 << 62)
	for {
		d, ok := m.next()
		if !ok || d.wall > last {
			return m.err()
		}
		start := ical.Instant(d.wall, s.loc)
		if start.Unix() == before {
			continue // an hour that the clocks skip, and the one it is moved to
		}
		before = start.Unix()
		x, ok := s.instance(d, start)
		if ok && x.within(from, to) && !fn(x) {
			return nil
		}
	}
}

// instance makes what happens at a date, which starts at start but for a
// THISANDFUTURE; false when it is taken out.
func (s *Series) instance(d date, start time.Time) (Instance, bool) {
	if s.gone[start.Unix()] || s.days[floorDiv(d.wall, daySeconds)] {
		return Instance{}, false
	}
	id := s.master.start
	id.Wall = d.wall
	p, loc := s.master, s.loc
	for i := len(s.later) - 1; i >= 0; i-- {
		if l := s.later[i]; d.wall >= l.id {
			p = l.piece
			d.wall += l.shift
			start = ical.Instant(d.wall, loc)
			break
		}
	}
	x := Instance{Comp: p.comp, Start: start, End: p.end(d.wall, start, loc), AllDay: p.start.Date, Recurs: s.Recurs(), ID: id}
	if d.seconds >= 0 {
		x.End, x.Period = start.Add(time.Duration(d.seconds)*time.Second), true
	}
	return x, true
}

// A merged joins the rules and the dates of a series in order, each once.
type merged struct {
	iters []*Iter
	heads []int64
	ok    []bool
	dates []date
	last  int64
	begun bool
}

func (s *Series) merge(from time.Time, last int64) *merged {
	m := &merged{dates: s.dates}
	skip := int64(-1 << 62)
	if !from.IsZero() {
		skip = ical.WallOf(from, s.loc) - s.spread - s.shift - daySeconds
	}
	for i, r := range s.rules {
		it := r.Iter(s.master.start, s.until[i])
		it.Skip(skip)
		it.End(last)
		m.iters = append(m.iters, it)
		w, ok := it.Next()
		m.heads, m.ok = append(m.heads, w), append(m.ok, ok)
	}
	if len(s.rules) == 0 {
		m.iters, m.heads, m.ok = append(m.iters, &Iter{finished: true, begun: true, r: &Rule{}}), append(m.heads, s.master.start.Wall), append(m.ok, true)
	}
	for len(m.dates) > 0 && m.dates[0].wall < skip {
		m.dates = m.dates[1:]
	}
	return m
}

// next returns the earliest date that was not given yet; one of a PERIOD has its
// length before one of a rule.
func (m *merged) next() (d date, ok bool) {
	for {
		best := -1
		for i := range m.iters {
			if m.ok[i] && (best < 0 || m.heads[i] < m.heads[best]) {
				best = i
			}
		}
		switch {
		case len(m.dates) > 0 && (best < 0 || m.dates[0].wall <= m.heads[best]):
			d = m.dates[0]
			m.dates = m.dates[1:]
		case best >= 0:
			d = date{m.heads[best], -1}
			m.heads[best], m.ok[best] = m.iters[best].Next()
		default:
			return date{}, false
		}
		if !m.begun || d.wall > m.last {
			m.begun, m.last = true, d.wall
			return d, true
		}
	}
}

func (m *merged) err() error {
	for _, it := range m.iters {
		if it.err != nil {
			return it.err
		}
	}
	return nil
}

// Extent is when the first instance starts and, unless the series is endless,
// when the last one is over; the latter may be late, never early. A series that
// takes too much work to follow is endless. dated is false when nothing has a
// date.
func (s *Series) Extent() (first, last time.Time, endless, dated bool) {
	take := func(start, end time.Time) {
		if !dated || start.Before(first) {
			first = start
		}
		if !dated || end.After(last) {
			last = end
		}
		dated = true
	}
	for _, x := range s.alone {
		if !x.Undated {
			take(x.Start, x.End)
		}
	}
	if s.master == nil || s.master.undated {
		return first, last, false, dated
	}
	shift, spread := time.Duration(s.shift)*time.Second, time.Duration(s.spread+s.shift)*time.Second
	span := func(wall int64) {
		t := ical.Instant(wall, s.loc)
		take(t.Add(-shift), t.Add(spread))
	}
	span(s.master.start.Wall)
	if n := len(s.dates); n > 0 {
		span(s.dates[0].wall)
		span(s.dates[n-1].wall)
	}
	for i, r := range s.rules {
		switch {
		case r.Endless():
			endless = true
		case r.HasUntil:
			span(max(s.until[i], s.master.start.Wall))
		default:
			it := r.Iter(s.master.start, 0)
			end := s.master.start.Wall
			for w, ok := it.Next(); ok; w, ok = it.Next() {
				end = w
			}
			span(end)
			endless = endless || it.err != nil
		}
	}
	return first, last, endless, dated
}
