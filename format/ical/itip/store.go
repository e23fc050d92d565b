package itip

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
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

// A Group is an attendee that stands for others.
type Group struct {
	Address string
	Members []string
}

// Organize is what is stored of an organizer's new state of an object, nil when it
// is what was given. SEQUENCE is raised where the times have changed and the
// program has not done so (RFC 5546 §2.1.4); then the answers begin anew (RFC 6638
// §3.2.8). What an answer has noted stays. With keep, which is that the client
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
		moved := was != nil && Rescheduled(was, c)
		if moved && sequence(c) <= sequence(was) {
			p.Set(c, ical.Prop{Name: "SEQUENCE", Value: strconv.Itoa(sequence(was) + 1)})
		}
		for _, a := range c.All("ATTENDEE") {
			if q := organized(a, was, moved, keep, Address(c.Value("ORGANIZER"))); q.Line("") != a.Line("") {
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

// organized is the line of an attendee in an organizer's new state.
func organized(a *ical.Prop, was *ical.Component, moved, keep bool, organizer string) ical.Prop {
	q := *a
	if was == nil {
		return q
	}
	if moved && Address(a.Value) != organizer {
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
	if keep && !moved && known.HasParam(replyParam) && known.HasParam("PARTSTAT") {
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

// Note puts what became of a message on the line of whom it was for, the organizer
// or an attendee (RFC 6638 §3.2.9), and takes out that it had to be sent; nil when
// nothing changes.
func Note(o *ical.Object, status map[string]string) []byte {
	p := o.Edit()
	for _, c := range o.Parts {
		for i := range c.Props {
			line := &c.Props[i]
			if line.Name != "ATTENDEE" && line.Name != "ORGANIZER" {
				continue
			}
			code := status[Address(line.Value)]
			if code == "" {
				continue
			}
			q := line.With("SCHEDULE-STATUS", code)
			q = q.With("SCHEDULE-FORCE-SEND")
			if q.Line("") != line.Line("") {
				p.Replace(line, q)
			}
		}
	}
	if !p.Changed() {
		return nil
	}
	return p.Apply()
}

// Answer is an object with an attendee's answer in all its components. transp says
// whether that makes the attendee busy; "" leaves it as it is.
func Answer(o *ical.Object, me, partstat, transp string) []byte {
	p := o.Edit()
	for _, c := range o.Parts {
		if transp != "" && o.Type == "VEVENT" {
			p.Set(c, ical.Prop{Name: "TRANSP", Value: transp})
		}
		if a := attendee(c, me); a != nil {
			q := a.With("PARTSTAT", partstat)
			p.Replace(a, q.With("RSVP"))
		}
	}
	return p.Apply()
}

// WithoutDeclined is an object in which the times that one of some addresses has declined
// leave free; nil when there are none.
func WithoutDeclined(o *ical.Object, own []string) []byte {
	p := o.Edit()
	for _, c := range o.Parts {
		for _, a := range own {
			if line := attendee(c, a); line != nil && strings.EqualFold(line.Param("PARTSTAT"), "DECLINED") {
				p.Set(c, ical.Prop{Name: "TRANSP", Value: "TRANSPARENT"})
				break
			}
		}
	}
	if !p.Changed() {
		return nil
	}
	return p.Apply()
}

// Stamped is the latest DTSTAMP in an object, in seconds since 1970: what is to
// change it has to be later.
func Stamped(o *ical.Object) (seconds int64) {
	for _, c := range o.Parts {
		seconds = max(seconds, stamped(c))
	}
	return min(seconds, latestStamp)
}

// Answered is the latest DTSTAMP of an attendee's answers in the organizer's object.
func Answered(o *ical.Object, who string) (seconds int64) {
	for _, c := range o.Parts {
		if a := attendee(c, who); a != nil {
			if _, at, ok := strings.Cut(a.Param(replyParam), "/"); ok {
				n, _ := strconv.ParseInt(at, 10, 64)
				seconds = max(seconds, n)
			}
		}
	}
	return min(seconds, latestStamp)
}

const latestStamp = 253370764800 // the year 9999 begins

// Ask is a REQUEST that says nothing of what its receiver has answered to the same
// SEQUENCE, so that what the receiver's own object has of that stays: the answer may
// still be on its way.
func Ask(text []byte, to string, copied *ical.Object) []byte {
	m, err := Read(text)
	if err != nil {
		return text
	}
	s, err := index(copied)
	if err != nil {
		return text
	}
	p := m.Edit()
	for _, c := range m.Parts {
		id, _ := idOf(c, m.zones)
		was := s.by[id]
		if was == nil {
			was = s.Master()
		}
		if a := attendee(c, to); a != nil && was != nil && sequence(was) == sequence(c) {
			p.Replace(a, a.With("PARTSTAT", "NEEDS-ACTION"))
		}
	}
	return p.Apply()
}

// Numbered is a message in which what has no SEQUENCE says that it is 0: an answer
// without one would be to whatever there is by now.
func Numbered(text []byte) []byte {
	cal, err := ical.Parse(text)
	if err != nil {
		return text
	}
	p := cal.Edit()
	for _, c := range cal.Children {
		if (c.Name == "VEVENT" || c.Name == "VTODO") && c.Prop("SEQUENCE") == nil {
			p.Add(c, ical.Prop{Name: "SEQUENCE", Value: "0"})
		}
	}
	return p.Apply()
}

// ParseObject reads the text of a stored object.
func ParseObject(b []byte) (*ical.Object, error) {
	cal, err := ical.Parse(b)
	if err != nil {
		return nil, err
	}
	return cal.Object()
}
