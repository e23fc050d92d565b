package caldav

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

func TestBytesComeBack(t *testing.T) {
	h := newHouse(t)
	text := ics("1", "DTSTART:20270310T100000Z|SUMMARY:fol\r\n ded|X-ODD;A=\"b:c\":d|ORGANIZER:mailto:anna@coop.example")
	status, _, head := h.do("anna", "PUT", annaCal+"one.ics", text, "Content-Type", "text/calendar; charset=utf-8", "If-None-Match", "*")
	if status != 201 || head.Get("ETag") == "" || head.Get("Schedule-Tag") == "" {
		t.Fatalf("%d %v", status, head)
	}
	status, got, back := h.do("anna", "GET", annaCal+"one.ics", "")
	if status != 200 || got != text || back.Get("ETag") != head.Get("ETag") || back.Get("Schedule-Tag") != head.Get("Schedule-Tag") || back.Get("Content-Type") != "text/calendar; charset=utf-8; component=VEVENT" {
		t.Errorf("%d %v\n%s", status, back, got)
	}
	if status, _, again := h.do("anna", "PUT", annaCal+"one.ics", strings.Replace(text, "ded", "dod", 1), "If-Match", head.Get("ETag")); status != 204 || again.Get("ETag") == head.Get("ETag") {
		t.Errorf("%d %v", status, again)
	}
	h.want(412, nil, "anna", "PUT", annaCal+"one.ics", text, "If-Match", head.Get("ETag"))
	h.want(412, nil, "anna", "PUT", annaCal+"one.ics", text, "If-Schedule-Tag-Match", head.Get("Schedule-Tag"))
	_, answer, _ := h.do("anna", "PROPFIND", annaCal+"one.ics", propfind("<C:schedule-tag/>"), "Depth", "0")
	_, rest, _ := strings.Cut(answer, "<C:schedule-tag>")
	tag, _, _ := strings.Cut(rest, "</")
	h.want(412, nil, "anna", "DELETE", annaCal+"one.ics", "", "If-Schedule-Tag-Match", `"other"`)
	h.want(204, nil, "anna", "DELETE", annaCal+"one.ics", "", "If-Schedule-Tag-Match", tag)
	h.want(412, nil, "anna", "PUT", annaCal+"new.ics", text, "If-Schedule-Tag-Match", tag)
	h.want(404, nil, "anna", "GET", annaCal+"one.ics", "")
}

// Each precondition of RFC 4791 §5.3.2.1 by its name.
func TestPreconditions(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310T100000Z"))
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"tasks/", `<C:mkcalendar`+spaces+`><D:set><D:prop><C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>`)
	for _, c := range []struct {
		path, body, kind string
		status           int
		want             string
	}{
		{annaCal + "x.ics", "BEGIN:VCARD\r\nEND:VCARD\r\n", "text/vcard", 403, "supported-calendar-data"},
		{annaCal + "x.ics", "BEGIN:VCARD\r\nEND:VCARD\r\n", "", 403, "valid-calendar-data"},
		{annaCal + "x.ics", ics("2", "DTSTART:2027031"), "text/calendar", 403, "valid-calendar-data"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|ATTENDEE;CN=x"), "text/calendar", 403, "no colon"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|SUMMARY:R\xe9union"), "text/calendar", 403, "UTF-8"},
		{annaCal + "x.ics", strings.Replace(ics("2", "DTSTART:20270310"), "PRODID", "METHOD:PUBLISH\r\nPRODID", 1), "", 403, "valid-calendar-object-resource"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|END:VEVENT|BEGIN:VTODO|UID:2|END:VTODO|BEGIN:VEVENT|UID:2|DTSTART:20270310"), "", 403, "valid-calendar-object-resource"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|END:VEVENT|BEGIN:VEVENT|UID:3|DTSTART:20270310"), "", 403, "valid-calendar-object-resource"},
		{annaHome + "tasks/x.ics", ics("2", "DTSTART:20270310"), "", 403, "supported-calendar-component"},
		{annaCal + "x.ics", ics("1", "DTSTART:20270310"), "", 409, "><D:href>" + annaCal + "one.ics</D:href></C:no-uid-conflict>"},
		{annaCal + "one.ics", ics("2", "DTSTART:20270310"), "", 409, "no-uid-conflict"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|X:"+strings.Repeat("x", 1<<20)), "", 403, "max-resource-size"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310T000000|RRULE:FREQ=SECONDLY;COUNT=1000000000"), "", 403, "max-instances"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310"+strings.Repeat("|ATTENDEE:mailto:x@y", 501)), "", 403, "max-attendees-per-instance"},
		{annaCal + "x.ics", ics("2", "DTSTART:20270310|RRULE:FREQ=YEARLY;RSCALE=CHINESE"), "", 403, "supported-rscale"},
		{annaCal + "x.ics", strings.Repeat("BEGIN:VCALENDAR\n", 30_000), "", 403, "max-resource-size"},
	} {
		h.want(c.status, []string{c.want}, "anna", "PUT", c.path, c.body, "Content-Type", c.kind)
	}
	h.want(404, nil, "anna", "GET", annaCal+"x.ics", "")
	h.want(403, []string{"calendar-collection-location-ok"}, "anna", "MKCALENDAR", annaCal+"in/", "")
	h.want(403, []string{"resource-must-be-null"}, "anna", "MKCALENDAR", annaCal, "")
	h.want(403, []string{"valid-resourcetype"}, "anna", "MKCOL", annaHome+"plain/", "")
	h.want(201, nil, "anna", "MKCOL", annaHome+"ext/", `<D:mkcol`+spaces+`><D:set><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>Ext</D:displayname></D:prop></D:set></D:mkcol>`)
	h.want(207, []string{"Ext", "<C:calendar "}, "anna", "PROPFIND", annaHome+"ext/", propfind("<D:displayname/><D:resourcetype/>"), "Depth", "0")
}

func TestCopyAndMove(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310T100000Z"))
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"other/", "")
	h.want(409, []string{"no-uid-conflict"}, "anna", "COPY", annaCal+"one.ics", "", "Destination", annaCal+"two.ics")
	h.want(201, nil, "anna", "COPY", annaCal+"one.ics", "", "Destination", annaHome+"other/one.ics")
	h.want(204, nil, "anna", "MOVE", annaCal+"one.ics", "", "Destination", annaHome+"other/one.ics")
	h.want(201, nil, "anna", "MOVE", annaHome+"other/one.ics", "", "Destination", annaCal+"moved.ics")
	h.want(403, []string{"calendar-collection-location-ok"}, "anna", "MOVE", annaHome+"other/", "", "Destination", annaCal+"other/")
	h.want(207, []string{"moved.ics", "!one.ics"}, "anna", "PROPFIND", annaCal, propfind("<D:getetag/>"), "Depth", "1")
	h.want(204, nil, "anna", "DELETE", annaHome+"other/", "")
}

func TestProperties(t *testing.T) {
	h := newHouse(t)
	const zone = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Brussels\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"work/", `<C:mkcalendar`+spaces+`><D:set><D:prop><D:displayname>Work</D:displayname><A:calendar-color>#FF0000FF</A:calendar-color>`+
		`<A:calendar-order>3</A:calendar-order><C:calendar-description>at work</C:calendar-description><C:calendar-timezone>`+strings.ReplaceAll(zone, "\r", "&#13;")+`</C:calendar-timezone></D:prop></D:set></C:mkcalendar>`)
	all := h.want(207, []string{">Work<", "#FF0000FF", ">3<", "at work", "TZID:Europe/Brussels", "<C:calendar-timezone-id>Europe/Brussels<", `name="VEVENT"`, `name="VAVAILABILITY"`, "i;unicode-casemap", "1048576", "10000", "calendar-multiget", "free-busy-query", "sync-collection", "<C:opaque/>", "data:,"},
		"anna", "PROPFIND", annaHome+"work/", propfind(`<D:displayname/><A:calendar-color/><A:calendar-order/><C:calendar-description/><C:calendar-timezone/><C:calendar-timezone-id/><C:supported-calendar-component-set/>`+
			`<C:supported-collation-set/><C:max-resource-size/><C:max-instances/><C:max-attendees-per-instance/><D:supported-report-set/><C:schedule-calendar-transp/><CS:getctag/><D:sync-token/>`), "Depth", "0")
	if strings.Contains(all, "404") {
		t.Errorf("something is missing:\n%s", all)
	}
	patch := func(status, props string) {
		t.Helper()
		h.want(207, []string{status}, "anna", "PROPPATCH", annaHome+"work/", proppatch(props))
	}
	patch("valid-calendar-data", "<C:calendar-timezone>x</C:calendar-timezone>")
	patch("valid-timezone", "<C:calendar-timezone-id>Nowhere/Land</C:calendar-timezone-id>")
	patch("200 OK", "<C:calendar-timezone-id>America/New_York</C:calendar-timezone-id>")
	patch("403", `<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>`)
	patch("409", `<C:schedule-calendar-transp/>`)
	patch("200 OK", `<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp><C:default-alarm-vevent-datetime>BEGIN:VALARM&#13;
END:VALARM</C:default-alarm-vevent-datetime>`)
	h.want(207, []string{"America/New_York", "<C:transparent/>", "BEGIN:VALARM", "404"}, "anna", "PROPFIND", annaHome+"work/", propfind("<C:calendar-timezone-id/><C:calendar-timezone/><C:schedule-calendar-transp/><C:default-alarm-vevent-datetime/>"), "Depth", "0")
	h.want(207, []string{"!BEGIN:VCALENDAR"}, "anna", "PROPFIND", annaHome, `<D:propfind`+spaces+`><D:allprop/></D:propfind>`, "Depth", "1")
	h.want(207, []string{"<C:calendar-home-set><D:href>" + annaHome, "mailto:anna@coop.example"}, "anna", "PROPFIND", "/dav/principals/users/anna@coop.example/", propfind("<C:calendar-home-set/><C:calendar-user-address-set/>"), "Depth", "0")
	_, _, head := h.do("anna", "OPTIONS", annaHome, "")
	if v := head.Get("DAV"); !strings.Contains(v, "calendar-access") || !strings.Contains(v, "calendar-auto-schedule") || !strings.Contains(head.Get("Allow"), "PROPFIND") {
		t.Errorf("DAV %q, Allow %q", v, head.Get("Allow"))
	}
}

// A calendar that is shared is in the member's own home, with the member's own
// name and colour.
func TestShared(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310T100000Z"))
	h.want(404, nil, "ben", "GET", annaCal+"one.ics", "")
	h.Update(func(tx *storage.Tx) error {
		c, err := tx.CollectionByName(h.Accounts["anna"], storage.KindCalendar, "calendar")
		if err != nil {
			return err
		}
		return tx.SetACL(c.ID.Object(), h.Accounts["cleo"], storage.RightLookup|storage.RightRead)
	})
	const cleoHome = "/dav/calendars/cleo@coop.example/"
	answer := h.want(207, nil, "cleo", "PROPFIND", cleoHome, propfind("<D:displayname/><D:resourcetype/>"), "Depth", "1")
	_, rest, ok := strings.Cut(answer, cleoHome+"~")
	number, _, _ := strings.Cut(rest, "/")
	if !ok {
		t.Fatalf("not in the home:\n%s", answer)
	}
	path := cleoHome + "~" + number + "/"
	h.want(200, []string{"UID:1"}, "cleo", "GET", path+"one.ics", "")
	h.want(403, nil, "cleo", "PUT", path+"two.ics", ics("2", "DTSTART:20270310T100000Z"))
	h.want(207, []string{"200 OK"}, "cleo", "PROPPATCH", path, proppatch("<A:calendar-color>#123456</A:calendar-color><D:displayname>Hers</D:displayname>"))
	h.want(207, []string{"#123456", ">Hers<", "<C:transparent/>"}, "cleo", "PROPFIND", path, propfind("<A:calendar-color/><D:displayname/><C:schedule-calendar-transp/>"), "Depth", "0")
	h.want(207, []string{"!#123456", "!Hers", "<C:opaque/>"}, "anna", "PROPFIND", annaCal, propfind("<A:calendar-color/><D:displayname/><C:schedule-calendar-transp/>"), "Depth", "0")
	h.want(207, []string{"garden"}, "anna", "PROPFIND", annaHome, propfind("<D:displayname/><D:owner/>"), "Depth", "1")
	h.want(204, nil, "cleo", "DELETE", path, "")
	h.want(200, nil, "anna", "GET", annaCal+"one.ics", "")
}

func TestQuota(t *testing.T) {
	h := newHouse(t)
	h.want(507, []string{"quota-not-exceeded"}, "ben", "PUT", benCal+"one.ics", ics("1", "DTSTART:20270310|X:"+strings.Repeat("x", 30_000)))
}
