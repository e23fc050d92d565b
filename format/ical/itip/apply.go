package itip

import (
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
)

// An Action is what a message comes to.
type Action uint8

const (
	// Ignored: it is older than what is known, known already, or about nothing here.
	Ignored Action = iota
	// Stored: Text is the object as it is now.
	Stored
	// Cancelled is Stored of what does not happen any more at all.
	Cancelled
	// Unknown: an instance is added to what is not here; ask with REFRESH.
	Unknown
	// Asked: an attendee wants the REQUEST again.
	Asked
	// Proposed: an attendee proposes other times; nothing has changed.
	Proposed
	// Declined: the organizer declines what was proposed; nothing has changed.
	Declined
	// Uninvited: the answer is of somebody who was not invited; nothing has changed.
	Uninvited
)

// A Result is what applying a message gives.
type Result struct {
	Action Action
	Text   []byte // of Stored and Cancelled
	// Attendee is whose answer, question or proposal it was.
	Attendee, PartStat string
}

// Apply applies a message to the object of its UID, nil when there is none. me is
// whose calendar it is; from is who has sent the message, as far as that is known
// for sure, and decides which of several attendees in it an answer is of. Both are
// addresses as Address gives them. ErrParty when the message is not of the
// organizer it must be of.
func Apply(old *ical.Object, m *Message, me, from string) (r Result, err error) {
	var s *stored
	if old != nil {
		if s, err = index(old); err != nil {
			return r, err
		}
	}
	switch m.Method {
	case Request, Add, Cancel:
		if s != nil && !s.organizedBy(m.Organizer()) {
			return r, fmt.Errorf("%w: organizer %.60q", ErrParty, m.Organizer())
		}
		if m.Organizer() == me {
			return r, fmt.Errorf("%w: of one's own event", ErrParty)
		}
	}
	switch m.Method {
	case Request:
		r, err = request(s, m, me)
	case Add:
		r, err = add(s, m)
	case Cancel:
		r, err = cancel(s, m)
	case DeclineCounter:
		r = Result{Action: Declined}
	default:
		r, err = answer(s, m, me, from)
	}
	if err != nil || r.Text == nil {
		return r, err
	}
	if _, err := filter.ReadText(r.Text, nil); err != nil {
		return Result{}, fmt.Errorf("the message makes no object: %w", err)
	}
	return r, nil
}

func (s *stored) organizedBy(address string) bool {
	for _, c := range s.Parts {
		if p := c.Prop("ORGANIZER"); p != nil && Address(p.Value) != address {
			return false
		}
	}
	return true
}

// request applies REQUEST (RFC 5546 §3.2.2): a new invitation, or another state of
// one.
func request(s *stored, m *Message, me string) (Result, error) {
	fresh := map[*ical.Component]*ical.Component{} // to what it takes the place of
	full := false
	for _, c := range m.Parts {
		id, _ := idOf(c, m.zones)
		var before *ical.Component
		if s != nil {
			before = s.by[id]
		}
		if before != nil && revision(c, before) <= 0 || before == nil && s.hides(c, me) {
			continue
		}
		fresh[c] = before
		full = full || id == ""
	}
	switch {
	case len(fresh) == 0:
		return Result{Action: Ignored}, nil
	case s == nil, full:
		return Result{Action: Stored, Text: replaced(s, m, fresh, me)}, nil
	}
	p := s.Edit()
	for _, c := range m.Parts {
		before, ok := fresh[c]
		switch {
		case !ok:
		case before != nil:
			p.ReplaceComponent(before, received(m, c, s, before, me))
		default:
			known, of := s.regular(c)
			p.AddComponent(s.Component, received(m, c, of, known, me))
		}
	}
	addZones(p, s.Calendar, m.Calendar)
	return Result{Action: Stored, Text: p.Apply()}, nil
}

// replaced makes an object of a message that has the master. Exceptions that it
// does not speak of stay as long as the series is the same.
func replaced(s *stored, m *Message, fresh map[*ical.Component]*ical.Component, me string) []byte {
	p := m.Edit()
	p.Drop(m.Component, "METHOD")
	told := map[string]bool{}
	hidden := s.hidden(m, me)
	for _, c := range m.Parts {
		id, _ := idOf(c, m.zones)
		told[id] = true
		before, ok := fresh[c]
		switch {
		case !ok && s.by[id] == nil:
			p.RemoveComponent(c) // one that is hidden
		case !ok:
			p.ReplaceComponent(c, s.Slice(s.by[id]))
		case s == nil:
			p.ReplaceComponent(c, received(m, c, nil, nil, me))
		case id == "":
			p.ReplaceComponent(c, strings.Replace(received(m, c, s, before, me), m.Head(c), m.Head(c)+hidden, 1))
		default:
			of := s
			if before == nil {
				before, of = s.regular(c)
			}
			p.ReplaceComponent(c, received(m, c, of, before, me))
		}
	}
	if s == nil {
		return p.Apply()
	}
	for _, c := range m.Parts {
		if before := fresh[c]; c.Prop("RECURRENCE-ID") == nil && before != nil && Rescheduled(before, c) {
			return p.Apply()
		}
	}
	for _, c := range s.Parts {
		if id, _ := idOf(c, s.zones); !told[id] {
			p.AddComponent(m.Component, s.Slice(c))
		}
	}
	addZones(p, m.Calendar, s.Calendar)
	return p.Apply()
}

// hides reports whether a component is of an instance that its attendee has thrown
// away and declined: it stays away as long as the organizer knows no other answer.
func (s *stored) hides(c *ical.Component, me string) bool {
	id, ok := c.Stamp("RECURRENCE-ID")
	if a := attendee(c, me); s == nil || s.Master() == nil || !ok || a == nil || !strings.EqualFold(a.Param("PARTSTAT"), "DECLINED") {
		return false
	}
	return slices.Contains(s.listed(s.Master(), "EXDATE"), s.zones.Time(s.like(id)).Unix())
}

// hidden are the lines that keep away what is hidden of a message.
func (s *stored) hidden(m *Message, me string) (lines string) {
	for _, c := range m.Parts {
		if s.hides(c, me) {
			id, _ := c.Stamp("RECURRENCE-ID")
			id = s.like(id)
			lines += ical.Line(m.EOL(), "EXDATE", id.String(), id.Params()...)
		}
	}
	return lines
}

// regular is what an instance was before it had a component of its own, and where that
// stands; nil when it was not.
func (s *stored) regular(c *ical.Component) (*ical.Component, *stored) {
	known, of, err := s.alone(c)
	if err != nil {
		return nil, s
	}
	return known, of
}

// received writes a component of a message as it is kept: without the sender's
// alarms and with one's own, and with one's own answer where the times have not
// changed.
func received(m *Message, c *ical.Component, s *stored, before *ical.Component, me string) string {
	var b strings.Builder
	b.WriteString(m.Head(c))
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name == "ATTENDEE" && Address(p.Value) == me && before != nil && p.Param("PARTSTAT") == "NEEDS-ACTION" && sequence(before) == sequence(c) && !Rescheduled(before, c) {
			if mine := attendee(before, me); mine != nil && mine.HasParam("PARTSTAT") {
				q := p.With("PARTSTAT", mine.Param("PARTSTAT"))
				b.WriteString(q.Line(m.EOL()))
				continue
			}
		}
		b.WriteString(m.Lines(p))
	}
	for _, k := range c.Children {
		if k.Name != "VALARM" {
			b.WriteString(m.Slice(k))
		}
	}
	if before != nil {
		for _, k := range before.Named("VALARM") {
			b.WriteString(s.Slice(k))
		}
	}
	b.WriteString(m.Tail(c))
	return b.String()
}

// addZones brings the time zones that another calendar has and this one has not.
func addZones(p *ical.Patch, to, from *ical.Calendar) {
	have := map[string]bool{}
	for _, z := range to.Named("VTIMEZONE") {
		have[z.Text("TZID")] = true
	}
	for _, z := range from.Named("VTIMEZONE") {
		if !have[z.Text("TZID")] {
			p.AddComponent(to.Component, from.Slice(z))
		}
	}
}

// add applies ADD (RFC 5546 §3.2.4): an RDATE with an instance of its own.
func add(s *stored, m *Message) (Result, error) {
	if s == nil || s.Master() == nil {
		return Result{Action: Unknown}, nil
	}
	c, master := m.Parts[0], s.Master()
	start, ok := c.Stamp("DTSTART")
	if !ok {
		return Result{}, fmt.Errorf("%w: ADD without DTSTART", ErrMethod)
	}
	id := s.like(start)
	if sequence(c) <= sequence(master) || s.by[idText(id, s.zones)] != nil {
		return Result{Action: Ignored}, nil
	}
	p := s.Edit()
	p.Add(master, ical.Prop{Name: "RDATE", Params: id.Params(), Value: id.String()})
	p.Set(master, ical.Prop{Name: "SEQUENCE", Value: c.Value("SEQUENCE")})
	text := received(m, c, s, master, "")
	line := ical.Line(m.EOL(), "RECURRENCE-ID", id.String(), id.Params()...)
	p.AddComponent(s.Component, strings.Replace(text, m.Head(c), m.Head(c)+line, 1))
	addZones(p, s.Calendar, m.Calendar)
	return Result{Action: Stored, Text: p.Apply()}, nil
}
