package itip

import (
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
// is what was given. SEQUENCE is raised where the program has not done so and the
// times have changed (RFC 5546 §2.1.4), or somebody is left out; at times at which it
// was not the answers begin anew (RFC 6638 §3.2.8). What an answer has noted stays. With keep, which is that the client
// knows no answers since its state (§3.2.10.1), they stay as well. Groups are
// invited with their members.
func Organize(old, new *ical.Object, keep bool, groups []Group) ([]byte, error) {
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
		var was *ical.Component
		if before != nil {
			was = before.by[id]
		}
		if was != nil && (Rescheduled(was, c) || uninvites(was, c)) && sequence(c) <= sequence(was) {
			p.Set(c, ical.Prop{Name: "SEQUENCE", Value: strconv.Itoa(sequence(was) + 1)})
		}
		anew := was != nil && reinvites(before, after, was, c)
		for _, a := range c.All("ATTENDEE") {
			if q := organized(a, was, anew, keep, Address(c.Value("ORGANIZER"))); q.Line("") != a.Line("") {
				p.Replace(a, q)
			}
		}
		expand(p, c, groups)
	}
	if !p.Changed() {
		return nil, nil
	}
	return p.Apply(), nil
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

// organized is the line of an attendee in an organizer's new state.
func organized(a *ical.Prop, was *ical.Component, anew, keep bool, organizer string) ical.Prop {
	q := *a
	if was == nil {
		return q
	}
	if anew && Address(a.Value) != organizer {
		if stat := a.Param("PARTSTAT"); stat != "" && !strings.EqualFold(stat, "NEEDS-ACTION") {
			q = q.With("PARTSTAT", "NEEDS-ACTION")
		}
	}
	known := attendee(was, Address(a.Value))
	if known == nil {
		return q
	}
	if !q.HasParam(replyParam) && known.HasParam(replyParam) {
		q = q.With(replyParam, known.Param(replyParam))
	}
	if keep && !anew && known.HasParam(replyParam) && known.HasParam("PARTSTAT") {
		q = q.With("PARTSTAT", known.Param("PARTSTAT"))
	}
	return q
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
