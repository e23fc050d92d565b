package caldav

import (
	"fmt"
	"strings"
	"testing"
)

// What is no iCalendar, or no calendar object, is refused by the precondition that
// says which (RFC 4791 §5.3.2.1), and nothing of it is there afterwards.
func TestBadCalendars(t *testing.T) {
	h := newHouse(t)
	const at = "DTSTART:20270310T100000Z"
	calendar := func(s string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + s + "END:VCALENDAR\r\n"
	}
	const data, resource = "valid-calendar-data", "valid-calendar-object-resource"
	for _, c := range []struct{ section, body, want string }{
		{"5545 §3.4", "", data},
		{"5545 §3.4", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", data},
		{"5545 §3.4", calendar("BEGIN:VEVENT\r\nUID:1\r\n" + at + "\r\nEND:VTODO\r\n"), data},
		{"5545 §3.4", ics("1", at) + "X-BEHIND:1\r\n", data},
		{"5545 §3.1", " folded" + ics("1", at), data},
		{"5545 §3.1", ics("1", at+"|SUMMARY"), data},
		{"5545 §3.1", ics("1", at+"|SUM MARY:x"), data},
		{"5545 §3.1", ics("1", at+"|SUMMARY:a\x00b"), data},
		{"5545 §3.1", ics("1", at+"|SUMMARY:a\x07b"), data},
		{"5545 §3.2", ics("1", at+"|ATTENDEE;CN=\"x:mailto:a@b.example"), data},
		{"5545 §3.7.4", strings.Replace(ics("1", at), "VERSION:2.0", "VERSION:1.0", 1), data},
		{"5545 §3.6.1", ics("1", "SUMMARY:x"), data},
		{"5545 §3.3.4", ics("1", "DTSTART;VALUE=DATE:20270230"), data},
		{"5545 §3.3.5", ics("1", "DTSTART:20271310T100000Z"), data},
		{"5545 §3.3.5", ics("1", "DTSTART:20270310T250000Z"), data},
		{"5545 §3.3.5", ics("1", "DTSTART:2027-03-10T10:00:00Z"), data},
		{"5545 §3.3.6", ics("1", at+"|DURATION:1h"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=NEVER"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:COUNT=3"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=DAILY;COUNT=0"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=DAILY;INTERVAL=0"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=DAILY;UNTIL=soon"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=WEEKLY;BYDAY=XX"), data},
		{"5545 §3.3.10", ics("1", at+"|RRULE:FREQ=YEARLY;BYMONTH=13"), data},
		{"5545 §3.6.2", ics("1", "VTODO/RRULE:FREQ=DAILY"), data},
		{"5545 §3.8.5.1", ics("1", at+"|RRULE:FREQ=DAILY;COUNT=3|EXDATE:never"), data},
		{"5545 §3.8.5.2", ics("1", at+"|RDATE:never"), data},
		{"5545 §3.8.4.4", ics("1", at+"|RECURRENCE-ID:never"), data},
		{"4791 §4.1", ics("1", at) + ics("1", at), data},
		{"4791 §4.1", calendar(""), resource},
		{"4791 §4.1", calendar("BEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"), resource},
		{"4791 §4.1", calendar("BEGIN:VEVENT\r\n" + at + "\r\nEND:VEVENT\r\n"), resource},
		{"4791 §4.1", ics("", at), resource},
		{"4791 §4.1", ics("1", at+"|END:VEVENT|BEGIN:VEVENT|UID:1|"+at), resource},
		{"4791 §4.1", ics("1", at+"|RECURRENCE-ID:20270310T100000Z|END:VEVENT|BEGIN:VEVENT|UID:1|"+at+"|RECURRENCE-ID:20270310T100000Z"), resource},
	} {
		if status, answer, _ := h.do("anna", "PUT", annaCal+"x.ics", c.body, "Content-Type", "text/calendar"); status != 403 || !strings.Contains(answer, "<C:"+c.want) {
			t.Errorf("RFC %s: %.200q: %d %s, want %s", c.section, c.body, status, answer, c.want)
		}
	}
	h.want(404, nil, "anna", "GET", annaCal+"x.ics", "")
}

// What programs get wrong and can still be understood is taken, and given back as it
// is; whatever is asked about the calendar is answered with it in there.
func TestOddCalendars(t *testing.T) {
	h := newHouse(t)
	const at = "DTSTART:20270310T100000Z"
	odd := []string{
		"DTSTART:20270310",                           // a date that says it is a time
		"DTSTART;VALUE=DATE:20270310T100000Z",        // a time that says it is a date
		at + "|DTEND:20270310T090000Z",               // ends before it begins
		at + "|DTEND;VALUE=DATE:20270311",            // begins at an hour, ends on a day
		at + "|DTEND:20270310T110000Z|DURATION:PT2H", // two ends
		at + "|DURATION:-PT1H",                       // lasts less than nothing
		at + "|" + at,                                // two beginnings
		at + "|RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270401T000000Z",
		at + "|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:soon|END:VALARM",
		at + "|BEGIN:VALARM|ACTION:DISPLAY|END:VALARM",
		at + "||SUMMARY:after a blank line",
		at + "|ORGANIZER:",
		"DTSTART;TZID=Mars/Base:20270310T100000", // a zone that nobody knows
		"VTODO/DTSTART:20270310T100000Z|DUE:20270309T100000Z",
		"VFREEBUSY/DTSTART:20270312T000000Z|DTEND:20270313T000000Z|FREEBUSY:now/then|FREEBUSY:20270312T200000Z/PT1H",
	}
	for i, lines := range odd {
		path, text := fmt.Sprint(annaCal, i, ".ics"), ics(fmt.Sprint(i), lines)
		h.want(201, nil, "anna", "PUT", path, text, "Content-Type", "text/calendar")
		h.want(200, []string{text}, "anna", "GET", path, "")
	}
	// A calendar without VERSION, and lines that end as on Unix.
	bare := strings.ReplaceAll(strings.Replace(ics("bare", at), "VERSION:2.0\r\n", "", 1), "\r\n", "\n")
	h.want(201, nil, "anna", "PUT", annaCal+"bare.ics", bare, "Content-Type", "text/calendar")
	h.want(200, []string{bare}, "anna", "GET", annaCal+"bare.ics", "")

	day := between("20270310", "20270311")
	all := h.want(207, nil, "anna", "REPORT", annaCal, report("calendar-query", dataProp, `<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`), "Depth", "1")
	if n := strings.Count(all, "END:VCALENDAR"); n != len(odd)+1 {
		t.Errorf("%d of %d objects", n, len(odd)+1)
	}
	h.want(207, []string{"2.ics", "5.ics", "12.ics", "bare.ics"}, "anna", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", day)), "Depth", "1")
	h.want(207, []string{"!<D:status>HTTP/1.1 5"}, "anna", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", `<C:comp-filter name="VALARM">`+day+`</C:comp-filter>`)), "Depth", "1")
	h.want(207, []string{"!<D:status>HTTP/1.1 5"}, "anna", "REPORT", annaCal,
		report("calendar-query", `<D:prop><C:calendar-data><C:expand start="20270301T000000Z" end="20270401T000000Z"/></C:calendar-data></D:prop>`, `<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`), "Depth", "1")
	h.want(200, []string{"20270312T200000Z/20270312T210000Z"}, "anna", "REPORT", annaCal, report("free-busy-query", "", between("20270312", "20270313")), "Depth", "1")
	h.want(200, []string{"2.0;Success"}, "anna", "POST", annaHome+"outbox/", ask("anna@coop.example", "", "anna@coop.example"))
}
