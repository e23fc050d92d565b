package itip

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// answer applies what attendees send: REPLY, REFRESH and COUNTER (RFC 5546 §3.2.3,
// §3.2.6, §3.2.7).
func answer(s *stored, m *Message, me, from string) (Result, error) {
	who, err := m.whose(from)
	if err != nil || s == nil {
		return Result{Action: Ignored, Attendee: who}, err
	}
	if !s.organizedBy(me) {
		return Result{}, fmt.Errorf("%w: an answer to what somebody else organizes", ErrParty)
	}
	r := Result{Attendee: who, PartStat: strings.ToUpper(attendee(m.Parts[0], who).Param("PARTSTAT"))}
	switch m.Method {
	case Refresh:
		r.Action = Asked
	case Counter:
		r.Action = Proposed
	default:
		return s.replied(m, r)
	}
	if !s.invites(who) {
		r.Action = Uninvited
	}
	return r, nil
}

// Delegates reports whether an answer names somebody who comes instead.
func (m *Message) Delegates() bool {
	return m.Method == Reply && slices.ContainsFunc(m.Parts, func(c *ical.Component) bool {
		return slices.ContainsFunc(c.All("ATTENDEE"), func(p *ical.Prop) bool { return p.HasParam("DELEGATED-TO") })
	})
}

// whose is the attendee that a message is of: the only one in it, or the one who
// has sent it.
func (m *Message) whose(from string) (string, error) {
	all := m.Parts[0].All("ATTENDEE")
	who := Address(all[0].Value)
	if len(all) > 1 {
		who = from
	}
	for _, c := range m.Parts {
		if attendee(c, who) == nil {
			return "", fmt.Errorf("%w: whose answer it is", ErrParty)
		}
	}
	return who, nil
}

func (s *stored) invites(who string) bool {
	for _, c := range s.Parts {
		if attendee(c, who) != nil {
			return true
		}
	}
	return false
}

// replied enters an answer (§3.2.3), to instances that have no component of their
// own by giving them one.
func (s *stored) replied(m *Message, r Result) (Result, error) {
	if !s.invites(r.Attendee) {
		r.Action = Uninvited
		return r, nil
	}
	p := s.Edit()
	for _, c := range m.Parts {
		given := attendee(c, r.Attendee)
		rid := c.Prop("RECURRENCE-ID")
		if rid == nil {
			if master := s.Master(); master != nil {
				enter(p, master, c, given)
			}
			continue
		}
		id, err := rid.Stamp()
		if err != nil {
			return Result{}, err
		}
		if s.Master() != nil {
			id = s.like(id)
		}
		if own := s.by[idText(id, s.zones)]; own != nil {
			enter(p, own, c, given)
			continue
		}
		text, err := s.enterInstance(id, c, given)
		if err != nil && !errors.Is(err, errNotThere) {
			return Result{}, err
		}
		if text != "" {
			p.AddComponent(s.Component, text)
		}
	}
	if !p.Changed() {
		r.Action = Ignored
		return r, nil
	}
	r.Action, r.Text = Stored, p.Apply()
	return r, nil
}

// enterInstance makes an instance's own component with an answer in it.
func (s *stored) enterInstance(id ical.Stamp, c *ical.Component, given *ical.Prop) (string, error) {
	text, err := s.instance(id)
	if err != nil {
		return "", err
	}
	const head, tail = "BEGIN:VCALENDAR\r\n", "END:VCALENDAR\r\n"
	one, err := ical.Parse([]byte(head + text + tail))
	if err != nil {
		return "", err
	}
	p := one.Edit()
	if enter(p, one.Children[0], c, given); !p.Changed() {
		return "", nil
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(p.Apply()), head), tail), nil
}

// replyParam keeps SEQUENCE and DTSTAMP of an attendee's last answer, which RFC
// 5546 §2.1.5 has the organizer persist.
const replyParam = "X-ESSAIM-REPLY"

func replyMark(c *ical.Component) string {
	return strconv.Itoa(sequence(c)) + "/" + strconv.FormatInt(stamped(c), 10)
}

// older reports whether an answer came before the one that is noted.
func older(c *ical.Component, mark string) bool {
	a, b, ok := strings.Cut(mark, "/")
	if !ok {
		return false
	}
	seq, _ := strconv.Atoi(a)
	at, _ := strconv.ParseInt(b, 10, 64)
	return sequence(c) < seq || sequence(c) == seq && stamped(c) <= at
}

// enter puts an answer on the attendee's line, unless a later one is there or it
// answers what has been changed since. One without SEQUENCE is to what there is.
func enter(p *ical.Patch, to, c *ical.Component, given *ical.Prop) {
	line := attendee(to, Address(given.Value))
	if line == nil || older(c, line.Param(replyParam)) || c.Prop("SEQUENCE") != nil && sequence(c) < sequence(to) {
		return
	}
	stat := strings.ToUpper(given.Param("PARTSTAT"))
	if stat == "" {
		stat = "NEEDS-ACTION"
	}
	q := line.With("PARTSTAT", stat)
	q = q.With("RSVP")
	q = q.With(replyParam, replyMark(c))
	status := "2.0"
	if v := c.Value("REQUEST-STATUS"); v != "" {
		status, _, _ = strings.Cut(v, ";")
	}
	q = q.With("SCHEDULE-STATUS", status)
	if to := given.Param("DELEGATED-TO"); stat == "DELEGATED" && to != "" {
		q = q.With("DELEGATED-TO", to)
	}
	p.Replace(line, q)
	if d := given.Param("DELEGATED-TO"); stat == "DELEGATED" && d != "" && attendee(to, Address(d)) == nil {
		p.Add(to, ical.Prop{Name: "ATTENDEE", Value: d, Params: []ical.Param{
			{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}, {Name: "RSVP", Values: []string{"TRUE"}}, {Name: "DELEGATED-FROM", Values: []string{given.Value}}}})
	}
}
