package caldav

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// fill gives anna a calendar of n events over ten years, a tenth of them weekly.
func (h *house) fill(n int) {
	for i := 0; i < n; i += 500 {
		var ins []*calendar.Incoming
		for j := i; j < min(i+500, n); j++ {
			lines := fmt.Sprintf("DTSTART;TZID=Europe/Brussels:%d%02d%02dT%02d0000|DURATION:PT1H|SUMMARY:Event %d|DESCRIPTION:%s", 2020+j%10, 1+j/10%12, 1+j/120%28, j%24, j, strings.Repeat("words ", 40))
			if j%10 == 0 {
				lines += "|RRULE:FREQ=WEEKLY;COUNT=20"
			}
			w := h.DB.Stage()
			_, _ = w.Write([]byte(ics(fmt.Sprint(j), lines)))
			body, err := w.Finish()
			if err != nil {
				h.t.Fatal(err)
			}
			in, err := calendar.Prepare(body)
			if err != nil {
				h.t.Fatal(err)
			}
			ins = append(ins, in)
		}
		h.Update(func(tx *storage.Tx) error {
			c, err := calendar.Open(tx, h.Accounts["anna"], calendar.DefaultCalendar)
			for j, in := range ins {
				if err == nil {
					_, err = calendar.Put(tx, c, fmt.Sprintf("%d.ics", i+j), in, calendar.Client, h.Now)
				}
			}
			return err
		})
	}
}

// BenchmarkReports are what clients ask of a calendar of 10,000 events.
func BenchmarkReports(b *testing.B) {
	h := newHouse(b)
	h.fill(10_000)
	sync := func(token string) string {
		return `<D:sync-collection` + spaces + `><D:sync-token>` + token + `</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`
	}
	answer := h.want(207, nil, "anna", "PROPFIND", annaCal, propfind("<D:sync-token/>"), "Depth", "0")
	_, rest, _ := strings.Cut(answer, "<D:sync-token>")
	token, _, _ := strings.Cut(rest, "</")
	for _, c := range []struct{ name, body string }{
		{"month", report("calendar-query", "<D:prop><D:getetag/></D:prop>", comp("VEVENT", between("20270301", "20270401")))},
		{"month, data", report("calendar-query", dataProp, comp("VEVENT", between("20270301", "20270401")))},
		{"all etags", report("calendar-query", "<D:prop><D:getetag/></D:prop>", comp("VEVENT", ""))},
		{"all data", report("calendar-query", dataProp, comp("VEVENT", ""))},
		{"text", report("calendar-query", "<D:prop><D:getetag/></D:prop>", comp("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match>Event 77</C:text-match></C:prop-filter>`))},
		{"sync, nothing new", sync(token)},
		{"sync, first", sync("")},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if status, _, _ := h.do("anna", "REPORT", annaCal, c.body, "Depth", "1"); status != 207 {
					b.Fatal(status)
				}
			}
		})
	}
}

// BenchmarkPut is a new event each time, as a client's import makes them.
func BenchmarkPut(b *testing.B) {
	h := newHouse(b)
	n := 0
	for b.Loop() {
		n++
		lines := fmt.Sprintf("DTSTAMP:20260101T000000Z|DTSTART:202601%02dT100000Z|DTEND:202601%02dT110000Z|SUMMARY:Event %d|LOCATION:somewhere|DESCRIPTION:%s|ORGANIZER;CN=Zoe:mailto:zoe@elsewhere.example|STATUS:CONFIRMED|SEQUENCE:0|BEGIN:VALARM|ACTION:DISPLAY|DESCRIPTION:Reminder|TRIGGER:-PT15M|END:VALARM", 1+n%28, 1+n%28, n, strings.Repeat("words ", 12))
		if status, _, _ := h.do("anna", "PUT", fmt.Sprintf("%s%d.ics", annaCal, n), ics(fmt.Sprint("u", n), lines), "Content-Type", "text/calendar"); status != 201 {
			b.Fatal(status)
		}
	}
}
