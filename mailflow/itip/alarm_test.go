package itip

import (
	"context"
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

// What has rung does not ring again when its object is moved, and what has nothing
// more to say leaves no row; a rule that skips years is looked for beyond the first.
func TestEmailAlarms(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"w.ics", event("w", times1+"RRULE:FREQ=DAILY;COUNT=3"+alarm))
	h.ring(time.Date(2027, 3, 20, 12, 0, 0, 0, time.UTC))
	if status, _, _ := h.do("anna", "MOVE", home("anna")+"w.ics", "", "Destination", "/dav/calendars/anna@coop.example/calendar/x.ics"); status != 201 {
		t.Fatal(status)
	}
	h.ring(h.Now)
	if len(h.sent) != 1 || h.sent[0].from != "" {
		t.Errorf("sent %v", h.sent)
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
