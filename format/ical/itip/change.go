package itip

import (
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// An Out is a message to be sent.
type Out struct {
	To     string // an address
	Method Method
	Text   []byte
}

// Organized are the messages that the organizer's change of an object sends (RFC
// 6638 §3.2.1): CANCEL to whom it does not invite any more, REQUEST to whom it
// invites anew or for whom something has changed. old or new is nil when the
// object is made or removed. Attendees that a client or nobody serves
// (SCHEDULE-AGENT) get nothing.
func (w Sender) Organized(old, new *ical.Object, me string) (out []Out) {
	before, after := invited(old, me), invited(new, me)
	for _, to := range before {
		if !slices.Contains(after, to) {
			out = append(out, Out{to, Cancel, w.Cancel(old, to)})
		}
	}
	for _, to := range after {
		text := w.Request(new, to)
		if slices.Contains(before, to) && essence(w.Request(old, to)) == essence(text) && !forced(new, to) {
			continue
		}
		out = append(out, Out{to, Request, text})
	}
	return out
}

// invited are the attendees that the server has to tell.
func invited(o *ical.Object, me string) (out []string) {
	if o == nil {
		return nil
	}
	for _, c := range o.Parts {
		for _, p := range c.All("ATTENDEE") {
			a := Address(p.Value)
			if agent := p.Param("SCHEDULE-AGENT"); a != me && a != "" && (agent == "" || strings.EqualFold(agent, "SERVER")) && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	slices.Sort(out)
	return out
}

// forced reports whether the client wants an attendee told whatever has changed
// (RFC 6638 §7.2).
func forced(o *ical.Object, to string) bool {
	for _, c := range o.Parts {
		if p := attendee(c, to); p != nil && strings.EqualFold(p.Param("SCHEDULE-FORCE-SEND"), "REQUEST") {
			return true
		}
	}
	return false
}

// essence is what a message says to people: without times of writing, and without
// the answers of others.
func essence(text []byte) string {
	cal, err := ical.Parse(text)
	if err != nil {
		return string(text)
	}
	var lines []string
	for _, c := range cal.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		from := len(lines)
		for i := range c.Props {
			p := &c.Props[i]
			switch p.Name {
			case "DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE":
				continue
			case "ATTENDEE":
				lines = append(lines, "ATTENDEE:"+Address(p.Value))
				continue
			}
			lines = append(lines, p.Line(""))
		}
		slices.Sort(lines[from:])
		lines = append(lines, "END:"+c.Name)
	}
	return strings.Join(lines, "\n")
}

// Attended is the REPLY that an attendee's change of an object sends (RFC 6638
// §3.2.2.3), nil when nothing has been answered: of the components with another
// PARTSTAT, and of the instances that were thrown away.
func (w Sender) Attended(old, new *ical.Object, me string) *Out {
	to := organizer(old)
	if p := old.Parts[0].Prop("ORGANIZER"); p == nil || to == me || p.HasParam("SCHEDULE-AGENT") && !strings.EqualFold(p.Param("SCHEDULE-AGENT"), "SERVER") {
		return nil
	}
	if new == nil {
		if text := w.Decline(old, me); text != nil {
			return &Out{to, Reply, text}
		}
		return nil
	}
	a, err1 := index(old)
	b, err2 := index(new)
	if err1 != nil || err2 != nil {
		return nil
	}
	var parts []*ical.Component
	for _, c := range new.Parts {
		id, _ := idOf(c, b.zones)
		before := a.by[id]
		if before == nil {
			before = a.Master()
		}
		if before != nil && partstat(before, me) != partstat(c, me) && attendee(c, me) != nil {
			parts = append(parts, c)
		}
	}
	var b2 strings.Builder
	for _, c := range parts {
		b2.WriteString(w.component(new, c, only(me), nil))
	}
	b2.WriteString(w.thrownAway(a, b, me))
	if b2.Len() == 0 {
		return nil
	}
	return &Out{to, Reply, w.wrap(new, Reply, new.Parts, b2.String())}
}

func organizer(o *ical.Object) string { return Address(o.Parts[0].Value("ORGANIZER")) }

func partstat(c *ical.Component, who string) string {
	if p := attendee(c, who); p != nil && p.HasParam("PARTSTAT") {
		return strings.ToUpper(p.Param("PARTSTAT"))
	}
	return "NEEDS-ACTION"
}

// thrownAway declines the instances that the attendee's program has added to
// EXDATE.
func (w Sender) thrownAway(old, new *stored, me string) string {
	was, is := old.Master(), new.Master()
	if was == nil || is == nil || attendee(is, me) == nil {
		return ""
	}
	known := map[string]bool{}
	for _, p := range was.All("EXDATE") {
		list, _ := p.Stamps()
		for _, x := range list {
			known[idText(old.like(x.Start), old.zones)] = true
		}
	}
	var b strings.Builder
	for _, p := range is.All("EXDATE") {
		list, _ := p.Stamps()
		for _, x := range list {
			id := new.like(x.Start)
			if known[idText(id, new.zones)] {
				continue
			}
			a := attendee(is, me).With("PARTSTAT", "DECLINED")
			keep := func(p *ical.Prop) bool {
				return only(me)(p) && p.Name != "ATTENDEE" && !slices.Contains(when, p.Name)
			}
			b.WriteString(w.component(new.Object, is, keep, func(*ical.Component) []ical.Prop {
				return []ical.Prop{a, {Name: "RECURRENCE-ID", Params: id.Params(), Value: id.String()}}
			}))
		}
	}
	return b.String()
}
