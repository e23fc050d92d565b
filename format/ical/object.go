package ical

import (
	"errors"
	"fmt"
	"strings"
)

// ErrObject is well-formed iCalendar that is no calendar object resource (RFC
// 4791 §4.1).
var ErrObject = errors.New("not a calendar object")

// An Object is a calendar that holds one thing: an event, to-do, journal entry,
// busy time or availability, with its exceptions.
type Object struct {
	*Calendar
	Type  string       // VEVENT, VTODO, VJOURNAL, VFREEBUSY or VAVAILABILITY
	UID   string       // unescaped
	Parts []*Component // the components of that type, in order
}

var objectTypes = map[string]bool{"VEVENT": true, "VTODO": true, "VJOURNAL": true, "VFREEBUSY": true, "VAVAILABILITY": true}

// Object reads a calendar as one thing. What RFC 4791 §4.1 forbids is ErrObject:
// METHOD, components of two types or with two UIDs, a missing UID, two masters.
// Broken dates and missing ones are ErrSyntax.
func (c *Calendar) Object() (*Object, error) {
	o := &Object{Calendar: c}
	if v := c.Value("VERSION"); v != "" && strings.TrimSpace(v) != "2.0" {
		return nil, fmt.Errorf("%w: VERSION %.20q, not 2.0", ErrSyntax, v)
	}
	if c.Prop("METHOD") != nil {
		return nil, fmt.Errorf("%w: it has a METHOD", ErrObject)
	}
	for _, k := range c.Children {
		switch {
		case k.Name == "VTIMEZONE" || !objectTypes[k.Name]:
			continue
		case o.Type == "":
			o.Type, o.UID = k.Name, k.Text("UID")
		case o.Type != k.Name:
			return nil, fmt.Errorf("%w: %s and %s in one object", ErrObject, o.Type, k.Name)
		case o.UID != k.Text("UID"):
			return nil, fmt.Errorf("%w: two UIDs in one object", ErrObject)
		}
		o.Parts = append(o.Parts, k)
	}
	if o.Type == "" {
		return nil, fmt.Errorf("%w: no event, to-do, journal entry, busy time or availability", ErrObject)
	}
	if o.UID == "" || len(o.UID) > maxUID {
		return nil, fmt.Errorf("%w: a UID of %d bytes", ErrObject, len(o.UID))
	}
	return o, o.check()
}

const maxUID = 1024

func (o *Object) check() error {
	seen := map[string]bool{}
	for _, k := range o.Parts {
		rid := ""
		if p := k.Prop("RECURRENCE-ID"); p != nil {
			s, err := p.Stamp()
			if err != nil {
				return err
			}
			rid = s.String()
		}
		if seen[rid] {
			return fmt.Errorf("%w: two components for the same instance %s", ErrObject, rid)
		}
		seen[rid] = true
		if err := k.checkTimes(); err != nil {
			return err
		}
	}
	return nil
}

// checkTimes verifies the values that everything else builds on.
func (c *Component) checkTimes() error {
	for _, name := range []string{"DTSTART", "DTEND", "DUE"} {
		if p := c.Prop(name); p != nil {
			if _, err := p.Stamp(); err != nil {
				return err
			}
		}
	}
	if p := c.Prop("DURATION"); p != nil {
		if _, err := ParseDuration(p.Value); err != nil {
			return err
		}
	}
	if c.Prop("DTSTART") == nil && (c.Name == "VEVENT" || c.Prop("RRULE") != nil || c.Prop("RDATE") != nil) {
		return fmt.Errorf("%w: %s has no DTSTART", ErrSyntax, c.Name)
	}
	return nil
}

// Master returns the component without RECURRENCE-ID, nil when there is none.
func (o *Object) Master() *Component {
	for _, k := range o.Parts {
		if k.Prop("RECURRENCE-ID") == nil {
			return k
		}
	}
	return nil
}

// Attendees returns the largest number of attendees that a part has.
func (o *Object) Attendees() int {
	n := 0
	for _, k := range o.Parts {
		n = max(n, len(k.All("ATTENDEE")))
	}
	return n
}
