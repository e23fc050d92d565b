package caldav

import (
	"strings"
	"testing"
)

// data asks for one object with what stands in calendar-data.
func data(inner, name string) string {
	return report("calendar-multiget", `<D:prop><C:calendar-data>`+inner+`</C:calendar-data></D:prop>`, `<D:href>`+annaCal+name+`.ics</D:href>`)
}

// starts are the values of DTSTART and, after a stroke, RECURRENCE-ID of each
// component in an answer.
func starts(answer string) string {
	var out []string
	for _, c := range strings.Split(strings.ReplaceAll(answer, "&#13;", ""), "BEGIN:V")[2:] {
		start, id := "", ""
		for l := range strings.SplitSeq(c, "\n") {
			name, v, _ := strings.Cut(l, ":")
			switch {
			case strings.HasPrefix(name, "DTSTART"):
				start = v
			case strings.HasPrefix(name, "RECURRENCE-ID"):
				id = "/" + v
			}
		}
		out = append(out, start+id)
	}
	return strings.Join(out, " ")
}

// CALDAV:expand (RFC 4791 §9.6.5): the instances in the range, each alone, in UTC,
// with the RECURRENCE-ID of what recurs and without the rules and zones that make it.
func TestExpand(t *testing.T) {
	h := newHouse(t)
	const zone = ";TZID=Europe/Brussels:"
	exception := func(what string) string { return "|END:VEVENT|BEGIN:VEVENT|UID:x|DTSTAMP:20270101T000000Z|" + what }
	for _, c := range []struct{ what, lines, from, to, want string }{
		{"what happens once has no RECURRENCE-ID", "DTSTART" + zone + "20270322T100000|DURATION:PT1H", "20270322", "20270323", "20270322T090000Z"},
		{"over the change to summer time", "DTSTART" + zone + "20270322T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=4", "20270322", "20270330",
			"20270322T090000Z/20270322T090000Z 20270329T080000Z/20270329T080000Z"},
		{"RDATE and EXDATE", "DTSTART" + zone + "20270322T100000|RRULE:FREQ=WEEKLY;COUNT=3|RDATE" + zone + "20270324T100000|EXDATE" + zone + "20270329T100000", "20270320", "20270410",
			"20270322T090000Z/20270322T090000Z 20270324T090000Z/20270324T090000Z 20270405T080000Z/20270405T080000Z"},
		{"moved into the range", "DTSTART" + zone + "20270322T100000|RRULE:FREQ=WEEKLY" + exception("RECURRENCE-ID"+zone+"20280403T100000|DTSTART"+zone+"20270323T100000"), "20270322", "20270324",
			"20270322T090000Z/20270322T090000Z 20270323T090000Z/20280403T080000Z"},
		{"moved out of the range", "DTSTART" + zone + "20270322T100000|RRULE:FREQ=WEEKLY" + exception("RECURRENCE-ID"+zone+"20270329T100000|DTSTART"+zone+"20280323T100000"), "20270322", "20270330",
			"20270322T090000Z/20270322T090000Z"},
		{"another time from one on", "DTSTART" + zone + "20270301T100000|RRULE:FREQ=WEEKLY" + exception("RECURRENCE-ID;RANGE=THISANDFUTURE"+zone+"20270322T100000|DTSTART"+zone+"20270323T120000"), "20270314", "20270401",
			"20270315T090000Z/20270315T090000Z 20270323T110000Z/20270322T090000Z 20270330T100000Z/20270329T080000Z"},
		{"days stay days", "DTSTART;VALUE=DATE:20270320|RRULE:FREQ=DAILY", "20270322", "20270323", "20270322/20270322"},
		{"floating times stay floating", "DTSTART:20270320T100000|RRULE:FREQ=DAILY", "20270322", "20270323", "20270322T100000/20270322T100000"},
		{"one that began before and lasts", "DTSTART:20270321T220000Z|DURATION:PT4H|RRULE:FREQ=DAILY;COUNT=2", "20270322", "20270323", "20270321T220000Z/20270321T220000Z 20270322T220000Z/20270322T220000Z"},
		{"none in the range", "DTSTART:20270320T100000Z|RRULE:FREQ=DAILY;COUNT=2", "20280101", "20280201", ""},
		{"an instance without its series", "DTSTART" + zone + "20270322T100000|RECURRENCE-ID" + zone + "20270321T100000", "20270322", "20270323", "20270322T090000Z/20270321T090000Z"},
	} {
		h.want(201, nil, "anna", "PUT", annaCal+"x.ics", ics("x", c.lines))
		answer := h.want(207, []string{"!RRULE", "!RDATE", "!EXDATE", "!TZID", "!VTIMEZONE", "BEGIN:VCALENDAR"}, "anna", "REPORT", annaCal,
			data(`<C:expand start="`+c.from+`T000000Z" end="`+c.to+`T000000Z"/>`, "x"))
		if got := starts(answer); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
		h.want(204, nil, "anna", "DELETE", annaCal+"x.ics", "")
	}
	for _, bad := range []string{
		`<C:expand/>`, `<C:expand start="20270301T000000Z"/>`, `<C:expand start="20270301" end="20270401"/>`,
		`<C:expand start="20270401T000000Z" end="20270301T000000Z"/>`,
		`<C:expand start="20270301T000000Z" end="20270401T000000Z"/><C:limit-recurrence-set start="20270301T000000Z" end="20270401T000000Z"/>`,
	} {
		h.want(400, nil, "anna", "REPORT", annaCal, data(bad, "x"))
	}
}

// Parts of an object (RFC 4791 §9.6.1 to §9.6.4): the components and properties that
// are named, in their order, and nothing else.
func TestPartialData(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"x.ics", strings.Replace(ics("x", "DTSTART;TZID=Z:20270322T100000|RRULE:FREQ=WEEKLY;COUNT=4|SUMMARY:a|X-ABC;P=q:secret|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT5M|DESCRIPTION:ring|END:VALARM"+
		"|END:VEVENT|BEGIN:VEVENT|UID:x|DTSTAMP:20270101T000000Z|RECURRENCE-ID;TZID=Z:20270329T100000|DTSTART;TZID=Z:20270330T100000|SUMMARY:b"), "BEGIN:VEVENT",
		"BEGIN:VTIMEZONE\r\nTZID:Z\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", 1))
	event := func(inner string) string {
		return `<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">` + inner + `</C:comp></C:comp>`
	}
	for _, c := range []struct {
		inner string
		want  []string
	}{
		{``, []string{"PRODID", "VTIMEZONE", "VALARM", "secret", "SUMMARY:b"}},
		{`<C:comp name="VCALENDAR"/>`, []string{"BEGIN:VCALENDAR&#13;\nEND:VCALENDAR"}},
		{`<C:comp name="VCALENDAR"><C:allprop/></C:comp>`, []string{"VERSION:2.0", "PRODID", "!VEVENT", "!VTIMEZONE"}},
		{`<C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp>`, []string{"PRODID", "VTIMEZONE", "VALARM", "secret"}},
		{`<C:comp name="VCALENDAR"><C:comp name="VTIMEZONE"><C:allprop/></C:comp></C:comp>`, []string{"TZID:Z", "!STANDARD", "!VEVENT", "!VERSION"}},
		{event(`<C:prop name="UID"/>`), []string{"VERSION:2.0", "UID:x", "!PRODID", "!SUMMARY", "!VALARM", "!VTIMEZONE"}},
		{event(`<C:prop name="summary"/>`), []string{"SUMMARY:a", "SUMMARY:b", "!UID"}},
		{event(`<C:allprop/>`), []string{"RRULE", "secret", "!VALARM"}},
		{event(`<C:prop name="SUMMARY"/><C:allcomp/>`), []string{"SUMMARY:a", "BEGIN:VALARM", "ring", "!RRULE"}},
		{event(`<C:comp name="VALARM"><C:prop name="TRIGGER"/></C:comp>`), []string{"TRIGGER:-PT5M", "!ACTION", "!ring", "!SUMMARY"}},
		{event(`<C:prop name="X-ABC" novalue="yes"/>`), []string{"X-ABC", "!secret"}},
		{event(`<C:prop name="X-ABC" novalue="no"/>`), []string{"secret"}},
		{event(`<C:prop name="NONE"/>`), []string{"BEGIN:VEVENT&#13;\nEND:VEVENT"}},
		{event(`<C:prop name="SUMMARY"/>`) + `<C:limit-recurrence-set start="20270322T000000Z" end="20270323T000000Z"/>`, []string{"SUMMARY:a", "!SUMMARY:b"}},
		{event(`<C:prop name="SUMMARY"/><C:prop name="DTSTART"/>`) + `<C:expand start="20270330T000000Z" end="20270331T000000Z"/>`, []string{"SUMMARY:b", "DTSTART:20270330T090000Z", "!SUMMARY:a", "!UID"}},
	} {
		h.want(207, c.want, "anna", "REPORT", annaCal, data(c.inner, "x"))
	}
	h.want(400, nil, "anna", "REPORT", annaCal, data(`<C:comp name="VEVENT"/>`, "x"))
}
