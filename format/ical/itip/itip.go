// Package itip makes scheduling messages and applies them to calendar objects:
// invitations, their answers and their ends, as pure functions on text.
//
// What it promises: what arrives out of order, or twice, changes nothing (SEQUENCE,
// then DTSTAMP; of answers those of each attendee, kept in a parameter of the
// attendee's own line); a message of somebody who is not the organizer never
// changes an event, an answer changes only the line of whoever gives it. Alarms
// stay with the one who set them, in both directions. Of a stored object only the
// lines concerned are changed. Whether a message really is from whom it says is
// the caller's to know.
//
// RFCs: 5546 (REQUEST, REPLY, ADD, CANCEL, REFRESH, COUNTER and DECLINECOUNTER of
// events and to-dos; PUBLISH and messages about VFREEBUSY and VJOURNAL are
// refused), 6638 §3.2 (what a change of an object sends).
package itip

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
)

// A Method says what a message is.
type Method string

const (
	Request        Method = "REQUEST"
	Reply          Method = "REPLY"
	Add            Method = "ADD"
	Cancel         Method = "CANCEL"
	Refresh        Method = "REFRESH"
	Counter        Method = "COUNTER"
	DeclineCounter Method = "DECLINECOUNTER"
)

var methods = []Method{Request, Reply, Add, Cancel, Refresh, Counter, DeclineCounter}

// ErrMethod is iCalendar that is no message of a kind we know.
var ErrMethod = errors.New("not a scheduling message that is understood")

// ErrParty is a message from somebody who cannot send it.
var ErrParty = errors.New("not from who may say so")

// A Message is an iTIP message.
type Message struct {
	*ical.Calendar
	Method Method
	Type   string // VEVENT or VTODO
	UID    string
	Parts  []*ical.Component

	zones *zone.Zones
}

// Read reads a message: ical.ErrSyntax when it is broken, ErrMethod when it is
// another thing.
func Read(b []byte) (*Message, error) {
	cal, err := ical.Parse(b)
	if err != nil {
		return nil, err
	}
	m := &Message{Calendar: cal, Method: Method(cal.Method()), zones: zone.Of(cal, nil)}
	if !slices.Contains(methods, m.Method) {
		return nil, fmt.Errorf("%w: METHOD %.20q", ErrMethod, m.Method)
	}
	for _, k := range cal.Children {
		switch {
		case k.Name != "VEVENT" && k.Name != "VTODO":
			continue
		case m.Type == "":
			m.Type, m.UID = k.Name, k.Text("UID")
		case m.Type != k.Name || m.UID != k.Text("UID"):
			return nil, fmt.Errorf("%w: it is about two things", ErrMethod)
		}
		m.Parts = append(m.Parts, k)
	}
	if m.UID == "" {
		return nil, fmt.Errorf("%w: about no event or to-do", ErrMethod)
	}
	return m, m.check()
}

// check holds the parts against the tables of RFC 5546 §3.2 and §3.4, as far as
// anything here depends on them.
func (m *Message) check() error {
	seen := map[string]bool{}
	for _, k := range m.Parts {
		id, err := idOf(k, m.zones)
		if err != nil {
			return err
		}
		organizer, attendees := k.Prop("ORGANIZER"), len(k.All("ATTENDEE"))
		switch {
		case seen[id]:
			return fmt.Errorf("%w: the same instance twice", ErrMethod)
		case m.Method == Add && (id != "" || len(m.Parts) > 1):
			return fmt.Errorf("%w: ADD of more than one instance", ErrMethod)
		case (m.Method == Request || m.Method == Add || m.Method == Cancel) && organizer == nil:
			return fmt.Errorf("%w: %s without ORGANIZER", ErrMethod, m.Method)
		case (m.Method == Reply || m.Method == Refresh || m.Method == Counter) && attendees == 0:
			return fmt.Errorf("%w: %s without ATTENDEE", ErrMethod, m.Method)
		}
		seen[id] = true
	}
	return nil
}

// Organizer is the address of who invites, "" when the message does not say.
func (m *Message) Organizer() string { return Address(m.Parts[0].Value("ORGANIZER")) }

// Address is a calendar user address in the form that is compared: of mailto the
// address in lower case.
func Address(uri string) string {
	uri = strings.ToLower(strings.TrimSpace(uri))
	return strings.TrimPrefix(uri, "mailto:")
}

// attendee returns the line of an attendee, nil when there is none.
func attendee(c *ical.Component, address string) *ical.Prop {
	for _, p := range c.All("ATTENDEE") {
		if Address(p.Value) == address {
			return p
		}
	}
	return nil
}

// idOf is the RECURRENCE-ID in the form that is compared, "" without one.
func idOf(c *ical.Component, z recur.Zones) (string, error) {
	p := c.Prop("RECURRENCE-ID")
	if p == nil {
		return "", nil
	}
	s, err := p.Stamp()
	if err != nil {
		return "", err
	}
	return idText(s, z), nil
}

func idText(s ical.Stamp, z recur.Zones) string {
	if s.Date {
		return s.String()
	}
	return strconv.FormatInt(z.Time(s).Unix(), 10)
}

func sequence(c *ical.Component) int {
	n, err := strconv.Atoi(strings.TrimSpace(c.Value("SEQUENCE")))
	if err != nil {
		return 0
	}
	return n
}

func stamped(c *ical.Component) int64 {
	s, _ := c.Stamp("DTSTAMP")
	return s.Wall
}

// revision orders two states of a component (RFC 5546 §2.1.5).
func revision(a, b *ical.Component) int {
	return cmp.Or(cmp.Compare(sequence(a), sequence(b)), cmp.Compare(stamped(a), stamped(b)))
}

// schedule are the properties that say when something is (RFC 5546 §2.1.4).
var schedule = []string{"DTSTART", "DTEND", "DURATION", "DUE", "RRULE", "RDATE", "EXDATE", "STATUS"}

// Rescheduled reports whether two states of a component differ in what decides
// whether one can come.
func Rescheduled(a, b *ical.Component) bool { return differ(a, b, schedule) }

func differ(a, b *ical.Component, names []string) bool {
	for _, name := range names {
		x, y := a.All(name), b.All(name)
		if !slices.EqualFunc(x, y, func(p, q *ical.Prop) bool { return p.Value == q.Value && p.Param("TZID") == q.Param("TZID") }) {
			return true
		}
	}
	return false
}

// A stored object with its instances by the form of their IDs.
type stored struct {
	*ical.Object
	zones *zone.Zones
	by    map[string]*ical.Component
}

func index(o *ical.Object) (*stored, error) {
	s := &stored{o, zone.Of(o.Calendar, nil), map[string]*ical.Component{}}
	for _, c := range o.Parts {
		id, err := idOf(c, s.zones)
		if err != nil {
			return nil, err
		}
		s.by[id] = c
	}
	return s, nil
}

// like is an instant as the object's master writes its start.
func (s *stored) like(id ical.Stamp) ical.Stamp {
	start, ok := s.Master().Stamp("DTSTART")
	switch {
	case !ok || start.Date == id.Date && start.TZID == id.TZID && start.UTC == id.UTC:
		return id
	case start.Date:
		return ical.Stamp{Wall: id.Wall - id.Wall%86400, Date: true}
	case id.Date: // a day that names its instance
		start.Wall = id.Wall + start.Wall%86400
		return start
	}
	t := s.zones.Time(id)
	start.Wall = ical.WallOf(t, s.zones.Location(start))
	return start
}

// instance writes the component that an instance of a series would have, so that
// it can be changed alone. ErrNotThere when the series has no such instance.
func (s *stored) instance(id ical.Stamp) (string, error) {
	master := s.Master()
	if master == nil {
		return "", errNotThere
	}
	series, err := recur.New(s.Parts, s.zones)
	if err != nil {
		return "", err
	}
	id = s.like(id)
	at := s.zones.Time(id)
	found := false
	_ = series.Each(at.Add(-48*time.Hour), at.Add(48*time.Hour), func(x recur.Instance) bool {
		found = x.Recurs && x.Comp == master && x.ID.Wall == id.Wall
		return !found
	})
	if !found {
		return "", errNotThere
	}
	start, _ := master.Stamp("DTSTART")
	var b strings.Builder
	b.WriteString(s.Head(master))
	for i := range master.Props {
		p := &master.Props[i]
		switch p.Name {
		case "RRULE", "RDATE", "EXDATE", "EXRULE":
		case "DTSTART", "DTEND", "DUE":
			v, err := p.Stamp()
			if err != nil {
				return "", err
			}
			v.Wall += id.Wall - start.Wall
			q := *p
			q.Value = v.String()
			b.WriteString(q.Line(s.EOL()))
		default:
			b.WriteString(s.Lines(p))
		}
	}
	b.WriteString(ical.Line(s.EOL(), "RECURRENCE-ID", id.String(), id.Params()...))
	for _, k := range master.Children {
		b.WriteString(s.Slice(k))
	}
	b.WriteString(s.Tail(master))
	return b.String(), nil
}

var errNotThere = errors.New("no such instance")
