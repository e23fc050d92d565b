package itip

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// What is refused of what clients store (RFC 6638 §3.2.4).
var (
	ErrOrganizers = errors.New("components with different organizers")
	ErrOrganizer  = errors.New("an organizer cannot be exchanged for another")
	ErrAttendee   = errors.New("an attendee cannot change what the organizer has set")
)

// Role is what an owner of addresses is in an object: organizer, or else attendee,
// under the address me; "" is neither. ErrOrganizers when it has more than one.
func Role(o *ical.Object, own func(address string) bool) (me string, organizes bool, err error) {
	by := ""
	for _, c := range o.Parts {
		a := Address(c.Value("ORGANIZER"))
		if a != "" && by != "" && a != by {
			return "", false, ErrOrganizers
		}
		by = cmp.Or(by, a)
	}
	if by == "" || own(by) {
		return by, by != "", nil
	}
	for _, c := range o.Parts {
		for _, p := range c.All("ATTENDEE") {
			if a := Address(p.Value); own(a) {
				return a, false, nil
			}
		}
	}
	return "", false, nil
}

// Served reports whether the server does the scheduling of an object (RFC 6638
// §7.1), by what its ORGANIZER says.
func Served(o *ical.Object) bool {
	for _, c := range o.Parts {
		if p := c.Prop("ORGANIZER"); p != nil && p.HasParam("SCHEDULE-AGENT") && !strings.EqualFold(p.Param("SCHEDULE-AGENT"), "SERVER") {
			return false
		}
	}
	return true
}

// Forced reports whether an attendee's client wants an answer sent whatever has
// changed (RFC 6638 §7.2).
func Forced(o *ical.Object) bool {
	for _, c := range o.Parts {
		if p := c.Prop("ORGANIZER"); p != nil && strings.EqualFold(p.Param("SCHEDULE-FORCE-SEND"), "REPLY") {
			return true
		}
	}
	return false
}

// Attendees are the addresses of all attendees of an object, each once.
func Attendees(o *ical.Object) (out []string) {
	for _, c := range o.Parts {
		for _, p := range c.All("ATTENDEE") {
			if a := Address(p.Value); a != "" && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// ParseObject reads the text of a stored object.
func ParseObject(b []byte) (*ical.Object, error) {
	cal, err := ical.Parse(b)
	if err != nil {
		return nil, err
	}
	return cal.Object()
}
