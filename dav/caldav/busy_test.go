package caldav

import (
	"slices"
	"strings"
	"testing"
)

// busy are the periods in an answer, in order, shortened: of the 10th of March 2027.
func busy(answer string) string {
	var out []string
	for l := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(answer, "&#13;\n", "\r\n"), "\r\n ", ""), "\r\n") {
		if p, ok := strings.CutPrefix(l, "FREEBUSY;FBTYPE="); ok {
			out = append(out, strings.NewReplacer("20270310T", "", "0000Z", "").Replace(p))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// What takes up time, and how (RFC 4791 §7.10, RFC 5545 §3.2.9): the same for the
// report on a calendar and for who asks through an outbox (RFC 6638 §5).
func TestWhatIsBusy(t *testing.T) {
	h := newHouse(t)
	invited := "|ORGANIZER:mailto:x@else.example|ATTENDEE;PARTSTAT="
	for _, c := range []struct{ what, lines, want string }{
		{"an event", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z", "BUSY:10/11"},
		{"one with a length", "DTSTART:20270310T100000Z|DURATION:PT3H", "BUSY:10/13"},
		{"a moment", "DTSTART:20270310T100000Z", ""},
		{"perhaps", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|STATUS:TENTATIVE", "BUSY-TENTATIVE:10/11"},
		{"off", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|STATUS:CANCELLED", ""},
		{"free", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|TRANSP:TRANSPARENT", ""},
		{"across midnight", "DTSTART:20270309T220000Z|DTEND:20270310T020000Z", "BUSY:00/02"},
		{"a day in Brussels", "DTSTART;VALUE=DATE:20270310", "BUSY:00/23"},
		{"a floating hour in Brussels", "DTSTART:20270310T100000|DTEND:20270310T110000", "BUSY:09/10"},
		{"what recurs", "DTSTART:20270301T100000Z|DTEND:20270301T110000Z|RRULE:FREQ=DAILY", "BUSY:10/11"},
		{"not on that day", "DTSTART:20270301T100000Z|DTEND:20270301T110000Z|RRULE:FREQ=DAILY|EXDATE:20270310T100000Z", ""},
		{"off on that day", "DTSTART:20270301T100000Z|DTEND:20270301T110000Z|RRULE:FREQ=DAILY|END:VEVENT|BEGIN:VEVENT|UID:x|RECURRENCE-ID:20270310T100000Z|DTSTART:20270310T100000Z|STATUS:CANCELLED", ""},
		{"later on that day", "DTSTART:20270301T100000Z|DTEND:20270301T110000Z|RRULE:FREQ=DAILY|END:VEVENT|BEGIN:VEVENT|UID:x|RECURRENCE-ID:20270310T100000Z|DTSTART:20270310T150000Z|DTEND:20270310T160000Z", "BUSY:15/16"},
		{"two that touch", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|RRULE:FREQ=HOURLY;COUNT=2", "BUSY:10/12"},
		{"busy time itself", "VFREEBUSY/DTSTART:20270310T000000Z|DTEND:20270311T000000Z|FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270310T100000Z/PT1H|FREEBUSY;FBTYPE=FREE:20270310T120000Z/PT1H", "BUSY-UNAVAILABLE:10/11"},
		{"a to-do", "VTODO/DTSTART:20270310T100000Z|DUE:20270310T110000Z", ""},
		{"accepted", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z" + invited + "ACCEPTED:mailto:ben@coop.example", "BUSY:10/11"},
	} {
		h.want(207, []string{"200 OK"}, "ben", "PROPPATCH", benCal, proppatch("<C:calendar-timezone-id>Europe/Brussels</C:calendar-timezone-id>"))
		h.want(201, nil, "ben", "PUT", benCal+"x.ics", ics("x", c.lines))
		if got := busy(h.want(200, []string{"BEGIN:VFREEBUSY", "DTSTART:20270310T000000Z", "DTEND:20270311T000000Z"}, "ben", "REPORT", benCal, report("free-busy-query", "", between("20270310", "20270311")), "Depth", "1")); got != c.want {
			t.Errorf("%s, report: %s, want %s", c.what, got, c.want)
		}
		if got := busy(h.want(200, []string{"2.0;Success"}, "anna", "POST", annaHome+"outbox/", ask("anna@coop.example", "", "ben@coop.example"))); got != c.want {
			t.Errorf("%s, outbox: %s, want %s", c.what, got, c.want)
		}
		h.want(204, nil, "ben", "DELETE", benCal+"x.ics", "", "Schedule-Reply", "F")
	}
}

// The report says when, for any Depth and for nothing but a calendar; what is asked
// wrongly is refused.
func TestFreeBusyRequests(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"x.ics", ics("x", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z"))
	ask := report("free-busy-query", "", between("20270310", "20270311"))
	for depth, want := range map[string]string{"0": "", "1": "BUSY:10/11", "infinity": "BUSY:10/11"} {
		if got := busy(h.want(200, nil, "anna", "REPORT", annaCal, ask, "Depth", depth)); got != want {
			t.Errorf("Depth %s: %q", depth, got)
		}
	}
	_, _, head := h.do("anna", "REPORT", annaCal, ask, "Depth", "1")
	if got := head.Get("Content-Type"); got != "text/calendar; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	h.want(403, []string{"supported-report"}, "anna", "REPORT", annaCal+"x.ics", ask, "Depth", "1")
	h.want(403, []string{"supported-report"}, "anna", "REPORT", annaHome, ask, "Depth", "1")
	for _, bad := range []string{"", `<C:time-range/>`, `<C:time-range start="20270310" end="20270311"/>`, `<C:time-range start="20270310T000000" end="20270311T000000"/>`, between("20270311", "20270310")} {
		h.want(400, nil, "anna", "REPORT", annaCal, report("free-busy-query", "", bad), "Depth", "1")
	}
}
