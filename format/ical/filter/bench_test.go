package filter_test

import (
	"testing"
	"time"

	"essaim.coop/essaim/format/ical/filter"
)

// BenchmarkRecurring is what a time range costs for an object that its row does not
// answer for: read, parsed and expanded.
func BenchmarkRecurring(b *testing.B) {
	text := []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:event-000010\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T093000Z\r\nDTEND:20260105T103000Z\r\nRRULE:FREQ=WEEKLY;COUNT=20\r\n" +
		"SUMMARY:the usual meeting about nothing\r\nLOCATION:upstairs room\r\nDESCRIPTION:what was said the last time and what is to be said\r\nORGANIZER;CN=somebody:mailto:somebody@example.org\r\nSTATUS:CONFIRMED\r\nSEQUENCE:0\r\n" +
		"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	f := in("VEVENT", filter.Comp{Range: &filter.Range{Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}})
	b.ReportAllocs()
	for b.Loop() {
		s, err := filter.ReadText(text, nil)
		if err != nil || !f.Match(s) {
			b.Fatal(err)
		}
	}
}
