package caldav

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// What Thunderbird and Apple look for before they leave invitations to a server.
func TestSchedulingCollections(t *testing.T) {
	h := newHouse(t)
	h.want(207, []string{"<C:schedule-inbox-URL><D:href>" + annaHome + "inbox/", "<C:schedule-outbox-URL><D:href>" + annaHome + "outbox/", "INDIVIDUAL", "mailto:anna@coop.example"},
		"anna", "PROPFIND", "/dav/principals/users/anna@coop.example/", propfind("<C:schedule-inbox-URL/><C:schedule-outbox-URL/><C:calendar-user-type/><C:calendar-user-address-set/>"), "Depth", "0")
	h.want(207, []string{"!" + annaHome + "inbox", ">GROUP<"},
		"cleo", "PROPFIND", "/dav/principals/groups/garden@coop.example/", propfind("<C:schedule-inbox-URL/><C:calendar-user-type/>"), "Depth", "0")
	h.want(207, []string{"<C:schedule-inbox ", "<C:schedule-outbox "}, "anna", "PROPFIND", annaHome, propfind("<D:resourcetype/>"), "Depth", "1")
	if _, _, head := h.do("anna", "OPTIONS", annaHome, ""); !strings.Contains(head.Get("DAV"), "calendar-auto-schedule") {
		t.Error(head.Get("DAV"))
	}
	h.want(404, nil, "ben", "PROPFIND", annaHome+"inbox/", "", "Depth", "0")
	for _, name := range []string{"inbox", "outbox"} {
		h.want(403, nil, "anna", "DELETE", annaHome+name+"/", "")
		h.want(403, nil, "anna", "MKCALENDAR", annaHome+name+"/", "")
	}
	h.want(207, []string{"schedule-deliver-invite", "schedule-query-freebusy"}, "anna", "PROPFIND", annaHome+"inbox/", propfind("<D:current-user-privilege-set/><D:supported-privilege-set/>"), "Depth", "0")
	h.want(207, []string{"schedule-send-freebusy", "!schedule-deliver"}, "anna", "PROPFIND", annaHome+"outbox/", propfind("<D:current-user-privilege-set/><D:supported-privilege-set/>"), "Depth", "0")
	h.want(405, nil, "anna", "ACL", annaHome+"inbox/", `<D:acl xmlns:D="DAV:"/>`)
	h.want(403, nil, "anna", "PUT", annaHome+"inbox/x.ics", ics("1", "DTSTART:20270310T100000Z"))

	find := propfind("<C:schedule-default-calendar-URL/>")
	h.want(207, []string{"<D:href>" + annaCal}, "anna", "PROPFIND", annaHome+"inbox/", find, "Depth", "0")
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"work/", "")
	set := func(href string) string {
		return proppatch("<C:schedule-default-calendar-URL><D:href>" + href + "</D:href></C:schedule-default-calendar-URL>")
	}
	h.want(207, []string{"HTTP/1.1 200"}, "anna", "PROPPATCH", annaHome+"inbox/", set(annaHome+"work/"))
	h.want(207, []string{annaHome + "work/"}, "anna", "PROPFIND", annaHome+"inbox/", find, "Depth", "0")
	h.want(207, []string{"valid-schedule-default-calendar-URL"}, "anna", "PROPPATCH", annaHome+"inbox/", set(benCal))
	h.want(204, nil, "anna", "DELETE", annaHome+"work/", "")
	h.want(207, []string{annaCal}, "anna", "PROPFIND", annaHome+"inbox/", find, "Depth", "0")
}

// waiting are the changes that wait for scheduling; they wait no more.
func (h *house) waiting() (n int) {
	h.Update(func(tx *storage.Tx) error {
		for {
			ch, more, err := calendar.NextChange(tx, 0)
			if err != nil || !more {
				return err
			}
			if n++; ch.Done(tx) != nil {
				h.t.Error("a change cannot be worked off")
			}
		}
	})
	return n
}

// What concerns nobody here is not noted for scheduling: a copy of somebody else's
// event. What concerned its owner before is.
func TestWhatIsScheduled(t *testing.T) {
	h := newHouse(t)
	organizer := func(of, more string) string { return "DTSTART:20270310T100000Z|ORGANIZER:mailto:" + of + more }
	for i, c := range []string{
		"DTSTART:20270310T100000Z",
		organizer("x@else.example", "|ATTENDEE:mailto:y@else.example"),
		organizer("ben@coop.example", "|ATTENDEE:mailto:cleo@coop.example"),
	} {
		status, body, _ := h.do("anna", "PUT", annaCal+"x.ics", ics("1", c))
		if n := h.waiting(); status/100 != 2 || n != 0 {
			t.Errorf("step %d: %d, %d changes wait %s", i, status, n, body)
		}
	}
	h.want(201, nil, "anna", "PUT", annaCal+"invited.ics", ics("3", organizer("ben@coop.example", "|ATTENDEE:mailto:anna@coop.example")))
	if n := h.waiting(); n != 1 {
		t.Errorf("an attendee: %d changes wait", n)
	}
	h.want(201, nil, "anna", "PUT", annaCal+"own.ics", ics("2", organizer("anna@coop.example", "|ATTENDEE:mailto:x@else.example")))
	if n := h.waiting(); n != 1 {
		t.Errorf("an invitation: %d changes wait", n)
	}
	h.want(204, nil, "anna", "PUT", annaCal+"own.ics", ics("2", "DTSTART:20270310T100000Z"))
	if n := h.waiting(); n != 1 {
		t.Errorf("nobody is invited any more: %d changes wait", n)
	}
}

// A message in the inbox is found, read and cleared; it follows sync-collection.
func TestInbox(t *testing.T) {
	h := newHouse(t)
	text := strings.Replace(ics("1", "ORGANIZER:mailto:ben@coop.example|RECURRENCE-ID:20270310T100000Z"), "VERSION", "METHOD:CANCEL\r\nVERSION", 1)
	w := h.DB.Stage()
	_, _ = w.Write([]byte(text))
	body, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	in, err := calendar.PrepareMessage(body, "1", "VEVENT")
	if err != nil {
		t.Fatal(err)
	}
	h.Update(func(tx *storage.Tx) error {
		c, err := calendar.Inbox(tx, h.Accounts["anna"])
		if err == nil {
			_, err = calendar.Deliver(tx, c, in, h.Now)
		}
		return err
	})
	box := annaHome + "inbox/"
	sync := `<D:sync-collection` + spaces + `><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`
	if answer := h.want(207, nil, "anna", "REPORT", box, sync); names(answer) != "1" {
		t.Errorf("sync: %s", answer)
	}
	query := `<C:calendar-query` + spaces + `>` + dataProp + `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20270301T000000Z" end="20270401T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
	h.want(207, []string{"METHOD:CANCEL"}, "anna", "REPORT", box, query, "Depth", "1")
	h.want(207, []string{"METHOD:CANCEL"}, "anna", "REPORT", box, `<C:calendar-multiget`+spaces+`>`+dataProp+`<D:href>`+box+`1.ics</D:href></C:calendar-multiget>`)
	h.want(200, []string{text}, "anna", "GET", box+"1.ics", "")
	h.want(204, nil, "anna", "DELETE", box+"1.ics", "")
	h.want(404, nil, "anna", "GET", box+"1.ics", "")
}

func ask(organizer, more string, attendees ...string) string {
	s := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:ask\r\nDTSTAMP:20270301T000000Z\r\nDTSTART:20270310T000000Z\r\nDTEND:20270311T000000Z\r\n" + more + "ORGANIZER:mailto:" + organizer + "\r\n"
	for _, a := range attendees {
		s += "ATTENDEE:mailto:" + a + "\r\n"
	}
	return s + "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
}

// Busy time of members, of a group, of somebody unknown, and of somebody elsewhere.
func TestBusyTime(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "ben", "PUT", benCal+"a.ics", ics("a", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|SUMMARY:Secret"))
	h.want(201, nil, "ben", "PUT", benCal+"b.ics", ics("b", "DTSTART:20270310T150000Z|DTEND:20270310T160000Z|TRANSP:TRANSPARENT"))
	h.want(201, nil, "ben", "MKCALENDAR", benHome+"others/", "")
	h.want(207, nil, "ben", "PROPPATCH", benHome+"others/", proppatch("<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"))
	h.want(201, nil, "ben", "PUT", benHome+"others/c.ics", ics("c", "DTSTART:20270310T170000Z|DTEND:20270310T180000Z"))
	h.want(201, nil, "anna", "PUT", "/dav/calendars/garden@coop.example/calendar/g.ics", ics("g", "DTSTART:20270310T120000Z|DTEND:20270310T130000Z"))
	h.want(201, nil, "ben", "PUT", benCal+"d.ics", ics("d", "DTSTART:20270310T190000Z|DTEND:20270310T200000Z|ORGANIZER:mailto:x@else.example|ATTENDEE;PARTSTAT=DECLINED:mailto:ben@coop.example"))
	box := annaHome + "outbox/"
	answer := h.want(200, []string{"FREEBUSY;FBTYPE=BUSY:20270310T100000Z/20270310T110000Z", "BUSY:20270310T120000Z/20270310T130000Z", "!T150000Z", "!T170000Z", "!T190000Z", "!Secret",
		"2.0;Success", "3.7;Invalid Calendar User", "METHOD:REPLY", "UID:ask"}, "anna", "POST", box, ask("anna@coop.example", "", "ben@coop.example", "garden@coop.example", "nobody@coop.example", "x@else.example"))
	if n := strings.Count(answer, "<C:recipient>"); n != 4 || strings.Count(answer, "3.7;") != 2 {
		t.Errorf("%d answers\n%s", n, answer)
	}
	h.want(200, []string{"!T100000Z"}, "anna", "POST", box, ask("anna@coop.example", "X-CALENDARSERVER-MASK-UID:a\r\n", "ben@coop.example"))

	available := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VAVAILABILITY\r\nUID:av\r\nDTSTAMP:20270101T000000Z\r\nBEGIN:AVAILABLE\r\nUID:av1\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270301T080000Z\r\nDTEND:20270301T180000Z\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
	h.want(207, []string{"HTTP/1.1 200"}, "ben", "PROPPATCH", benHome+"inbox/", proppatch("<C:calendar-availability>"+available+"</C:calendar-availability>"))
	h.want(207, []string{"valid-calendar-data"}, "ben", "PROPPATCH", benHome+"inbox/", proppatch("<C:calendar-availability>x</C:calendar-availability>"))
	h.want(200, []string{"BUSY-UNAVAILABLE:20270310T000000Z/20270310T080000Z"}, "anna", "POST", box, ask("anna@coop.example", "", "ben@coop.example"))

	h.want(403, []string{"valid-organizer"}, "anna", "POST", box, ask("ben@coop.example", "", "ben@coop.example"))
	h.want(400, []string{"valid-scheduling-message"}, "anna", "POST", box, ics("1", "DTSTART:20270310T100000Z"))
	h.want(400, []string{"valid-scheduling-message"}, "anna", "POST", box, strings.Replace(ask("anna@coop.example", "", "ben@coop.example"), "DTEND:2027", "DTEND:2037", 1))
	h.want(403, []string{"valid-calendar-data"}, "anna", "POST", box, "BEGIN:VCALENDAR")
	h.want(404, nil, "ben", "POST", box, ask("ben@coop.example", "", "ben@coop.example"))
}
