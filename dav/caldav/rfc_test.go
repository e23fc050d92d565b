package caldav

import (
	"strings"
	"testing"
)

// appendixB are the objects of RFC 4791, appendix B, without what nothing asks for.
var appendixB = map[string]string{
	"abcd1": "DTSTART;TZID=US/Eastern:20060102T100000|DURATION:PT1H|SUMMARY:Event #1|Description:Go Steelers!",
	"abcd2": "DTSTART;TZID=US/Eastern:20060102T120000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=5|SUMMARY:Event #2|END:VEVENT|BEGIN:VEVENT|UID:abcd2|" +
		"DTSTART;TZID=US/Eastern:20060104T140000|DURATION:PT1H|RECURRENCE-ID;TZID=US/Eastern:20060104T120000|SUMMARY:Event #2 bis",
	"abcd3": "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:cyrus@example.com|ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:lisa@example.com|DTSTART;TZID=US/Eastern:20060104T100000|DURATION:PT1H|" +
		"ORGANIZER:mailto:cyrus@example.com|STATUS:TENTATIVE|SUMMARY:Event #3",
	"abcd4": "VTODO/DUE;VALUE=DATE:20060104|STATUS:NEEDS-ACTION|SUMMARY:Task #1",
	"abcd5": "VTODO/DUE;VALUE=DATE:20060106|STATUS:NEEDS-ACTION|SUMMARY:Task #2",
	"abcd6": "VTODO/COMPLETED:20051223T122322Z|DUE;VALUE=DATE:20051225|STATUS:COMPLETED|SUMMARY:Task #3",
	"abcd7": "VTODO/DUE;VALUE=DATE:20060101|STATUS:CANCELLED|SUMMARY:Task #4",
	"abcd8": "VFREEBUSY/DTSTART:20060101T000000Z|DTEND:20060108T000000Z|FREEBUSY:20050531T230000Z/20050601T010000Z|FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z|" +
		"FREEBUSY:20060103T100000Z/20060103T120000Z|FREEBUSY:20060104T100000Z/20060104T120000Z|FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z|FREEBUSY:20060106T100000Z/20060106T120000Z",
}

// The examples of RFC 4791 §7.8 and §7.10 on the objects of its appendix B. Not
// those that do not agree with it (§7.8.5), and the one of a server that looks at
// properties it knows only (§7.8.10).
func TestExamplesOfTheRFC(t *testing.T) {
	h := newHouse(t)
	for name, lines := range appendixB {
		h.want(201, nil, "anna", "PUT", annaCal+name+".ics", ics(name, lines))
	}
	data := func(inner string) string {
		return "<D:prop><D:getetag/><C:calendar-data>" + inner + "</C:calendar-data></D:prop>"
	}
	jan4 := comp("VEVENT", `<C:time-range start="20060104T000000Z" end="20060105T000000Z"/>`)
	for _, c := range []struct {
		section, props, filter, names string
		texts                         []string
	}{
		{"7.8.1", data(`<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/><C:prop name="DTSTART"/><C:prop name="DTEND"/>` +
			`<C:prop name="DURATION"/><C:prop name="RRULE"/><C:prop name="RDATE"/><C:prop name="EXRULE"/><C:prop name="EXDATE"/><C:prop name="RECURRENCE-ID"/></C:comp><C:comp name="VTIMEZONE"/></C:comp>`),
			jan4, "abcd2 abcd3", []string{"Event #2 bis", "RRULE:FREQ=DAILY;COUNT=5", "!ATTENDEE", "!PRODID", "!DTSTAMP"}},
		{"7.8.2", data(`<C:limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/>`), comp("VEVENT", `<C:time-range start="20060103T000000Z" end="20060105T000000Z"/>`),
			"abcd2 abcd3", []string{"Event #2 bis", "RRULE"}},
		{"7.8.3", data(`<C:expand start="20060103T000000Z" end="20060105T000000Z"/>`), comp("VEVENT", `<C:time-range start="20060103T000000Z" end="20060105T000000Z"/>`),
			"abcd2 abcd3", []string{"DTSTART:20060103T170000Z", "RECURRENCE-ID:20060103T170000Z", "DTSTART:20060104T190000Z", "RECURRENCE-ID:20060104T170000Z", "DTSTART:20060104T150000Z", "!RRULE", "!TZID", "!20060102T", "!20060105T1"}},
		{"7.8.4", data(`<C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/>`), comp("VFREEBUSY", `<C:time-range start="20060102T000000Z" end="20060103T000000Z"/>`),
			"abcd8", []string{"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z", "!20050531", "!20060103T1", "!UNAVAILABLE"}},
		{"7.8.6", data(""), comp("VEVENT", `<C:prop-filter name="UID"><C:text-match collation="i;octet">abcd3</C:text-match></C:prop-filter>`), "abcd3", nil},
		{"7.8.7", data(""), comp("VEVENT", `<C:prop-filter name="ATTENDEE"><C:text-match collation="i;ascii-casemap">mailto:lisa@example.com</C:text-match><C:param-filter name="PARTSTAT">`+
			`<C:text-match collation="i;ascii-casemap">NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter>`), "abcd3", nil},
		{"7.8.8", data(""), comp("VEVENT", ""), "abcd1 abcd2 abcd3", []string{"Description:Go Steelers!"}},
		{"7.8.9", data(""), comp("VTODO", `<C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter><C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>`),
			"abcd4 abcd5", nil},
	} {
		answer := h.want(207, c.texts, "anna", "REPORT", annaCal, report("calendar-query", c.props, c.filter), "Depth", "1")
		if got := names(answer); got != c.names {
			t.Errorf("§%s: %q, want %q", c.section, got, c.names)
		}
	}
	busy := h.want(200, nil, "anna", "REPORT", annaCal, report("free-busy-query", "", `<C:time-range start="20060104T140000Z" end="20060104T220000Z"/>`), "Depth", "1")
	var periods []string
	for line := range strings.SplitSeq(busy, "\r\n") {
		if strings.HasPrefix(line, "FREEBUSY") {
			periods = append(periods, line)
		}
	}
	if got := strings.Join(periods, " "); got != "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z FREEBUSY;FBTYPE=BUSY:20060104T190000Z/20060104T200000Z" {
		t.Errorf("§7.10.1: %s", got)
	}
}
