package caldav

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

// The default alarms that Apple's programs set for a calendar or for all of them: they
// come back as they were, are gone when removed, and are each member's own in what is
// shared. The server puts them into nothing.
func TestDefaultAlarms(t *testing.T) {
	h := newHouse(t)
	h.Update(func(tx *storage.Tx) error {
		c, err := tx.CollectionByName(h.Accounts["anna"], storage.KindCalendar, "calendar")
		if err != nil {
			return err
		}
		return tx.SetACL(c.ID.Object(), h.Accounts["cleo"], storage.RightLookup|storage.RightRead)
	})
	_, rest, _ := strings.Cut(h.want(207, nil, "cleo", "PROPFIND", "/dav/calendars/cleo@coop.example/", propfind("<D:owner/>"), "Depth", "1"), "cleo@coop.example/~")
	shared := "/dav/calendars/cleo@coop.example/~" + rest[:strings.IndexByte(rest, '/')+1]
	const alarm = "BEGIN:VALARM&#13;\nX-WR-ALARMUID:A&#13;\nUID:A&#13;\nTRIGGER:-PT15M&#13;\nATTACH;VALUE=URI:Chord&#13;\nACTION:AUDIO&#13;\nEND:VALARM&#13;\n"
	for _, name := range []string{"vevent-datetime", "vevent-date", "vtodo-datetime", "vtodo-date"} {
		set := func(user, path, value string) {
			t.Helper()
			h.want(207, []string{"200 OK", "!HTTP/1.1 4"}, user, "PROPPATCH", path, proppatch("<C:default-alarm-"+name+">"+value+"</C:default-alarm-"+name+">"))
		}
		ask := propfind("<C:default-alarm-" + name + "/>")
		for _, path := range []string{annaHome, annaCal} {
			h.want(207, []string{"404"}, "anna", "PROPFIND", path, ask, "Depth", "0")
			set("anna", path, alarm)
			h.want(207, []string{">" + alarm + "<"}, "anna", "PROPFIND", path, ask, "Depth", "0")
		}
		h.want(207, []string{"404", "!VALARM"}, "cleo", "PROPFIND", shared, ask, "Depth", "0")
		set("cleo", shared, strings.Replace(alarm, "15M", "30M", 1))
		h.want(207, []string{"-PT30M"}, "cleo", "PROPFIND", shared, ask, "Depth", "0")
		h.want(207, []string{"-PT15M"}, "anna", "PROPFIND", annaCal, ask, "Depth", "0")
		set("anna", annaCal, "") // none, which is not the same as not set
		h.want(207, []string{"!VALARM", "!404"}, "anna", "PROPFIND", annaCal, ask, "Depth", "0")
		h.want(207, []string{"200 OK"}, "anna", "PROPPATCH", annaCal, `<D:propertyupdate`+spaces+`><D:remove><D:prop><C:default-alarm-`+name+`/></D:prop></D:remove></D:propertyupdate>`)
		h.want(207, []string{"404"}, "anna", "PROPFIND", annaCal, ask, "Depth", "0")
		set("anna", annaCal, alarm)
	}
	text := ics("1", "DTSTART:20270310T100000Z")
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", text)
	h.want(200, []string{text}, "anna", "GET", annaCal+"one.ics", "")
}

// The limits are told (RFC 4791 §5.2.5 to §5.2.9), on the home for calendars to come,
// and what is told holds; there is none on dates.
func TestLimits(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{annaHome, annaCal} {
		h.want(207, []string{"<C:max-resource-size>1048576<", "<C:max-instances>10000<", "<C:max-attendees-per-instance>500<", "<C:min-date-time/>", "<C:max-date-time/>", "404"},
			"anna", "PROPFIND", path, propfind("<C:max-resource-size/><C:max-instances/><C:max-attendees-per-instance/><C:min-date-time/><C:max-date-time/>"), "Depth", "0")
		h.want(207, []string{"cannot-modify-protected-property"}, "anna", "PROPPATCH", path, proppatch("<C:max-instances>1</C:max-instances>"))
	}
	sized := func(n int) string {
		text := ics("1", "DTSTART:20270310T100000Z|DESCRIPTION:")
		return strings.Replace(text, "DESCRIPTION:", "DESCRIPTION:"+strings.Repeat("x", n-len(text)), 1)
	}
	h.want(201, nil, "anna", "PUT", annaCal+"x.ics", sized(1<<20))
	h.want(403, []string{"max-resource-size"}, "anna", "PUT", annaCal+"x.ics", sized(1<<20+1))
	attended := func(n int) string {
		return ics("1", "DTSTART:20270310T100000Z"+strings.Repeat("|ATTENDEE:mailto:x@else.example", n))
	}
	h.want(204, nil, "anna", "PUT", annaCal+"x.ics", attended(500))
	h.want(403, []string{"max-attendees-per-instance"}, "anna", "PUT", annaCal+"x.ics", attended(501))
	h.want(204, nil, "anna", "PUT", annaCal+"x.ics", ics("1", "DTSTART:20270310T100000Z|RRULE:FREQ=DAILY;COUNT=10000"))
	h.want(403, []string{"max-instances"}, "anna", "PUT", annaCal+"x.ics", ics("1", "DTSTART:20270310T100000Z|RRULE:FREQ=HOURLY;COUNT=10001"))
	for _, when := range []string{"00010101T000000Z", "16010101T000000Z", "99991231T235959Z"} {
		h.want(204, nil, "anna", "PUT", annaCal+"x.ics", ics("1", "DTSTART:"+when+"|DURATION:PT1H"))
		h.want(207, []string{when}, "anna", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", "")), "Depth", "1")
	}
	h.want(207, []string{"x.ics"}, "anna", "REPORT", annaCal, report("calendar-query", dataProp, comp("VEVENT", `<C:time-range start="99991231T000000Z"/>`)), "Depth", "1")
}
