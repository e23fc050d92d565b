package itip

import (
	"context"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// ring lets the time pass until the next deadline, at most until one.
func (h *house) ring(until time.Time) {
	h.t.Helper()
	for range 100 {
		next, err := h.service.Ring(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		if next.IsZero() || next.After(until) {
			h.Now = until
			return
		}
		h.Now = next
	}
	h.t.Fatal("it rings without end")
}

const alarm = "|BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT15M|SUMMARY:Mind the hour|DESCRIPTION:It begins|ATTENDEE:mailto:x@else.example|END:VALARM"

func TestEmailAlarms(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"w.ics", event("w", times1+"RRULE:FREQ=DAILY;COUNT=3"+alarm))
	h.put(201, "anna", home("anna")+"over.ics", event("over", "DTSTART:20260320T100000Z"+alarm))
	h.put(201, "anna", home("anna")+"shown.ics", event("shown", times1+"BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|END:VALARM"))
	h.put(201, "anna", home("anna")+"off.ics", event("off", times1+"STATUS:CANCELLED"+alarm))
	h.put(201, "anna", home("anna")+"seen.ics", event("seen", times1+strings.TrimPrefix(strings.Replace(alarm, "SUMMARY", "ACKNOWLEDGED:20270320T094500Z|SUMMARY", 1), "|")))
	h.ring(time.Date(2027, 3, 20, 12, 0, 0, 0, time.UTC))
	if len(h.sent) != 1 || h.sent[0].from != "" || h.sent[0].to != "anna@coop.example" {
		t.Fatalf("sent %v", h.sent)
	}
	has(t, "the mail", h.sent[0].text, "Subject: Reminder: Mind the hour", "Date: Sat, 20 Mar 2027 09:45:00")
	// Moved and back: what has rung does not ring again.
	text := h.read("anna", "w.ics")
	h.put(204, "anna", home("anna")+"w.ics", strings.Replace(text, "Meeting", "Lunch", 1))
	if status, _, _ := h.do("anna", "MOVE", home("anna")+"w.ics", "", "Destination", "/dav/calendars/anna@coop.example/calendar/x.ics"); status != 201 {
		t.Fatal(status)
	}
	// A night in which the server is off.
	h.Now = time.Date(2027, 3, 21, 11, 0, 0, 0, time.UTC)
	h.ring(h.Now)
	h.ring(h.Now)
	if len(h.sent) != 2 {
		t.Errorf("%d sent", len(h.sent))
	}
	h.ring(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if len(h.sent) != 3 {
		t.Errorf("%d sent", len(h.sent))
	}
	h.View(func(tx *storage.Tx) error {
		calendar.Alarms(tx, func(a calendar.Alarm) bool { t.Errorf("left: %v", a); return true })
		return nil
	})
	h.put(201, "ben", home("ben")+"y.ics", event("y", "DTSTART:20300601T100000Z|RRULE:FREQ=YEARLY;INTERVAL=2"+alarm))
	h.ring(time.Date(2034, 7, 1, 0, 0, 0, 0, time.UTC))
	if len(h.sent) != 6 {
		t.Errorf("every second year: %d", len(h.sent)-3)
	}
	if status, _, _ := h.do("ben", "DELETE", home("ben")+"y.ics", ""); status != 204 {
		t.Error(status)
	}
	if next, err := h.service.Ring(context.Background()); err != nil || !next.IsZero() {
		t.Error(next, err)
	}
}
