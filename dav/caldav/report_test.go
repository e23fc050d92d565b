package caldav

import (
	"fmt"
	"strings"
	"testing"
)

func (h *house) year() {
	for name, lines := range map[string]string{
		"one":     "DTSTART:20270310T100000Z|DURATION:PT1H|SUMMARY:Caf\u00e9|LOCATION:Gent|ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ben@coop.example",
		"daily":   "DTSTART;TZID=Europe/Brussels:20270301T090000|DTEND;TZID=Europe/Brussels:20270301T093000|RRULE:FREQ=DAILY|SUMMARY:daily|EXDATE;TZID=Europe/Brussels:20270303T090000|BEGIN:VALARM|TRIGGER:-PT15M|ACTION:DISPLAY|DESCRIPTION:x|END:VALARM",
		"holiday": "DTSTART;VALUE=DATE:20270401|DTEND;VALUE=DATE:20270411|TRANSP:TRANSPARENT|SUMMARY:away",
		"float":   "DTSTART:20270310T233000|DURATION:PT20M|SUMMARY:floating",
		"todo":    "VTODO/DUE:20270315T120000Z|STATUS:NEEDS-ACTION|SUMMARY:do",
		"done":    "VTODO/DUE:20270301T120000Z|STATUS:COMPLETED|COMPLETED:20270228T000000Z|SUMMARY:did",
		"undated": "VTODO/SUMMARY:some day",
		"moved":   "DTSTART:20270105T080000Z|RRULE:FREQ=MONTHLY|SUMMARY:monthly|END:VEVENT|BEGIN:VEVENT|UID:moved|DTSTAMP:20270101T000000Z|RECURRENCE-ID:20270505T080000Z|DTSTART:20270520T080000Z|SUMMARY:special",
	} {
		h.want(201, nil, "anna", "PUT", annaCal+name+".ics", ics(name, lines))
	}
}

func report(kind, props, rest string) string {
	return `<?xml version="1.0"?><C:` + kind + spaces + `>` + props + rest + `</C:` + kind + `>`
}

func comp(name, inner string) string {
	return `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="` + name + `">` + inner + `</C:comp-filter></C:comp-filter></C:filter>`
}

func between(from, to string) string {
	return `<C:time-range start="` + from + `T000000Z" end="` + to + `T000000Z"/>`
}

func TestQuery(t *testing.T) {
	h := newHouse(t)
	h.year()
	for _, c := range []struct{ filter, want string }{
		{`<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`, "daily done float holiday moved one todo undated"},
		{comp("VEVENT", ""), "daily float holiday moved one"},
		{comp("VTODO", ""), "done todo undated"},
		{comp("VJOURNAL", ""), ""},
		{comp("VTIMEZONE", ""), ""},
		{comp("VEVENT", between("20270310", "20270311")), "daily float one"},
		{comp("VEVENT", between("20270303", "20270304")), ""},
		{comp("VEVENT", between("20270405", "20270406")), "daily holiday moved"},
		{comp("VEVENT", between("20270505", "20270506")), "daily"},
		{comp("VEVENT", between("20270520", "20270521")), "daily moved"},
		{comp("VEVENT", between("21270520", "21270521")), "daily"},
		{comp("VEVENT", `<C:time-range end="20270201T000000Z"/>`), "moved"},
		{comp("VTODO", between("20270315", "20270316")), "todo undated"},
		{comp("VTODO", `<C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter><C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>`), "todo"},
		{comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match collation="i;unicode-casemap">CAF\u00c9</C:text-match></C:prop-filter>`), "one"},
		{comp("VEVENT", `<C:prop-filter name="UID"><C:text-match collation="i;octet">daily</C:text-match></C:prop-filter>`), "daily"},
		{comp("VEVENT", `<C:prop-filter name="ATTENDEE"><C:text-match>BEN@coop</C:text-match><C:param-filter name="PARTSTAT"><C:text-match>NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter>`), "one"},
		{comp("VEVENT", `<C:comp-filter name="VALARM">`+`<C:time-range start="20270320T074000Z" end="20270320T075000Z"/>`+`</C:comp-filter>`), "daily"},
		{comp("vevent", `<C:prop-filter name="summary"><C:text-match>daily</C:text-match></C:prop-filter>`), "daily"},
		{comp("VEVENT", `<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>`), "float holiday moved one"},
		{`<C:timezone-id>America/New_York</C:timezone-id>` + comp("VEVENT", between("20270311", "20270312")), "daily float"},
	} {
		filter := strings.ReplaceAll(c.filter, `\u00c9`, "\u00c9")
		answer := h.want(207, nil, "anna", "REPORT", annaCal, report("calendar-query", "<D:prop><D:getetag/></D:prop>", filter), "Depth", "1")
		if got := names(answer); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", filter, got, c.want)
		}
	}
	h.want(207, []string{"getetag"}, "anna", "REPORT", annaCal, report("calendar-query", "", comp("VTODO", "")), "Depth", "1")
	h.want(400, nil, "anna", "REPORT", annaCal, report("calendar-query", dataProp+"<D:allprop/>", comp("VTODO", "")), "Depth", "1")
	h.want(207, []string{"!.ics"}, "anna", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "0")
	h.want(207, []string{"SUMMARY:floating"}, "anna", "REPORT", annaCal+"float.ics", report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "0")
	h.want(207, []string{"!SUMMARY"}, "anna", "REPORT", annaCal+"float.ics", report("calendar-query", dataProp, comp("VTODO", "")), "Depth", "0")
}

func TestQueryRefused(t *testing.T) {
	h := newHouse(t)
	many := strings.Repeat(`<C:prop-filter name="X"/>`, maxTests)
	for _, c := range []struct {
		props, filter, want string
	}{
		{dataProp, ``, "valid-filter"},
		{dataProp, `<C:filter/>`, "valid-filter"},
		{dataProp, `<C:filter><C:comp-filter name="VEVENT"/></C:filter>`, "valid-filter"},
		{dataProp, comp("VEVENT", `<C:time-range/>`), "valid-filter"},
		{dataProp, comp("VEVENT", `<C:time-range start="20270101"/>`), "valid-filter"},
		{dataProp, comp("VEVENT", `<C:time-range start="20270101T000000"/>`), "valid-filter"},
		{dataProp, comp("VEVENT", between("20270102", "20270101")), "valid-filter"},
		{dataProp, comp("VEVENT", `<C:is-not-defined/><C:prop-filter name="X"/>`), "valid-filter"},
		{dataProp, comp("VEVENT", `<C:prop-filter/>`), "valid-filter"},
		{dataProp, comp("VEVENT", `<C:odd/>`), "<C:odd "},
		{dataProp, comp("VEVENT", many), "supported-filter"},
		{dataProp, comp("VEVENT", `<C:prop-filter name="X"><C:text-match collation="i;klingon">x</C:text-match></C:prop-filter>`), "supported-collation"},
		{dataProp, `<C:timezone>x</C:timezone>` + comp("VEVENT", ""), "valid-calendar-data"},
		{dataProp, `<C:timezone-id>x</C:timezone-id>` + comp("VEVENT", ""), "valid-timezone"},
		{`<D:prop><C:calendar-data content-type="application/calendar+json"/></D:prop>`, comp("VEVENT", ""), "supported-calendar-data"},
	} {
		h.want(403, []string{c.want}, "anna", "REPORT", annaCal, report("calendar-query", c.props, c.filter), "Depth", "1")
	}
	h.want(400, nil, "anna", "REPORT", annaCal, report("calendar-query", `<D:prop><C:calendar-data><C:expand start="20270101T000000Z"/></C:calendar-data></D:prop>`, comp("VEVENT", "")), "Depth", "1")
	if status, _, _ := h.do("anna", "REPORT", annaCal, report("calendar-query", dataProp, "<C:filter>"+strings.Repeat(`<C:comp-filter name="X">`, 5000)), "Depth", "1"); status != 400 && status != 413 {
		t.Errorf("a depth bomb: %d", status)
	}
	h.want(403, []string{"supported-report"}, "anna", "REPORT", annaHome, report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "1")
	h.want(404, nil, "cleo", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "1")
}

func TestCalendarData(t *testing.T) {
	h := newHouse(t)
	h.year()
	get := func(data, name string) string {
		return report("calendar-multiget", `<D:prop><D:getetag/><C:calendar-data>`+data+`</C:calendar-data></D:prop>`, `<D:href>`+annaCal+name+`.ics</D:href>`)
	}
	h.want(207, []string{"BEGIN:VCALENDAR&#13;\n", "SUMMARY:Caf\u00e9"}, "anna", "REPORT", annaCal, get("", "one"))
	h.want(207, []string{"DTSTART:20270302T080000Z", "DTEND:20270302T083000Z", "RECURRENCE-ID:20270302T080000Z", "DTSTART:20270304T080000Z", "!0303T", "!RRULE", "!TZID"},
		"anna", "REPORT", annaCal, get(`<C:expand start="20270302T000000Z" end="20270305T000000Z"/>`, "daily"))
	h.want(207, []string{"RRULE", "!special"}, "anna", "REPORT", annaCal, get(`<C:limit-recurrence-set start="20270302T000000Z" end="20270305T000000Z"/>`, "moved"))
	h.want(207, []string{"RRULE", "special"}, "anna", "REPORT", annaCal, get(`<C:limit-recurrence-set start="20270502T000000Z" end="20270508T000000Z"/>`, "moved"))
	h.want(207, []string{"VERSION:2.0", "UID:one", "SUMMARY:Caf", "!LOCATION", "!ATTENDEE", "!PRODID"}, "anna", "REPORT", annaCal,
		get(`<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="UID"/><C:prop name="SUMMARY"/></C:comp></C:comp>`, "one"))
	h.want(403, []string{"number-of-matches-within-limits"}, "anna", "REPORT", annaCal, get(`<C:expand start="20270302T000000Z" end="29270305T000000Z"/>`, "daily"))
	h.want(207, []string{"404"}, "anna", "REPORT", annaCal, get("", "nobody"))
	h.want(207, []string{"404"}, "anna", "REPORT", annaCal, report("calendar-multiget", dataProp, `<D:href>`+annaHome+`</D:href>`))
	h.want(207, []string{"SUMMARY:Caf\u00e9"}, "anna", "REPORT", annaCal, report("calendar-multiget", dataProp, `<D:href>http://example.com`+annaCal+`%6fne.ics</D:href>`))
}

// What a tester of servers looks for beyond the RFC's examples: to-dos that come
// back, categories, and conditions that must all hold.
func TestSearches(t *testing.T) {
	h := newHouse(t)
	for name, lines := range map[string]string{
		"chore": "VTODO/DTSTART:20270301T080000Z|DUE:20270301T090000Z|RRULE:FREQ=WEEKLY|SUMMARY:chore|CATEGORIES:home,GARDEN",
		"trip":  "DTSTART:20270302T080000Z|SUMMARY:trip|CATEGORIES:family,garden|LOCATION:Gent",
		"shop":  "DTSTART:20270302T080000Z|SUMMARY:shop|CATEGORIES:family|LOCATION:Gent",
	} {
		h.want(201, nil, "anna", "PUT", annaCal+name+".ics", ics(name, lines))
	}
	category := `<C:prop-filter name="CATEGORIES"><C:text-match>garden</C:text-match></C:prop-filter>`
	for filter, want := range map[string]string{
		comp("VTODO", between("20280306", "20280307")):           "chore",
		comp("VTODO", between("20280307", "20280308")):           "",
		comp("VTODO", category):                                  "chore",
		comp("VEVENT", category):                                 "trip",
		comp("VEVENT", between("20270302", "20270303")+category): "trip",
		comp("VEVENT", between("20270303", "20270304")+category): "",
		comp("VEVENT", `<C:prop-filter name="LOCATION"><C:text-match>gent</C:text-match></C:prop-filter><C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes">trip</C:text-match></C:prop-filter>`): "shop",
	} {
		if got := names(h.want(207, nil, "anna", "REPORT", annaCal, report("calendar-query", "<D:prop><D:getetag/></D:prop>", filter), "Depth", "1")); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	h.want(207, []string{"DTSTART:20270308T080000Z", "DUE:20270308T090000Z", "RECURRENCE-ID:20270308T080000Z", "!RRULE", "!20270301T"}, "anna", "REPORT", annaCal,
		report("calendar-query", `<D:prop><C:calendar-data><C:expand start="20270308T000000Z" end="20270309T000000Z"/></C:calendar-data></D:prop>`, comp("VTODO", between("20270308", "20270309"))), "Depth", "1")
}

// A fold in the middle of a character cannot go into XML as it is.
func TestOddFoldInXML(t *testing.T) {
	h := newHouse(t)
	text := ics("1", "DTSTART:20270310|SUMMARY:caf\xc3\r\n \xa9")
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", text)
	if _, got, _ := h.do("anna", "GET", annaCal+"one.ics", ""); got != text {
		t.Errorf("other bytes: %q", got)
	}
	h.want(207, []string{"SUMMARY:caf\u00e9"}, "anna", "REPORT", annaCal, report("calendar-multiget", dataProp, `<D:href>`+annaCal+`one.ics</D:href>`))
}

func TestFreeBusy(t *testing.T) {
	h := newHouse(t)
	h.year()
	answer := h.want(200, []string{"BEGIN:VFREEBUSY", "FREEBUSY;FBTYPE=BUSY:20270310T080000Z/20270310T083000Z\r\n", "FREEBUSY;FBTYPE=BUSY:20270310T100000Z/20270310T110000Z\r\n", "!SUMMARY", "!away"},
		"anna", "REPORT", annaCal, report("free-busy-query", "", between("20270310", "20270311")), "Depth", "1")
	if n := strings.Count(answer, "\r\nFREEBUSY"); n != 3 {
		t.Errorf("%d periods:\n%s", n, answer)
	}
	h.want(400, nil, "anna", "REPORT", annaCal, report("free-busy-query", "", `<C:time-range start="20270310T000000Z"/>`), "Depth", "1")
	h.want(404, nil, "cleo", "REPORT", annaCal, report("free-busy-query", "", between("20270310", "20270311")), "Depth", "1")
}

func TestSync(t *testing.T) {
	h := newHouse(t)
	sync := func(token string) (string, string) {
		t.Helper()
		answer := h.want(207, nil, "anna", "REPORT", annaCal, `<D:sync-collection`+spaces+`><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
		_, rest, _ := strings.Cut(answer, "<D:sync-token>")
		next, _, _ := strings.Cut(rest, "</")
		return next, answer
	}
	token, _ := sync("")
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310"))
	token, answer := sync(token)
	if names(answer) != "one" {
		t.Errorf("added: %s", answer)
	}
	h.want(204, nil, "anna", "DELETE", annaCal+"one.ics", "")
	next, answer := sync(token)
	if !strings.Contains(answer, "404") || names(answer) != "one" {
		t.Errorf("removed: %s", answer)
	}
	if again, answer := sync(next); again != next || names(answer) != "" {
		t.Errorf("nothing: %s", answer)
	}
}

// A query over many objects is answered in pages and is complete.
func TestManyObjects(t *testing.T) {
	h := newHouse(t)
	for i := range 150 {
		h.want(201, nil, "anna", "PUT", fmt.Sprintf("%s%d.ics", annaCal, i), ics(fmt.Sprint(i), fmt.Sprintf("DTSTART:2027%02d%02dT100000Z|SUMMARY:%s", 1+i%12, 1+i%28, strings.Repeat("x", 600))))
	}
	for filter, want := range map[string]int{comp("VEVENT", ""): 150, comp("VEVENT", `<C:prop-filter name="SUMMARY"/>`): 150, comp("VEVENT", between("20270301", "20270401")): 13} {
		answer := h.want(207, nil, "anna", "REPORT", annaCal, report("calendar-query", dataProp, filter), "Depth", "1")
		if n := strings.Count(answer, "END:VCALENDAR"); n != want {
			t.Errorf("%s: %d, want %d", filter, n, want)
		}
	}
}

// Who is told when somebody is busy is not told with what, by no way of asking.
func TestFreeBusyIsNotReading(t *testing.T) {
	h := newHouse(t)
	h.year()
	h.want(200, nil, "anna", "ACL", annaCal, `<D:acl`+spaces+`><D:ace><D:principal><D:href>/dav/principals/users/cleo@coop.example/</D:href></D:principal>`+
		`<D:grant><D:privilege><C:read-free-busy/></D:privilege></D:grant></D:ace></D:acl>`)
	home := h.want(207, nil, "cleo", "PROPFIND", "/dav/calendars/cleo@coop.example/", propfind("<D:displayname/>"), "Depth", "1")
	_, rest, ok := strings.Cut(home, "/dav/calendars/cleo@coop.example/~")
	number, _, _ := strings.Cut(rest, "/")
	if !ok {
		t.Fatalf("the calendar is not in the home:\n%s", home)
	}
	shared := "/dav/calendars/cleo@coop.example/~" + number + "/"
	h.want(200, []string{"FREEBUSY", "!SUMMARY"}, "cleo", "REPORT", shared, report("free-busy-query", "", between("20270310", "20270311")), "Depth", "1")
	h.want(403, []string{"!one.ics"}, "cleo", "REPORT", shared, report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "1")
	h.want(403, []string{"!one.ics"}, "cleo", "REPORT", shared, report("calendar-multiget", dataProp, `<D:href>`+shared+`one.ics</D:href>`))
	h.want(403, nil, "cleo", "GET", shared+"one.ics", "")
	h.want(207, []string{"!one.ics"}, "cleo", "PROPFIND", shared, propfind("<D:getetag/>"), "Depth", "1")
}
