package itip

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// What RFC 6638 §3.2.4 has refused.
func TestPreconditions(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen))
	ben := h.read("ben", copyOf("m"))
	for _, c := range []struct{ user, path, body, want string }{
		{"ben", home("ben") + copyOf("m"), strings.Replace(ben, "T100000Z", "T090000Z", 1), "allowed-attendee-scheduling-object-change"},
		{"ben", home("ben") + copyOf("m"), strings.Replace(ben, "Meeting", "Party", 1), "allowed-attendee-scheduling-object-change"},
		{"ben", home("ben") + copyOf("m"), strings.Replace(ben, "PARTSTAT=ACCEPTED:mailto:anna", "PARTSTAT=DECLINED:mailto:anna", 1), "allowed-attendee-scheduling-object-change"},
		{"ben", home("ben") + copyOf("m"), strings.ReplaceAll(ben, "ORGANIZER:mailto:anna", "ORGANIZER:mailto:ben"), "allowed-attendee-scheduling-object-change"},
		{"ben", home("ben") + copyOf("m"), strings.Replace(ben, "mailto:ben", "mailto:somebody", 1), "allowed-attendee-scheduling-object-change"},
		{"ben", home("ben") + copyOf("m"), event("m", times1+strings.TrimSuffix(byAnna, "|")), "allowed-attendee-scheduling-object-change"},
		{"anna", home("anna") + "m.ics", event("m", times1+strings.ReplaceAll(byAnna, "ORGANIZER:mailto:anna", "ORGANIZER:mailto:ben")+andBen), "allowed-organizer-scheduling-object-change"},
		{"anna", home("anna") + "two.ics", strings.Replace(event("two", times1+byAnna+andBen), "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:two\r\nDTSTAMP:20270101T000000Z\r\nRECURRENCE-ID:20270320T100000Z\r\nDTSTART:20270320T100000Z\r\nORGANIZER:mailto:ben@coop.example\r\nEND:VEVENT\r\nEND:VCALENDAR", 1), "same-organizer-in-all-components"},
	} {
		if status, answer, _ := h.do(c.user, "PUT", c.path, c.body); status != 403 || !strings.Contains(answer, c.want) {
			t.Errorf("%s: %d %s", c.want, status, answer)
		}
	}
	if status, _, _ := h.do("anna", "MKCALENDAR", "anna@coop.example/work/", ""); status != 201 {
		t.Fatal(status)
	}
	status, answer, _ := h.do("anna", "PUT", "anna@coop.example/work/m.ics", event("m", times1+byAnna+andBen))
	if status != 403 || !strings.Contains(answer, "unique-scheduling-object-resource") || !strings.Contains(answer, "/anna@coop.example/calendar/m.ics") {
		t.Errorf("twice: %d %s", status, answer)
	}
	if status, answer, _ := h.do("anna", "COPY", home("anna")+"m.ics", "", "Destination", "/dav/calendars/anna@coop.example/work/m.ics"); status != 403 || !strings.Contains(answer, "unique-scheduling") {
		t.Errorf("copied: %d %s", status, answer)
	}
	many := strings.Repeat("ATTENDEE:mailto:x@else.example|", 400)
	if status, answer, _ := h.do("anna", "PUT", home("anna")+"big.ics", event("big", times1+byAnna+many+"DESCRIPTION:"+strings.Repeat("x", 60_000))); status != 403 || !strings.Contains(answer, "max-attendees-per-instance") {
		t.Errorf("many large copies: %d %s", status, answer)
	}
	// Alarms and what only Ben sees are his own; other servers' names are nobody's business.
	h.put(204, "ben", home("ben")+copyOf("m"), strings.Replace(ben, "END:VEVENT", "TRANSP:TRANSPARENT\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT", 1))
	h.put(201, "ben", home("ben")+"other.ics", event("other", times1+"ORGANIZER:mailto:x@else.example|ATTENDEE:mailto:y@else.example"))
	if _, n := h.inbox("anna"); n != 0 || len(h.sent) != 0 {
		t.Errorf("%d items, sent %v", n, h.sent)
	}
}

// Anna invites Cleo in her own name from the garden's calendar, and has Cleo's answer
// there. From Ben's calendar, which Ben has shared with her, she answers for Ben.
func TestCalendarsOfOthers(t *testing.T) {
	h := newHouse(t)
	garden := "garden@coop.example/calendar/g.ics"
	h.put(201, "anna", garden, event("g", times1+byAnna+andCleo))
	h.put(204, "cleo", home("cleo")+copyOf("g"), strings.Replace(h.read("cleo", copyOf("g")), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:cleo", "PARTSTAT=ACCEPTED:mailto:cleo", 1))
	_, text, _ := h.do("ben", "GET", garden, "")
	has(t, "the garden's", text, "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;X-ESSAIM")
	h.Update(func(tx *storage.Tx) error {
		c, err := calendar.Open(tx, h.Accounts["ben"], calendar.DefaultCalendar)
		if err == nil {
			err = tx.SetACL(c.ID.Object(), h.Accounts["anna"], storage.RightLookup|storage.RightRead|storage.RightWrite|storage.RightInsert)
		}
		return err
	})
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen))
	_, list, _ := h.do("anna", "PROPFIND", "anna@coop.example/", "", "Depth", "1")
	_, rest, ok := strings.Cut(list, "/dav/calendars/anna@coop.example/~")
	for ok {
		path := "anna@coop.example/~" + rest[:strings.IndexByte(rest, '<')] + copyOf("m")
		if status, text, _ := h.do("anna", "GET", path, ""); status == 200 {
			h.put(204, "anna", path, strings.Replace(text, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben", "PARTSTAT=DECLINED:mailto:ben", 1))
			has(t, "anna", h.read("anna", "m.ics"), "PARTSTAT=DECLINED")
			return
		}
		_, rest, ok = strings.Cut(rest, "/dav/calendars/anna@coop.example/~")
	}
	t.Errorf("Ben's calendar is not in Anna's home:\n%s", list)
}
