package itip

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// Anna invites Ben and Cleo; they answer; all three see the same.
func TestMembers(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen+"|"+andCleo+"|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT5M|END:VALARM"))
	has(t, "anna", h.read("anna", "m.ics"), "SCHEDULE-STATUS=1.2:mailto:ben@", "SCHEDULE-STATUS=1.2:mailto:cleo@")
	ben := h.read("ben", copyOf("m"))
	has(t, "ben", ben, "SUMMARY:Meeting", "!VALARM", "!METHOD", "!SCHEDULE-STATUS")
	item, n := h.inbox("ben")
	has(t, "ben's inbox", item, "METHOD:REQUEST", "UID:m")
	if n != 1 {
		t.Errorf("%d items", n)
	}
	annas, cleos := h.tag("anna", "m.ics"), h.tag("cleo", copyOf("m"))

	h.put(204, "ben", home("ben")+copyOf("m"), strings.Replace(ben, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben", "PARTSTAT=ACCEPTED:mailto:ben", 1))
	has(t, "anna", h.read("anna", "m.ics"), "PARTSTAT=ACCEPTED", "mailto:ben@coop.example", "VALARM")
	item, _ = h.inbox("anna")
	has(t, "anna's inbox", item, "METHOD:REPLY", "PARTSTAT=ACCEPTED", "!cleo")
	accepted := func(user, name string) bool {
		for line := range strings.SplitSeq(h.read(user, name), "\r\n") {
			if strings.HasSuffix(line, "mailto:ben@coop.example") {
				return strings.Contains(line, "PARTSTAT=ACCEPTED")
			}
		}
		return false
	}
	if !accepted("anna", "m.ics") || !accepted("cleo", copyOf("m")) {
		t.Errorf("not everybody knows that Ben comes:\n%s\n%s", h.read("anna", "m.ics"), h.read("cleo", copyOf("m")))
	}
	if h.tag("anna", "m.ics") != annas || h.tag("cleo", copyOf("m")) != cleos {
		t.Error("an answer has changed a schedule tag (RFC 6638 §3.2.10)")
	}
	if _, n := h.inbox("cleo"); n != 1 {
		t.Errorf("Ben's answer is item %d of Cleo's inbox", n)
	}

	// Cleo has not seen that when she answers, and her program says so.
	cleo := strings.NewReplacer("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION").Replace(h.read("cleo", copyOf("m")))
	cleo = strings.Replace(cleo, "PARTSTAT=NEEDS-ACTION:mailto:anna", "PARTSTAT=ACCEPTED:mailto:anna", 1)
	cleo = strings.Replace(cleo, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:cleo", "PARTSTAT=TENTATIVE:mailto:cleo", 1)
	if status, answer, _ := h.do("cleo", "PUT", home("cleo")+copyOf("m"), cleo); status != 403 {
		t.Errorf("Ben's answer changed by Cleo: %d %s", status, answer)
	}
	h.put(204, "cleo", home("cleo")+copyOf("m"), cleo, "If-Schedule-Tag-Match", cleos)
	cleos = h.tag("cleo", copyOf("m"))
	has(t, "anna", h.read("anna", "m.ics"), "PARTSTAT=TENTATIVE")
	if !accepted("cleo", copyOf("m")) || !accepted("anna", "m.ics") {
		t.Error("Ben's answer is lost by Cleo's")
	}

	// Anna knows an old state only, but her program says so.
	old := event("m", strings.Replace(times1, "Meeting", "Lunch", 1)+byAnna+andBen+"|"+andCleo)
	h.put(204, "anna", home("anna")+"m.ics", old, "If-Schedule-Tag-Match", annas)
	has(t, "ben", h.read("ben", copyOf("m")), "SUMMARY:Lunch")
	if !accepted("anna", "m.ics") || !accepted("ben", copyOf("m")) {
		t.Errorf("the answer is lost:\n%s\n%s", h.read("anna", "m.ics"), h.read("ben", copyOf("m")))
	}
	if h.tag("cleo", copyOf("m")) == cleos {
		t.Error("another summary and the same schedule tag")
	}

	// Another time: the answers begin anew, and SEQUENCE is raised.
	h.put(204, "anna", home("anna")+"m.ics", strings.ReplaceAll(h.read("anna", "m.ics"), "20270320T1", "20270321T1"))
	has(t, "ben", h.read("ben", copyOf("m")), "DTSTART:20270321T100000Z", "SEQUENCE:1")
	if accepted("ben", copyOf("m")) {
		t.Error("accepted before it was moved")
	}

	// Ben is not invited any more, then all of it is off.
	now := h.read("anna", "m.ics")
	var kept []string
	for line := range strings.SplitSeq(now, "\r\n") {
		if !strings.HasSuffix(line, "mailto:ben@coop.example") {
			kept = append(kept, line)
		}
	}
	h.put(204, "anna", home("anna")+"m.ics", strings.Join(kept, "\r\n"))
	has(t, "ben", h.read("ben", copyOf("m")), "STATUS:CANCELLED")
	has(t, "cleo", h.read("cleo", copyOf("m")), "!STATUS:CANCELLED", "!ben@")
	h.put(204, "anna", home("anna")+"m.ics", strings.Replace(h.read("anna", "m.ics"), "ATTENDEE", andBen+"\r\nATTENDEE", 1))
	has(t, "ben, again", h.read("ben", copyOf("m")), "!STATUS:CANCELLED", "SEQUENCE:2")
	h.put(204, "anna", home("anna")+"m.ics", strings.Replace(h.read("anna", "m.ics"), "SUMMARY:Lunch", "SUMMARY:Tea", 1))
	has(t, "ben, again", h.read("ben", copyOf("m")), "SUMMARY:Tea")
	if status, _, _ := h.do("anna", "DELETE", home("anna")+"m.ics", ""); status != 204 {
		t.Error(status)
	}
	h.pass()
	has(t, "cleo", h.read("cleo", copyOf("m")), "STATUS:CANCELLED")
	if len(h.sent) > 0 {
		t.Errorf("mail between members: %v", h.sent)
	}
}

// An attendee who throws the event away declines it, unless asked not to.
func TestDecline(t *testing.T) {
	h := newHouse(t)
	for i, header := range [][]string{{"Schedule-Reply", "F"}, nil} {
		uid := []string{"quiet", "loud"}[i]
		h.put(201, "anna", home("anna")+uid+".ics", event(uid, times1+byAnna+andBen))
		if status, _, _ := h.do("ben", "DELETE", home("ben")+copyOf(uid), "", header...); status != 204 {
			t.Fatal(status)
		}
		h.pass()
		if got := strings.Contains(h.read("anna", uid+".ics"), "PARTSTAT=DECLINED"); got != (header == nil) {
			t.Errorf("%s: declined %v\n%s", uid, got, h.read("anna", uid+".ics"))
		}
	}
}

// Ben's program asks that the answer be sent again (RFC 6638 §7.2).
func TestForceSend(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen))
	ben := h.read("ben", copyOf("m"))
	h.put(204, "ben", home("ben")+copyOf("m"), strings.Replace(ben, "ORGANIZER", "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY", 1))
	item, n := h.inbox("anna")
	if has(t, "the answer", item, "METHOD:REPLY", "PARTSTAT=NEEDS-ACTION", "!FORCE-SEND"); n != 1 {
		t.Errorf("%d items", n)
	}
	has(t, "ben", h.read("ben", copyOf("m")), "!FORCE-SEND", "SCHEDULE-STATUS=1.2:mailto:anna@")
	h.put(204, "anna", home("anna")+"m.ics", strings.Replace(h.read("anna", "m.ics"), "X-ESSAIM-REPLY", "SCHEDULE-FORCE-SEND=REQUEST;X-ESSAIM-REPLY", 1))
	if _, n := h.inbox("ben"); n != 2 {
		t.Errorf("%d items", n)
	}
	has(t, "anna", h.read("anna", "m.ics"), "!FORCE-SEND")
}

// Ben leaves out one instance, Anna another.
func TestInstances(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"w.ics", event("w", times1+"RRULE:FREQ=DAILY;COUNT=5|"+byAnna+andBen))
	ben := h.read("ben", copyOf("w"))
	h.put(204, "ben", home("ben")+copyOf("w"), strings.Replace(ben, "SUMMARY", "EXDATE:20270321T100000Z\r\nSUMMARY", 1))
	anna := h.read("anna", "w.ics")
	has(t, "anna", anna, "RECURRENCE-ID:20270321T100000Z", "PARTSTAT=DECLINED")
	h.put(204, "anna", home("anna")+"w.ics", strings.Replace(anna, "RRULE", "EXDATE:20270322T100000Z\r\nRRULE", 1))
	has(t, "ben", h.read("ben", copyOf("w")), "EXDATE:20270322T100000Z")
}

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

// The garden is invited as those who are in it.
func TestGroup(t *testing.T) {
	h := newHouse(t)
	h.Update(func(tx *storage.Tx) error {
		all, err := accounts.Create(tx, accounts.NewAccount{Address: "all@coop.example", Group: true}, h.Now)
		for _, member := range []string{"garden@coop.example", "cleo@coop.example", "friend@else.example"} {
			if err == nil {
				err = accounts.AddMember(tx, all.ID, member)
			}
		}
		return err
	})
	h.put(201, "cleo", home("cleo")+"all.ics", event("all", times1+"ORGANIZER:mailto:cleo@coop.example|ATTENDEE:mailto:all@coop.example"))
	h.read("ben", copyOf("all"))
	if len(h.sent) != 1 || h.sent[0].to != "friend@else.example" {
		t.Errorf("sent %v", h.sent)
	}
	h.put(201, "cleo", home("cleo")+"g.ics", event("g", times1+"ORGANIZER:mailto:cleo@coop.example|ATTENDEE:mailto:garden@coop.example|ATTENDEE:mailto:nobody@coop.example"))
	has(t, "cleo", h.read("cleo", "g.ics"), "CUTYPE=GROUP", "MEMBER=\"mailto:garden@coop.example\"", "SCHEDULE-STATUS=3.7:mailto:nobody@")
	h.read("anna", copyOf("g"))
	ben := h.read("ben", copyOf("g"))
	h.put(204, "ben", home("ben")+copyOf("g"), strings.Replace(ben, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben", "PARTSTAT=TENTATIVE:mailto:ben", 1))
	has(t, "cleo", h.read("cleo", "g.ics"), "PARTSTAT=TENTATIVE")
}

// The van can be at one place at a time.
func TestResource(t *testing.T) {
	h := newHouse(t)
	van := "|ATTENDEE;CUTYPE=RESOURCE:mailto:van@coop.example"
	h.put(201, "anna", home("anna")+"a.ics", event("a", times1+byAnna+andBen+van))
	has(t, "anna", h.read("anna", "a.ics"), "CUTYPE=RESOURCE;PARTSTAT=ACCEPTED")
	h.put(201, "cleo", home("cleo")+"c.ics", event("c", strings.Replace(times1, "T10", "T09", 1)+"RRULE:FREQ=WEEKLY;COUNT=4|ORGANIZER:mailto:cleo@coop.example"+van))
	has(t, "cleo", h.read("cleo", "c.ics"), "PARTSTAT=DECLINED")
	h.put(204, "anna", home("anna")+"a.ics", strings.Replace(h.read("anna", "a.ics"), "20270320T11", "20270320T12", 1))
	has(t, "anna", h.read("anna", "a.ics"), "CUTYPE=RESOURCE;PARTSTAT=ACCEPTED", "SEQUENCE:1")
	if status, _, _ := h.do("anna", "DELETE", home("anna")+"a.ics", ""); status != 204 {
		t.Fatal(status)
	}
	h.pass()
	h.put(204, "cleo", home("cleo")+"c.ics", strings.Replace(h.read("cleo", "c.ics"), "SUMMARY:Meeting", "SUMMARY:Moving\r\nLOCATION:x", 1))
	has(t, "cleo", h.read("cleo", "c.ics"), "PARTSTAT=ACCEPTED")
}

// Whose calendars are full costs nobody else an invitation.
func TestNoRoom(t *testing.T) {
	h := newHouse(t)
	h.Update(func(tx *storage.Tx) error { tx.SetQuota(tx.Household(h.Accounts["ben"]), 10); return nil })
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen+"|"+andCleo))
	has(t, "anna", h.read("anna", "m.ics"), "SCHEDULE-STATUS=5.1:mailto:ben@", "SCHEDULE-STATUS=1.2:mailto:cleo@")
	h.read("cleo", copyOf("m"))
	h.View(func(tx *storage.Tx) error {
		if _, ok, _ := calendar.NextChange(tx, 0); ok {
			t.Error("a change is left")
		}
		return nil
	})
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
