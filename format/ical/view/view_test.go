package view_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/view"
)

const series = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" +
	"BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:20000101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=X:20260310T100000\r\nDTEND;TZID=X:20260310T110000\r\nRRULE:FREQ=DAILY\r\nEXDATE;TZID=X:20260312T100000\r\nSUMMARY:a\r\n  long one\r\nATTENDEE:mailto:a@b.example\r\n" +
	"BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=X:20260311T100000\r\nDTSTART;TZID=X:20260311T140000\r\nDURATION:PT2H\r\nSUMMARY:moved\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=X:20260401T100000\r\nDTSTART;TZID=X:20260402T140000\r\nSUMMARY:april\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func read(t *testing.T, s string) *filter.Subject {
	t.Helper()
	o, err := filter.ReadText([]byte(s), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func days(from, to int) *filter.Range {
	return &filter.Range{Start: time.Date(2026, 3, from, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 3, to, 0, 0, 0, 0, time.UTC)}
}

func TestExpand(t *testing.T) {
	o := view.Options{Expand: days(10, 14), MaxInstances: 10, MaxBytes: 1 << 20}
	got, n, err := o.Make(read(t, series))
	want := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260310T090000Z\r\nDTEND:20260310T100000Z\r\nSUMMARY:a\r\n  long one\r\nATTENDEE:mailto:a@b.example\r\nRECURRENCE-ID:20260310T090000Z\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260311T130000Z\r\nDURATION:PT2H\r\nSUMMARY:moved\r\nRECURRENCE-ID:20260311T090000Z\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260313T090000Z\r\nDTEND:20260313T100000Z\r\nSUMMARY:a\r\n  long one\r\nATTENDEE:mailto:a@b.example\r\nRECURRENCE-ID:20260313T090000Z\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
		"END:VCALENDAR\r\n"
	if got != want || n != 3 || err != nil {
		t.Errorf("%d instances, %v:\n%s", n, err, got)
	}
	o.MaxInstances = 2
	if _, _, err := o.Make(read(t, series)); !errors.Is(err, view.ErrTooMany) {
		t.Errorf("3 instances where 2 may be: %v", err)
	}
	o.MaxInstances, o.MaxBytes = 10, 500
	if _, _, err := o.Make(read(t, series)); !errors.Is(err, view.ErrTooMany) {
		t.Errorf("3 instances in 500 bytes: %v", err)
	}
	o.MaxBytes, o.Expand.Start = 1<<20, time.Time{}
	o.Expand.End = time.Time{}
	if _, _, err := o.Make(read(t, series)); !errors.Is(err, view.ErrTooMany) {
		t.Errorf("without end: %v", err)
	}
}

// What was expanded is an object like any other, and dates and floating times
// stay what they are.
func TestExpandedIsCalendar(t *testing.T) {
	for in, want := range map[string]string{
		"DTSTART;VALUE=DATE:20260310\r\nRRULE:FREQ=DAILY;COUNT=2":                               "DTSTART;VALUE=DATE:20260310 RECURRENCE-ID;VALUE=DATE:20260310 DTSTART;VALUE=DATE:20260311 RECURRENCE-ID;VALUE=DATE:20260311",
		"DTSTART:20260310T100000\r\nRDATE:20260312T100000":                                      "DTSTART:20260310T100000 RECURRENCE-ID:20260310T100000 DTSTART:20260312T100000 RECURRENCE-ID:20260312T100000",
		"DTSTART;TZID=Europe/Paris:20260310T100000":                                             "DTSTART:20260310T090000Z",
		"DTSTART:20260310T100000Z\r\nDURATION:PT1H\r\nRDATE;VALUE=PERIOD:20260312T100000Z/PT3H": "DTSTART:20260310T100000Z DURATION:PT1H RECURRENCE-ID:20260310T100000Z DTSTART:20260312T100000Z DTEND:20260312T130000Z RECURRENCE-ID:20260312T100000Z",
	} {
		s := read(t, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n"+in+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
		o := view.Options{Expand: days(1, 30), MaxInstances: 10, MaxBytes: 1 << 20}
		text, _, err := o.Make(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for l := range strings.SplitSeq(text, "\r\n") {
			if strings.HasPrefix(l, "D") || strings.HasPrefix(l, "RECURRENCE-ID") {
				got = append(got, l)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		from, to     int
		moved, april bool
	}{{10, 14, true, false}, {1, 5, false, false}, {11, 12, true, false}, {31, 33, false, true}, {33, 34, false, true}} {
		o := view.Options{Limit: days(c.from, c.to)}
		text, _, err := o.Make(read(t, series))
		if err != nil || strings.Contains(text, "moved") != c.moved || strings.Contains(text, "april") != c.april || !strings.Contains(text, "RRULE") || !strings.Contains(text, "VTIMEZONE") {
			t.Errorf("%d to %d: %v\n%s", c.from, c.to, err, text)
		}
	}
}

func TestParts(t *testing.T) {
	o := view.Options{Comp: &view.Comp{Name: "VCALENDAR", Props: []view.Prop{{Name: "VERSION"}}, Comps: []view.Comp{
		{Name: "VEVENT", Props: []view.Prop{{Name: "SUMMARY"}, {Name: "UID"}, {Name: "ATTENDEE", NoValue: true}}, Comps: []view.Comp{{Name: "VALARM", AllProps: true}}}}}}
	text, _, err := o.Make(read(t, series))
	want := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:a\r\n  long one\r\nATTENDEE:\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:moved\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:april\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	if err != nil || text != want {
		t.Errorf("%v\n%s", err, text)
	}
	o = view.Options{Comp: &view.Comp{Name: "VCALENDAR", AllProps: true, AllComps: true}}
	if text, _, _ := o.Make(read(t, series)); text != series {
		t.Errorf("everything is not everything:\n%s", text)
	}
}

func TestLimitBusy(t *testing.T) {
	const busy = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nUID:1\r\nFREEBUSY:20260309T100000Z/PT1H,20260310T100000Z/PT1H\r\nFREEBUSY;FBTYPE=BUSY:20260401T100000Z/20260401T110000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
	o := view.Options{Busy: days(10, 11)}
	text, _, err := o.Make(read(t, busy))
	if err != nil || !strings.Contains(text, "\r\nFREEBUSY:20260310T100000Z/PT1H\r\nEND") {
		t.Errorf("%v\n%s", err, text)
	}
}

func FuzzMake(f *testing.F) {
	f.Add([]byte(series), int64(1772323200), int64(86400*40), "SUMMARY")
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260301T000000Z/P1D,x\nEND:VFREEBUSY\nEND:VCALENDAR\n"), int64(1772323200), int64(1), "")
	f.Fuzz(func(t *testing.T, b []byte, from, length int64, prop string) {
		s, err := filter.ReadText(b, time.UTC)
		if err != nil {
			return
		}
		r := &filter.Range{Start: time.Unix(from%(1<<36), 0)}
		r.End = r.Start.Add(time.Duration(1+max(0, length%(1<<28))) * time.Second)
		comp := filter.Comp{Name: "VCALENDAR", Comps: []filter.Comp{{Name: s.Type, Range: r, Comps: []filter.Comp{{Name: "VALARM", Range: r}}}}}
		comp.Match(s)
		filter.Extent(s)
		for _, o := range []view.Options{{Expand: r}, {Limit: r}, {Busy: r}, {Comp: &view.Comp{Props: []view.Prop{{Name: prop, NoValue: true}}, AllComps: true}}} {
			o.MaxInstances, o.MaxBytes = 1000, 1<<20
			text, _, err := o.Make(s)
			if errors.Is(err, view.ErrTooMany) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			lim := ical.Limits{Bytes: 1 << 30, Depth: 8, Lines: 1 << 30, Components: 1 << 30, Params: 1 << 30}
			if _, err := lim.Parse([]byte(text)); err != nil {
				t.Fatalf("%v in %q", err, text)
			}
		}
	})
}
