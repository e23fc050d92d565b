package itip

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
)

// Product is the PRODID of the messages made here.
const Product = "-//essaim//iTIP//EN"

// A Sender makes messages at a time.
type Sender struct{ Now time.Time }

// Request is the invitation of one attendee to an object: what it has of theirs.
// "" is everybody (RFC 5546 §3.2.2). nil when the attendee is not invited.
func (w Sender) Request(o *ical.Object, to string) []byte {
	return w.write(o, Request, mine(o, to), nil)
}

// Counter is what an attendee proposes in place of an object: the object as the
// attendee wants it (§3.2.7).
func (w Sender) Counter(o *ical.Object, me string) []byte {
	return w.write(o, Counter, mine(o, me), nil)
}

// Add sends an instance to those who know the series (§3.2.4). The component is
// an exception of the object; its SEQUENCE is to be greater than it was.
func (w Sender) Add(o *ical.Object, c *ical.Component) []byte {
	return w.write(o, Add, []*ical.Component{c}, func(p *ical.Prop) bool { return p.Name != "RECURRENCE-ID" })
}

// Cancel tells an attendee that they are not expected any more: to anything, or
// to instances, given by their RECURRENCE-IDs (§3.2.5). SEQUENCE is raised.
func (w Sender) Cancel(o *ical.Object, to string, instances ...ical.Stamp) []byte {
	parts := mine(o, to)
	if parts == nil {
		return nil
	}
	keep := func(p *ical.Prop) bool {
		switch p.Name {
		case "ATTENDEE":
			return Address(p.Value) == to
		case "SEQUENCE", "STATUS", "RRULE", "RDATE", "EXDATE":
			return false
		}
		return true
	}
	more := func(c *ical.Component) []ical.Prop {
		return []ical.Prop{{Name: "STATUS", Value: "CANCELLED"}, {Name: "SEQUENCE", Value: strconv.Itoa(sequence(c) + 1)}}
	}
	if len(instances) == 0 {
		if m := o.Master(); m != nil && slices.Contains(parts, m) {
			parts = []*ical.Component{m}
		}
		return w.message(o, Cancel, parts, keep, more)
	}
	m := parts[0]
	var b strings.Builder
	for _, id := range instances {
		b.WriteString(w.component(o, m, func(p *ical.Prop) bool { return keep(p) && !slices.Contains(when, p.Name) }, func(c *ical.Component) []ical.Prop {
			return append(more(c), ical.Prop{Name: "RECURRENCE-ID", Params: id.Params(), Value: id.String()})
		}))
	}
	return w.wrap(o, Cancel, []*ical.Component{m}, b.String())
}

var when = []string{"DTSTART", "DTEND", "DURATION", "DUE", "RECURRENCE-ID"}

// Reply is an attendee's answer in some components of an object, all when none are
// named (§3.2.3). nil when the attendee is in none of them.
func (w Sender) Reply(o *ical.Object, me string, parts ...*ical.Component) []byte {
	if len(parts) == 0 {
		parts = mine(o, me)
	}
	parts = slices.DeleteFunc(slices.Clone(parts), func(c *ical.Component) bool { return attendee(c, me) == nil })
	return w.write(o, Reply, parts, only(me))
}

// Decline is the answer of an attendee who has thrown an object away.
func (w Sender) Decline(o *ical.Object, me string) []byte {
	p := o.Edit()
	for _, c := range o.Parts {
		if a := attendee(c, me); a != nil {
			p.Replace(a, a.With("PARTSTAT", "DECLINED"))
		}
	}
	cal, err := ical.Parse(p.Apply())
	if err != nil {
		return nil
	}
	n, err := cal.Object()
	if err != nil {
		return nil
	}
	return w.Reply(n, me)
}

// Refresh asks the organizer for an object again (§3.2.6).
func (w Sender) Refresh(m *Message, me string) []byte {
	var b strings.Builder
	line := func(name, v string) { b.WriteString(ical.Line("\r\n", name, v)) }
	line("BEGIN", m.Type)
	line("UID", m.Parts[0].Value("UID"))
	line("DTSTAMP", ical.At(w.Now).String())
	line("ORGANIZER", m.Parts[0].Value("ORGANIZER"))
	line("ATTENDEE", "mailto:"+me)
	line("END", m.Type)
	return envelope(Refresh, b.String())
}

// DeclineCounter tells an attendee that what they proposed is not to be (§3.2.8).
func (w Sender) DeclineCounter(m *Message) []byte {
	o := &ical.Object{Calendar: m.Calendar, Type: m.Type, UID: m.UID, Parts: m.Parts}
	return w.write(o, DeclineCounter, m.Parts, only(""))
}

// only keeps what names a component and, of the attendees, one, or all for "".
func only(me string) func(*ical.Prop) bool {
	return func(p *ical.Prop) bool {
		switch p.Name {
		case "UID", "ORGANIZER", "SEQUENCE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "DUE", "SUMMARY", "COMMENT", "REQUEST-STATUS":
			return true
		case "ATTENDEE":
			return me == "" || Address(p.Value) == me
		}
		return false
	}
}

// mine are the components that an attendee is in, all of them for "".
func mine(o *ical.Object, who string) (out []*ical.Component) {
	for _, c := range o.Parts {
		if who == "" || attendee(c, who) != nil {
			out = append(out, c)
		}
	}
	return out
}

// write is message without properties of its own, but that the master of an
// invitation does not have the instances that the attendee is not invited to.
func (w Sender) write(o *ical.Object, method Method, parts []*ical.Component, keep func(*ical.Prop) bool) []byte {
	var more func(*ical.Component) []ical.Prop
	if master := o.Master(); method == Request && master != nil && slices.Contains(parts, master) {
		s := &stored{o, zone.Of(o.Calendar, nil), nil}
		more = func(c *ical.Component) (out []ical.Prop) {
			for _, k := range o.Parts {
				if id, ok := k.Stamp("RECURRENCE-ID"); ok && c == master && !slices.Contains(parts, k) {
					id = s.like(id)
					out = append(out, ical.Prop{Name: "EXDATE", Params: id.Params(), Value: id.String()})
				}
			}
			return out
		}
	}
	return w.message(o, method, parts, keep, more)
}

// message writes components of an object as a message: what keep says of their
// properties, and more properties; nil when there are none.
func (w Sender) message(o *ical.Object, method Method, parts []*ical.Component, keep func(*ical.Prop) bool, more func(*ical.Component) []ical.Prop) []byte {
	if len(parts) == 0 {
		return nil
	}
	var b strings.Builder
	for _, c := range parts {
		b.WriteString(w.component(o, c, keep, more))
	}
	return w.wrap(o, method, parts, b.String())
}

// wrap adds the time zones that the components use.
func (w Sender) wrap(o *ical.Object, method Method, parts []*ical.Component, text string) []byte {
	used := map[string]bool{}
	for _, c := range parts {
		for i := range c.Props {
			used[c.Props[i].Param("TZID")] = true
		}
	}
	zones := ""
	for _, z := range o.Named("VTIMEZONE") {
		if used[z.Text("TZID")] {
			zones += whole(o.Slice(z))
		}
	}
	return envelope(method, zones+text)
}

func envelope(method Method, text string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:" + Product + "\r\nMETHOD:" + string(method) + "\r\n" + text + "END:VCALENDAR\r\n")
}

// component writes one as it is sent: with DTSTAMP, without alarms and without
// what a server notes for itself (RFC 6638 §7.1 to §7.3).
func (w Sender) component(o *ical.Object, c *ical.Component, keep func(*ical.Prop) bool, more func(*ical.Component) []ical.Prop) string {
	var b strings.Builder
	b.WriteString(ical.Line("\r\n", "BEGIN", c.Name))
	b.WriteString(ical.Line("\r\n", "DTSTAMP", ical.At(w.Now).String()))
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name == "DTSTAMP" || keep != nil && !keep(p) {
			continue
		}
		q, changed := *p, false
		for _, name := range serverParams {
			if q.HasParam(name) {
				q, changed = q.With(name), true
			}
		}
		if changed {
			b.WriteString(q.Line("\r\n"))
		} else {
			b.WriteString(whole(o.Lines(p)))
		}
	}
	if more != nil {
		for _, p := range more(c) {
			b.WriteString(p.Line("\r\n"))
		}
	}
	for _, k := range c.Children {
		if k.Name != "VALARM" {
			b.WriteString(whole(o.Slice(k)))
		}
	}
	b.WriteString(ical.Line("\r\n", "END", c.Name))
	return b.String()
}

var serverParams = []string{"SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", replyParam}

// whole gives lines the end that messages have.
func whole(lines string) string {
	return strings.ReplaceAll(strings.ReplaceAll(lines, "\r\n", "\n"), "\n", "\r\n")
}
