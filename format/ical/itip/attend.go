package itip

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
)

// what an attendee cannot change; times are compared by themselves.
var organizers = []string{"SUMMARY", "LOCATION", "RRULE", "RDATE", "ORGANIZER"}

// Attend is what is stored of an attendee's new state of an object, nil when it is
// what was given; what Allowed refuses is refused. With keep, which is that the
// client does not know what others have said since its state (RFC 6638 §3.2.10.1),
// that stays.
func Attend(old, new *ical.Object, me string, keep bool) (text []byte, err error) {
	if keep {
		if text, err = keepOthers(old, new, me); err != nil {
			return nil, err
		}
		if text != nil {
			if new, err = ParseObject(text); err != nil {
				return nil, err
			}
		}
	}
	return text, Allowed(old, new, me)
}

// keepOthers puts the lines of the other attendees back.
func keepOthers(old, new *ical.Object, me string) ([]byte, error) {
	before, err := index(old)
	if err != nil {
		return nil, err
	}
	after, err := index(new)
	if err != nil {
		return nil, err
	}
	p := new.Edit()
	for id, c := range after.by {
		was := before.by[id]
		if was == nil {
			was = before.Master()
		}
		for _, a := range c.All("ATTENDEE") {
			if known := lineOf(was, a, me); known != nil && known.Line("") != a.Line("") {
				p.Replace(a, *known)
			}
		}
	}
	if !p.Changed() {
		return nil, nil
	}
	return p.Apply(), nil
}

// lineOf is what a component has of another attendee.
func lineOf(c *ical.Component, a *ical.Prop, me string) *ical.Prop {
	if who := Address(a.Value); c != nil && who != me {
		return attendee(c, who)
	}
	return nil
}

// Allowed is ErrAttendee when an attendee's new state of an object changes what is
// the organizer's (RFC 6638 §3.2.2.1): when and what it is, who else comes and what
// they have said. Texts that only the attendee reads are not held against it.
func Allowed(old, new *ical.Object, me string) error {
	before, err := index(old)
	if err != nil {
		return err
	}
	after, err := index(new)
	if err != nil {
		return err
	}
	for id, c := range after.by {
		was, src := before.by[id], before
		if was == nil {
			if was, src, err = before.alone(c); err != nil {
				return fmt.Errorf("%w: an instance of its own", ErrAttendee)
			}
		}
		if err := sameBut(src, was, after, c, me); err != nil {
			return err
		}
	}
	if before.Master() != nil && after.Master() == nil {
		return fmt.Errorf("%w: the series is gone", ErrAttendee)
	}
	return nil
}

// alone is the component that an instance of the series would have.
func (s *stored) alone(c *ical.Component) (*ical.Component, *stored, error) {
	id, ok := c.Stamp("RECURRENCE-ID")
	if !ok {
		return nil, nil, errNotThere
	}
	text, err := s.instance(id)
	if err != nil {
		return nil, nil, err
	}
	zones := ""
	for _, z := range s.Named("VTIMEZONE") {
		zones += s.Slice(z)
	}
	cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\r\n" + zones + text + "END:VCALENDAR\r\n"))
	if err != nil {
		return nil, nil, err
	}
	o, err := cal.Object()
	if err != nil {
		return nil, nil, err
	}
	one, err := index(o)
	if err != nil {
		return nil, nil, err
	}
	return o.Parts[0], one, nil
}

func sameBut(s *stored, was *ical.Component, n *stored, is *ical.Component, me string) error {
	for _, name := range organizers {
		x, y := values(was, name), values(is, name)
		if !slices.Equal(x, y) {
			return fmt.Errorf("%w: %s", ErrAttendee, name)
		}
	}
	a, b := span(s.zones, was), span(n.zones, is)
	if a != b {
		return fmt.Errorf("%w: when it is", ErrAttendee)
	}
	if !slices.Equal(others(was, me), others(is, me)) {
		return fmt.Errorf("%w: who else comes", ErrAttendee)
	}
	if attendee(was, me) != nil && attendee(is, me) == nil {
		return fmt.Errorf("%w: that one is invited", ErrAttendee)
	}
	return nil
}

func values(c *ical.Component, name string) (out []string) {
	for _, p := range c.All(name) {
		v := strings.TrimSpace(p.Text())
		if name == "ORGANIZER" {
			v = Address(p.Value)
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// span is when a component begins and ends, however it is written.
func span(z *zone.Zones, c *ical.Component) (t [3]int64) {
	for i, name := range []string{"DTSTART", "DTEND", "DUE"} {
		if s, ok := c.Stamp(name); ok {
			t[i] = z.Time(s).Unix()
		}
	}
	if d, err := ical.ParseDuration(c.Value("DURATION")); err == nil && t[1] == 0 {
		if s, ok := c.Stamp("DTSTART"); ok {
			s.Wall += int64(d.Exact().Seconds())
			t[1] = z.Time(s).Unix()
		}
	}
	return t
}

// SameAnswers reports whether two states of an object have the same answers of all.
func SameAnswers(a, b *ical.Object) bool {
	var all [2][]string
	for i, o := range []*ical.Object{a, b} {
		for _, c := range o.Parts {
			all[i] = append(all[i], c.Value("RECURRENCE-ID"))
			all[i] = append(all[i], others(c, "")...)
		}
	}
	return slices.Equal(all[0], all[1])
}

// others are the attendees but one, with what they have said.
func others(c *ical.Component, me string) (out []string) {
	for _, p := range c.All("ATTENDEE") {
		if a := Address(p.Value); a != me {
			stat := strings.ToUpper(p.Param("PARTSTAT"))
			out = append(out, a+" "+cmp.Or(stat, "NEEDS-ACTION"))
		}
	}
	slices.Sort(out)
	return out
}
