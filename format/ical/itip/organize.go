package itip

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// A Group is an attendee that stands for others.
type Group struct {
	Address string
	Members []string
}

// Organize is what is stored of an organizer's new state of an object, nil when it
// is what was given. SEQUENCE never goes back, and is raised where the program has not
// done so and the times have changed (RFC 5546 §2.1.4) or somebody is left out. At
// times at which it was not the answers begin anew (RFC 6638 §3.2.8); else they stay,
// whatever the program knows or says of them, as they are the attendees'. Groups are
// invited with their members.
func Organize(old, new *ical.Object, groups []Group) ([]byte, error) {
	var before *stored
	after, err := index(new)
	if err == nil && old != nil {
		before, err = index(old)
	}
	if err != nil {
		return nil, err
	}
	p := new.Edit()
	for id, c := range after.by {
		if before != nil {
			revise(p, before, after, id, c)
		}
		expand(p, c, groups)
	}
	if !p.Changed() {
		return nil, nil
	}
	return p.Apply(), nil
}

// revise holds a component against what it was, be it as an instance like any other.
func revise(p *ical.Patch, before, after *stored, id string, c *ical.Component) {
	was := before.by[id]
	if was == nil && id != "" {
		was, before = before.regular(c)
	}
	if was == nil {
		return
	}
	least := sequence(was)
	if Rescheduled(was, c) || uninvites(was, c) {
		least++
	}
	if sequence(c) < least {
		p.Set(c, ical.Prop{Name: "SEQUENCE", Value: strconv.Itoa(least)})
	}
	anew := reinvites(before, after, was, c)
	organizer := Address(c.Value("ORGANIZER"))
	for _, a := range c.All("ATTENDEE") {
		known := attendee(was, Address(a.Value))
		if q := organized(a, known, anew && Address(a.Value) != organizer); q.Line("") != a.Line("") {
			p.Replace(a, q)
		}
	}
}

// uninvites reports whether a new state leaves out somebody: who is invited again
// later must get a greater SEQUENCE than that of the CANCEL.
func uninvites(was, is *ical.Component) bool {
	for _, a := range was.All("ATTENDEE") {
		if attendee(is, Address(a.Value)) == nil {
			return true
		}
	}
	return false
}

// organized is the line of an attendee in an organizer's new state, known what it was.
func organized(a, known *ical.Prop, anew bool) ical.Prop {
	q := *a
	stat := strings.ToUpper(cmp.Or(a.Param("PARTSTAT"), "NEEDS-ACTION"))
	if anew {
		if stat != "NEEDS-ACTION" {
			q = q.With("PARTSTAT", "NEEDS-ACTION")
		}
	} else if known != nil && theirs(known) {
		if was := strings.ToUpper(cmp.Or(known.Param("PARTSTAT"), "NEEDS-ACTION")); was != stat {
			q = q.With("PARTSTAT", was)
		}
	}
	for _, name := range []string{"SCHEDULE-STATUS", replyParam} {
		if known != nil && known.HasParam(name) && !q.HasParam(name) {
			q = q.With(name, known.Param(name))
		}
	}
	return q
}

// theirs reports whether an attendee answers for themselves: they have done so, or
// have the invitation in a calendar here. What is known of others is what the
// organizer has been told in other ways.
func theirs(known *ical.Prop) bool {
	return known.HasParam(replyParam) || known.Param("SCHEDULE-STATUS") == "1.2"
}

// expand invites the members of groups (RFC 5545 §3.2.11).
func expand(p *ical.Patch, c *ical.Component, groups []Group) {
	var added []string
	for _, g := range groups {
		line := attendee(c, g.Address)
		if line == nil {
			continue
		}
		if !line.HasParam("CUTYPE") {
			p.Replace(line, line.With("CUTYPE", "GROUP"))
		}
		for _, m := range g.Members {
			if attendee(c, m) != nil || slices.Contains(added, m) || m == Address(c.Value("ORGANIZER")) {
				continue
			}
			added = append(added, m)
			p.Add(c, ical.Prop{Name: "ATTENDEE", Value: "mailto:" + m, Params: []ical.Param{
				{Name: "MEMBER", Values: []string{"mailto:" + g.Address}}, {Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}, {Name: "RSVP", Values: []string{"TRUE"}}}})
		}
	}
}
