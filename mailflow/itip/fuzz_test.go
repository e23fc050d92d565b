package itip

import (
	"testing"
	"time"

	"essaim.coop/essaim/format/ical/itip"
)

// What a stranger can send against an event that is there: nothing panics, what is
// stored is an object again, and nobody's line but the sender's changes by answers.
func FuzzMessage(f *testing.F) {
	stored := event("u", times1+"RRULE:FREQ=DAILY;COUNT=5|"+byAnna+andBen)
	for _, method := range []string{"REQUEST", "REPLY", "CANCEL", "ADD", "COUNTER", "REFRESH", "DECLINECOUNTER"} {
		f.Add([]byte("BEGIN:VCALENDAR\r\nMETHOD:" + method + "\r\nBEGIN:VEVENT\r\nUID:u\r\nSEQUENCE:2\r\nDTSTAMP:20270102T000000Z\r\nRECURRENCE-ID:20270321T100000Z\r\nDTSTART;TZID=Romance Standard Time:20270321T120000\r\n" +
			"ORGANIZER:mailto:anna@coop.example\r\nATTENDEE;PARTSTAT=DECLINED:mailto:ben@coop.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))
	}
	f.Add([]byte("BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nBEGIN:VEVENT\r\nUID:u\r\nSEQUENCE:2\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270321T100000Z\r\nORGANIZER:mailto:anna@coop.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := itip.Read(text)
		if err != nil {
			return
		}
		o, err := itip.ParseObject([]byte(stored))
		if err != nil {
			t.Fatal(err)
		}
		for _, me := range []string{"anna@coop.example", "ben@coop.example"} {
			r, err := itip.Apply(o, m, me, "ben@coop.example")
			if err != nil || r.Text == nil {
				continue
			}
			after, err := itip.ParseObject(r.Text)
			if err != nil {
				t.Fatalf("%v:\n%s", err, r.Text)
			}
			itip.Answer(after, me, "ACCEPTED", "OPAQUE")
			itip.Note(after, map[string]string{me: "2.0"})
			if _, err := itip.Organize(o, after, []itip.Group{{Address: "ben@coop.example", Members: []string{"x@y.example"}}}); err != nil {
				t.Fatal(err)
			}
			_ = itip.Allowed(o, after, me)
		}
		compose(m, &envelope{from: "a@b.example", to: "c@d.example", host: "h", now: time.Unix(0, 0)}, text)
	})
}
