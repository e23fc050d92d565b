// Package recur expands recurrences (RFC 5545 §3.8.5): rules on the wall clock,
// and series of a component with its dates, exceptions and overridden instances.
//
// What it promises: instances come lazily, in the order of their starts, within
// the window that is asked for; a rule without end is expanded wherever in time
// one looks, and what lies before the window is passed over by arithmetic where
// the rule allows. Work is counted, not timed: what takes more than Budget ends
// with ErrBudget. An Iter or a call of Each takes a few milliseconds at most.
//
// RFCs: 5545 §3.3.10 (all parts), §3.8.4.4 (RECURRENCE-ID with THISANDFUTURE),
// §3.8.5 (EXDATE, RDATE with PERIOD, RRULE, several of each); 7529 is refused.
package recur

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/format/ical"
)

// Zones resolve wall clocks; *zone.Zones is one.
type Zones interface {
	Location(ical.Stamp) *time.Location
	Time(ical.Stamp) time.Time
}

// An Instance is one happening of a series.
type Instance struct {
	Comp       *ical.Component // what describes it
	Start, End time.Time       // End is Start when it has no length
	AllDay     bool
	Period     bool       // its length is that of a PERIOD in RDATE
	Undated    bool       // neither start nor end nor due date: Start and End say nothing
	Recurs     bool       // one of several, or an overridden one
	ID         ical.Stamp // then its RECURRENCE-ID: the start that the master gives it
}

// A Series is a component with all that belongs to it.
type Series struct {
	zones  Zones
	master *piece
	loc    *time.Location // of the master's start
	rules  []*Rule
	until  []int64
	dates  []date  // RDATEs on the master's clock, in order
	later  []later // THISANDFUTURE, in order of their IDs
	alone  []Instance
	gone   map[int64]bool // instants that are excluded or overridden
	days   map[int64]bool // days on the master's clock that are
	spread int64          // seconds from an ID to the end of its instance, at most
	shift  int64          // seconds that an instance starts before or after its ID, at most
}

// A piece is a component with its start and length.
type piece struct {
	comp     *ical.Component
	start    ical.Stamp
	undated  bool
	seconds  int64 // exact
	duration *ical.Duration
}

type date struct {
	wall    int64
	seconds int64 // length of a PERIOD, -1 without
}

type later struct {
	id, shift int64
	*piece
}

const maxRules = 8

// New reads the components of one UID: at most one master and its overridden
// instances.
func New(parts []*ical.Component, z Zones) (*Series, error) {
	s := &Series{zones: z, gone: map[int64]bool{}, days: map[int64]bool{}, loc: time.UTC}
	for _, c := range parts {
		if c.Prop("RECURRENCE-ID") == nil {
			if err := s.setMaster(c); err != nil {
				return nil, err
			}
			break
		}
	}
	for _, c := range parts {
		if p := c.Prop("RECURRENCE-ID"); p != nil {
			if err := s.override(c, p); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(s.alone, func(a, b Instance) int { return a.Start.Compare(b.Start) })
	slices.SortFunc(s.later, func(a, b later) int { return cmp.Compare(a.id, b.id) })
	return s, nil
}

// newPiece reads start and length (RFC 5545 §3.6.1, §3.6.2).
func (s *Series) newPiece(c *ical.Component) (*piece, error) {
	p := &piece{comp: c}
	start := c.Prop("DTSTART")
	end := c.Prop("DTEND")
	if c.Name == "VTODO" {
		end = c.Prop("DUE")
	}
	var err error
	switch {
	case start == nil && end == nil:
		p.undated = true
		return p, nil
	case start == nil:
		p.start, err = end.Stamp()
		return p, err
	}
	if p.start, err = start.Stamp(); err != nil {
		return nil, err
	}
	switch d := c.Prop("DURATION"); {
	case end != nil:
		e, err := end.Stamp()
		if err != nil {
			return nil, err
		}
		if p.start.Date && e.Date {
			p.duration = &ical.Duration{Days: max(0, (e.Wall-p.start.Wall)/daySeconds)}
		} else { // "the same exact duration" (§3.8.5.3)
			p.seconds = max(0, s.zones.Time(e).Unix()-s.zones.Time(p.start).Unix())
		}
	case d != nil:
		dur, err := ical.ParseDuration(d.Value)
		if err != nil {
			return nil, err
		}
		if dur.Exact() > 0 {
			p.duration = &dur
		}
	case p.start.Date && c.Name != "VTODO":
		p.duration = &ical.Duration{Days: 1}
	}
	return p, nil
}

// length is at most how long an instance lasts, in seconds.
func (p *piece) length() int64 {
	if p.duration != nil {
		return int64(p.duration.Exact()/time.Second) + daySeconds
	}
	return p.seconds
}

// end is when an instance that starts at wall, and at start, is over.
func (p *piece) end(wall int64, start time.Time, loc *time.Location) time.Time {
	if d := p.duration; d != nil {
		if d.Days != 0 {
			start = ical.Instant(wall+d.Days*daySeconds, loc)
		}
		return start.Add(time.Duration(d.Seconds) * time.Second)
	}
	return start.Add(time.Duration(p.seconds) * time.Second)
}

func (s *Series) setMaster(c *ical.Component) (err error) {
	if s.master, err = s.newPiece(c); err != nil {
		return err
	}
	s.loc, s.spread = s.zones.Location(s.master.start), s.master.length()
	if s.master.undated {
		return nil
	}
	for _, p := range c.All("RRULE") {
		r, err := ParseRule(p.Value)
		switch {
		case err != nil:
			return err
		case len(s.rules) == maxRules:
			return fmt.Errorf("%w: more than %d RRULEs", ical.ErrLimit, maxRules)
		case s.master.start.Date && r.Freq > Daily:
			return fmt.Errorf("%w: %s of a date", errRule, freqs[r.Freq])
		}
		s.rules, s.until = append(s.rules, r), append(s.until, s.wallUntil(r))
	}
	for _, p := range c.All("RDATE") {
		if err := s.addDates(p); err != nil {
			return err
		}
	}
	slices.SortFunc(s.dates, func(a, b date) int { return cmp.Compare(a.wall, b.wall) })
	for _, p := range c.All("EXDATE") {
		list, err := p.Stamps()
		if err != nil {
			return err
		}
		for _, x := range list {
			s.exclude(x.Start)
		}
	}
	return nil
}

// wallUntil is UNTIL on the master's clock, inclusive. A date ends with its day.
func (s *Series) wallUntil(r *Rule) int64 {
	u := r.Until
	switch {
	case u.Date && !s.master.start.Date:
		return u.Wall + daySeconds - 1
	case u.UTC && !s.master.start.Date:
		return ical.WallOf(time.Unix(u.Wall, 0), s.loc)
	case s.master.start.Date:
		return floorDiv(u.Wall, daySeconds) * daySeconds
	}
	return u.Wall
}

func (s *Series) addDates(p *ical.Prop) error {
	list, err := p.Stamps()
	if err != nil {
		return err
	}
	for _, x := range list {
		d := date{s.onClock(x.Start), -1}
		start := s.zones.Time(x.Start)
		switch {
		case x.Explicit:
			d.seconds = max(0, s.zones.Time(x.End).Unix()-start.Unix())
		case x.Length != ical.Duration{}:
			loc := s.zones.Location(x.Start)
			d.seconds = max(0, ical.Instant(x.Start.Wall+x.Length.Days*daySeconds, loc).Unix()+x.Length.Seconds-start.Unix())
		}
		s.spread = max(s.spread, d.seconds)
		s.dates = append(s.dates, d)
	}
	return nil
}

// onClock is a stamp on the master's clock.
func (s *Series) onClock(x ical.Stamp) int64 {
	m := s.master.start
	switch {
	case m.Date || x.Date:
		if x.UTC {
			return floorDiv(x.Wall, daySeconds) * daySeconds
		}
		if m.Date {
			return floorDiv(x.Wall, daySeconds) * daySeconds
		}
		clock := m.Wall - floorDiv(m.Wall, daySeconds)*daySeconds
		return x.Wall + clock
	case x.TZID == m.TZID && x.UTC == m.UTC:
		return x.Wall
	}
	return ical.WallOf(s.zones.Time(x), s.loc)
}

// exclude takes an instance out. A date excludes the day's instances.
func (s *Series) exclude(x ical.Stamp) {
	if x.Date || s.master.start.Date {
		s.days[floorDiv(s.onClock(x), daySeconds)] = true
		return
	}
	s.gone[s.zones.Time(x).Unix()] = true
}

// override reads an overridden instance, or what holds from one on.
func (s *Series) override(c *ical.Component, p *ical.Prop) error {
	id, err := p.Stamp()
	if err != nil {
		return err
	}
	x, err := s.newPiece(c)
	if err != nil {
		return err
	}
	if s.master != nil && !s.master.undated && p.Param("RANGE") == "THISANDFUTURE" && !x.undated {
		at := s.onClock(id)
		shift := s.onClock(x.start) - at
		s.later = append(s.later, later{at, shift, x})
		s.spread = max(s.spread, x.length())
		s.shift = max(s.shift, shift, -shift)
		return nil
	}
	if s.master != nil && !s.master.undated {
		s.exclude(id)
	}
	loc := s.zones.Location(x.start)
	start := ical.Instant(x.start.Wall, loc)
	s.alone = append(s.alone, Instance{Comp: c, Start: start, End: x.end(x.start.Wall, start, loc), AllDay: x.start.Date,
		Undated: x.undated, Recurs: true, ID: id})
	return nil
}

// Recurs reports whether there can be more than one instance.
func (s *Series) Recurs() bool { return len(s.rules)+len(s.dates)+len(s.alone)+len(s.later) > 0 }

// Rules are the master's.
func (s *Series) Rules() []*Rule { return s.rules }

// Original is when an overridden instance would have been.
func (s *Series) Original(id ical.Stamp) (start, end time.Time) {
	if s.master == nil || s.master.undated {
		start = s.zones.Time(id)
		return start, start
	}
	wall := s.onClock(id)
	start = ical.Instant(wall, s.loc)
	return start, s.master.end(wall, start, s.loc)
}
