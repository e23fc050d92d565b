package caldav

import (
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical/filter"
)

// Whatever a report says, it is read or refused, and what was read can be asked of
// any object.
func FuzzReport(f *testing.F) {
	object := ics("1", "DTSTART:20270310T100000Z|RRULE:FREQ=DAILY|ATTENDEE;CN=x:mailto:a@b.example|BEGIN:VALARM|TRIGGER:-PT5M|END:VALARM")
	for _, s := range []string{comp("VEVENT", between("20270301", "20270401")), comp("VEVENT", `<C:comp-filter name="VALARM"><C:time-range start="20270310T000000Z"/></C:comp-filter>`),
		comp("VTODO", `<C:is-not-defined/>`), comp("VEVENT", `<C:prop-filter name="ATTENDEE"><C:text-match collation="i;octet" negate-condition="yes">x</C:text-match><C:param-filter name="CN"/></C:prop-filter>`)} {
		f.Add(report("calendar-query", dataProp, s), object)
	}
	f.Add(report("calendar-query", `<D:prop><C:calendar-data><C:expand start="20270301T000000Z" end="20270401T000000Z"/><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID" novalue="yes"/></C:comp></C:comp></C:calendar-data></D:prop>`, comp("VEVENT", "")), object)
	f.Fuzz(func(t *testing.T, text, object string) {
		body, err := davxml.Parse(strings.NewReader(text), davxml.Limits{})
		if err != nil {
			return
		}
		s, err := filter.ReadText([]byte(object), time.UTC)
		if err != nil {
			return
		}
		if c, err := parseFilter(body.Child(davxml.CalDAV("filter"))); err == nil {
			c.Target()
			if c.Match(s); c.Decided() && c.Comps != nil && c.Match(s) != (c.Comps[0].Name == s.Type) {
				t.Errorf("an index would say otherwise: %+v", c)
			}
		}
		d := &calendarData{}
		d.MaxInstances, d.MaxBytes = 100, 1<<20
		if e := body.Child(davxml.DAV("prop")).Child(calendarDataName); e != nil && d.parse(e) == nil {
			_, _, _ = d.Make(s)
		}
	})
}
