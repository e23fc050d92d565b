package filter_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical/filter"
)

const oddZone = "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0545\r\nTZOFFSETTO:+0545\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"

// randomEvent is around the tenth of March 2026, and what may be said of it.
func randomEvent(r *rand.Rand) (text string, once, floating bool) {
	day, hour := 9+r.IntN(3), r.IntN(24)
	once, floating = true, true
	start := fmt.Sprintf("2026%02d%02dT%02d%02d00", 3, day, hour, 30*r.IntN(2))
	var b strings.Builder
	switch r.IntN(5) {
	case 0:
		b.WriteString("DTSTART:" + start + "Z\r\n")
		floating = false
	case 1:
		b.WriteString("DTSTART;TZID=Mine:" + start + "\r\n")
		floating = false
	case 2:
		b.WriteString("DTSTART;TZID=Europe/Brussels:" + start + "\r\n")
	case 3:
		b.WriteString("DTSTART:" + start + "\r\n")
	case 4:
		b.WriteString("DTSTART;VALUE=DATE:" + start[:8] + "\r\n")
	}
	switch r.IntN(4) {
	case 0:
		fmt.Fprintf(&b, "DURATION:P%dD\r\n", r.IntN(3))
	case 1:
		if !strings.Contains(b.String(), "VALUE=DATE") {
			fmt.Fprintf(&b, "DTEND;TZID=Mine:202603%02dT%02d0000\r\n", day+r.IntN(2), hour)
		}
	case 2:
		if !strings.Contains(b.String(), "VALUE=DATE") {
			fmt.Fprintf(&b, "DTEND:202603%02dT%02d0000\r\n", day+r.IntN(2), hour)
			floating = true
		}
	}
	switch r.IntN(8) {
	case 0:
		b.WriteString("RRULE:FREQ=DAILY;COUNT=2\r\n")
		once = false
	case 1:
		b.WriteString("EXDATE:20260310T000000Z\r\n")
		once = false
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + oddZone + "BEGIN:VEVENT\r\nUID:1\r\n" + b.String() +
		"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-P1D\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", once, floating
}

// What is known of an event that happens once is what the filter says of it,
// wherever the reader is.
func TestOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(4791, 9))
	zones := []*time.Location{nil, time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)}
	known := map[bool]int{}
	for range 4000 {
		text, once, floating := randomEvent(r)
		stored, err := filter.ReadText([]byte(text), nil)
		if err != nil {
			t.Fatal(err, text)
		}
		o := filter.OnceOf(stored)
		if o.Is != once || once && o.Floating != floating {
			t.Fatalf("%+v of\n%s", o, text)
		}
		var at filter.Range
		if r.IntN(8) > 0 {
			at.Start = time.Date(2026, 3, 8, r.IntN(72), 30*r.IntN(2), 0, 0, time.UTC)
		}
		if at.Start.IsZero() || r.IntN(8) > 0 {
			at.End = time.Date(2026, 3, 8, 72+r.IntN(48), 30*r.IntN(2), 0, 0, time.UTC)
		}
		f := in("VEVENT", filter.Comp{Range: &at})
		asked, ok := f.Timed()
		got, sure := o.In(asked)
		if !ok || !sure {
			known[false]++
			continue
		}
		known[got]++
		s, err := filter.ReadText([]byte(text), zones[r.IntN(len(zones))])
		if err != nil || f.Match(s) != got {
			t.Fatalf("%v in %v to %v, the filter says otherwise (%v) of\n%s", got, at.Start, at.End, err, text)
		}
	}
	if known[true] < 500 {
		t.Errorf("one-sided test: %v", known)
	}
}

func TestTimed(t *testing.T) {
	r := &filter.Range{Start: time.Unix(0, 0)}
	for name, c := range map[string]struct {
		f    *filter.Comp
		want bool
	}{
		"events in a range":   {in("VEVENT", filter.Comp{Range: r}), true},
		"without":             {in("VEVENT", filter.Comp{}), false},
		"to-dos":              {in("VTODO", filter.Comp{Range: r}), false},
		"no events":           {in("VEVENT", filter.Comp{NotDefined: true}), false},
		"with a property":     {in("VEVENT", filter.Comp{Range: r, Props: []filter.Prop{{Name: "SUMMARY"}}}), false},
		"with an alarm":       {in("VEVENT", filter.Comp{Range: r, Comps: []filter.Comp{{Name: "VALARM"}}}), false},
		"of the calendar":     {&filter.Comp{Name: "VCALENDAR", Range: r}, false},
		"and another":         {&filter.Comp{Name: "VCALENDAR", Comps: []filter.Comp{{Name: "VEVENT", Range: r}, {Name: "VTODO"}}}, false},
		"calendar's own":      {&filter.Comp{Name: "VCALENDAR", Props: []filter.Prop{{Name: "X"}}, Comps: []filter.Comp{{Name: "VEVENT", Range: r}}}, false},
		"what is no calendar": {&filter.Comp{Name: "VCALENDAR", NotDefined: true, Comps: []filter.Comp{{Name: "VEVENT", Range: r}}}, false},
	} {
		if _, ok := c.f.Timed(); ok != c.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}
