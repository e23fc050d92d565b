package itip

import (
	"strconv"
	"strings"

	"essaim.coop/essaim/format/ical"
)

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
		if a := attendee(c, to); a != nil && was != nil && sequence(was) == sequence(c) && !s.hides(c, to) {
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
