package freebusy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/freebusy"
)

func sheet(t *testing.T, comps ...string) string {
	t.Helper()
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	s := freebusy.New(day(10), day(12))
	for _, c := range comps {
		o, err := filter.ReadText([]byte("BEGIN:VCALENDAR\nVERSION:2.0\n"+strings.ReplaceAll(c, "|", "\n")+"\nEND:VCALENDAR\n"), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, p := range s.Periods() {
		out = append(out, fmt.Sprintf("%s-%s %s", p.Start.Format("02.15:04"), p.End.Format("02.15:04"), strings.TrimPrefix(p.Type.String(), "BUSY-")))
	}
	text := s.Component(day(1), "UID:1")
	if _, err := ical.Parse([]byte("BEGIN:VCALENDAR\r\n" + text + "END:VCALENDAR\r\n")); err != nil || strings.Count(text, "\r\nFREEBUSY") != len(out) {
		t.Errorf("%v in %s", err, text)
	}
	return strings.Join(out, ", ")
}

func event(from, length, more string) string {
	return "BEGIN:VEVENT|UID:1|DTSTART:202603" + from + "00Z|DURATION:" + length + more + "|END:VEVENT"
}

func TestPeriods(t *testing.T) {
	office := func(priority, more string) string {
		return "BEGIN:VAVAILABILITY|UID:1" + priority + more + "|BEGIN:AVAILABLE|UID:2|DTSTART:20260101T090000Z|DTEND:20260101T170000Z|RRULE:FREQ=DAILY|END:AVAILABLE|END:VAVAILABILITY"
	}
	for _, c := range []struct {
		name  string
		comps []string
		want  string
	}{
		{"nothing", nil, ""},
		{"events that touch and overlap", []string{event("10T1000", "PT1H", ""), event("10T1100", "PT1H", ""), event("10T1130", "PT1H", "")}, "10.10:00-10.12:30 BUSY"},
		{"tentative beside busy", []string{event("10T1000", "PT2H", "|STATUS:TENTATIVE"), event("10T1100", "PT2H", "")}, "10.10:00-10.11:00 TENTATIVE, 10.11:00-10.13:00 BUSY"},
		{"free ones", []string{event("10T1000", "PT1H", "|TRANSP:TRANSPARENT"), event("10T1000", "PT1H", "|STATUS:CANCELLED"), event("10T1000", "PT0S", "")}, ""},
		{"cut at the bounds", []string{event("09T2300", "PT2H", ""), event("11T2300", "PT2H", ""), event("12T0000", "PT2H", "")}, "10.00:00-10.01:00 BUSY, 11.23:00-12.00:00 BUSY"},
		{"a series", []string{event("01T1000", "PT1H", "|RRULE:FREQ=DAILY")}, "10.10:00-10.11:00 BUSY, 11.10:00-11.11:00 BUSY"},
		{"stored", []string{"BEGIN:VFREEBUSY|UID:1|FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260310T100000Z/PT1H|FREEBUSY;FBTYPE=FREE:20260310T120000Z/PT1H|FREEBUSY;FBTYPE=X-ODD:20260310T140000Z/20260310T150000Z|END:VFREEBUSY"},
			"10.10:00-10.11:00 UNAVAILABLE, 10.14:00-10.15:00 BUSY"},
		{"availability", []string{office("", ""), event("10T1600", "PT2H", "")}, "10.00:00-10.09:00 UNAVAILABLE, 10.16:00-10.18:00 BUSY, 10.18:00-11.09:00 UNAVAILABLE, 11.17:00-12.00:00 UNAVAILABLE"},
		{"availability with bounds and type", []string{office("", "|DTSTART:20260310T080000Z|DTEND:20260310T200000Z|BUSYTYPE:BUSY")}, "10.08:00-10.09:00 BUSY, 10.17:00-10.20:00 BUSY"},
		{"the higher priority counts", []string{office("|PRIORITY:5", ""), "BEGIN:VAVAILABILITY|UID:3|PRIORITY:1|DTSTART:20260310T120000Z|DTEND:20260311T120000Z|BUSYTYPE:BUSY|BEGIN:AVAILABLE|UID:4|DTSTART:20260310T200000Z|DTEND:20260310T210000Z|END:AVAILABLE|END:VAVAILABILITY"},
			"10.00:00-10.09:00 UNAVAILABLE, 10.12:00-10.20:00 BUSY, 10.21:00-11.12:00 BUSY, 11.17:00-12.00:00 UNAVAILABLE"},
	} {
		if got := sheet(t, c.comps...); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
