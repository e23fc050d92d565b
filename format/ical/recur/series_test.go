package recur_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
)

func series(t testing.TB, comps ...string) *recur.Series {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for _, c := range comps {
		kind, rest := "VEVENT", c
		if k, r, ok := strings.Cut(c, "|"); ok {
			kind, rest = k, r
		}
		fmt.Fprintf(&b, "BEGIN:%s\nUID:1\n%s\nEND:%s\n", kind, strings.ReplaceAll(strings.ReplaceAll(rest, " ", "\n"), "~", " "), kind)
	}
	b.WriteString("END:VCALENDAR\n")
	cal, err := ical.Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	brussels, _ := time.LoadLocation("Europe/Brussels")
	s, err := recur.New(cal.Children, zone.Of(cal, brussels))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instances(t testing.TB, s *recur.Series, from, to string) string {
	t.Helper()
	at := func(v string) time.Time {
		if v == "" {
			return time.Time{}
		}
		x, err := time.Parse("20060102", v)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	var out []string
	err := s.Each(at(from), at(to), func(x recur.Instance) bool {
		v := x.Start.UTC().Format("0102T1504") + "+" + strings.TrimSuffix(x.End.Sub(x.Start).String(), "m0s")
		if n := x.Comp.Value("SUMMARY"); n != "" {
			v += "=" + n
		}
		out = append(out, v)
		return len(out) < 20
	})
	if err != nil {
		t.Error(err)
	}
	return strings.Join(out, " ")
}

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		name     string
		comps    []string
		from, to string
		want     string
	}{
		{"one", []string{"DTSTART:20260101T100000Z DTEND:20260101T110000Z"}, "20260101", "20260102", "0101T1000+1h0"},
		{"outside", []string{"DTSTART:20260101T100000Z DTEND:20260101T110000Z"}, "20260102", "20260103", ""},
		{"instant", []string{"DTSTART:20260101T100000Z"}, "20260101", "20260102", "0101T1000+0s"},
		{"all-day", []string{"DTSTART;VALUE=DATE:20260701"}, "20260701", "20260702", "0630T2200+24h0"},
		{"floating", []string{"DTSTART:20260701T100000 DURATION:PT1H"}, "", "", "0701T0800+1h0"},
		{"across the change of clocks", []string{"DTSTART;TZID=Europe/Paris:20260328T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3"}, "", "", "0328T0900+1h0 0329T0800+1h0 0330T0800+1h0"},
		{"nominal and exact", []string{"DTSTART;TZID=Europe/Paris:20260328T100000 DURATION:P1D"}, "", "", "0328T0900+23h0"},
		{"in the gap", []string{"DTSTART;TZID=Europe/Paris:20260328T023000 RRULE:FREQ=DAILY;COUNT=3"}, "", "", "0328T0130+0s 0329T0130+0s 0330T0030+0s"},
		{"hours in the gap", []string{"DTSTART;TZID=Europe/Paris:20260329T010000 RRULE:FREQ=HOURLY;COUNT=4"}, "", "", "0329T0000+0s 0329T0100+0s 0329T0200+0s"},
		{"the first of two", []string{"DTSTART;TZID=Europe/Paris:20261025T023000"}, "", "", "1025T0030+0s"},
		{"started before", []string{"DTSTART:20200101T230000Z DURATION:P3D RRULE:FREQ=WEEKLY"}, "20260103", "20260104", "1231T2300+72h0"},
		{"exceptions", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=6 EXDATE:20260102T100000Z,20260104T100000Z EXDATE;TZID=Europe/Paris:20260105T110000"}, "", "",
			"0101T1000+0s 0103T1000+0s 0106T1000+0s"},
		{"exception by day", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=3 EXDATE;VALUE=DATE:20260102"}, "", "", "0101T1000+0s 0103T1000+0s"},
		{"dates and periods", []string{"DTSTART:20260101T100000Z DURATION:PT1H RDATE:20260105T100000Z,20260103T100000Z RDATE;VALUE=PERIOD:20260104T100000Z/PT2H,20260106T100000Z/20260106T103000Z"}, "", "",
			"0101T1000+1h0 0103T1000+1h0 0104T1000+2h0 0105T1000+1h0 0106T1000+30"},
		{"two rules", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3 RRULE:FREQ=DAILY;INTERVAL=3;COUNT=3"}, "", "",
			"0101T1000+0s 0103T1000+0s 0104T1000+0s 0105T1000+0s 0107T1000+0s"},
		{"moved", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=3", "RECURRENCE-ID:20260102T100000Z DTSTART:20260110T100000Z SUMMARY:moved"}, "", "",
			"0101T1000+0s 0103T1000+0s 0110T1000+0s=moved"},
		{"moved to the front", []string{"DTSTART:20260102T100000Z RRULE:FREQ=DAILY;COUNT=2", "RECURRENCE-ID:20260103T100000Z DTSTART:20260101T100000Z SUMMARY:early"}, "", "",
			"0101T1000+0s=early 0102T1000+0s"},
		{"moved into the window", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=3", "RECURRENCE-ID:20260102T100000Z DTSTART:20260110T100000Z SUMMARY:moved"}, "20260109", "20260111", "0110T1000+0s=moved"},
		{"without its master", []string{"RECURRENCE-ID:20260102T100000Z DTSTART:20260110T100000Z"}, "", "", "0110T1000+0s"},
		{"and all that follow", []string{"DTSTART:20260101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=4", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z DTSTART:20260103T140000Z DURATION:PT2H SUMMARY:later"}, "", "",
			"0101T1000+1h0 0102T1000+1h0 0103T1400+2h0=later 0104T1400+2h0=later"},
		{"an exception after that", []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=4", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260102T100000Z DTSTART:20260102T140000Z SUMMARY:a",
			"RECURRENCE-ID:20260103T100000Z DTSTART:20260103T090000Z SUMMARY:b"}, "", "", "0101T1000+0s 0102T1400+0s=a 0103T0900+0s=b 0104T1400+0s=a"},
		{"until on the clock", []string{"DTSTART;TZID=America/New_York:20260101T200000 RRULE:FREQ=DAILY;UNTIL=20260103T010000Z"}, "", "", "0102T0100+0s 0103T0100+0s"},
		{"until a day", []string{"DTSTART:20260101T200000Z RRULE:FREQ=DAILY;UNTIL=20260102"}, "", "", "0101T2000+0s 0102T2000+0s"},
		{"days until an instant", []string{"DTSTART;VALUE=DATE:20260101 RRULE:FREQ=DAILY;UNTIL=20260102T235959Z"}, "", "", "1231T2300+24h0 0101T2300+24h0"},
		{"without end, far away", []string{"DTSTART:19700101T000000Z RRULE:FREQ=SECONDLY;INTERVAL=30000"}, "21000101", "21000102", "0101T0700+0s 0101T1520+0s 0101T2340+0s"},
		{"windows zone", []string{"DTSTART;TZID=W.~Europe~Standard~Time:20260701T100000"}, "", "", "0701T0800+0s"},
		{"path of a zone", []string{"DTSTART;TZID=/citadel.org/20210210_1/America/New_York:20260701T100000"}, "", "", "0701T1400+0s"},
		{"unknown zone is floating", []string{"DTSTART;TZID=Nowhere:20260701T100000"}, "", "", "0701T0800+0s"},
		{"end before start", []string{"DTSTART:20260101T100000Z DTEND:20260101T090000Z"}, "", "", "0101T1000+0s"},
		{"to-do with a due date", []string{"VTODO|DUE:20260101T100000Z"}, "", "", "0101T1000+0s"},
		{"to-do", []string{"VTODO|DTSTART:20260101T100000Z DUE:20260101T120000Z RRULE:FREQ=DAILY;COUNT=2"}, "", "", "0101T1000+2h0 0102T1000+2h0"},
		{"a start outside of the rule counts", []string{"DTSTART:20260101T100000Z RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"}, "", "", "0101T1000+0s 0105T1000+0s 0112T1000+0s"},
	} {
		if got := instances(t, series(t, c.comps...), c.from, c.to); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestExtent(t *testing.T) {
	for _, c := range []struct {
		comp, first, last string
		endless           bool
	}{
		{"DTSTART:20260101T100000Z DURATION:PT1H", "20260101", "20260102", false},
		{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY", "20260101", "", true},
		{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=10", "20260101", "20260110", false},
		{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;UNTIL=20260201T100000Z", "20260101", "20260201", false},
		{"DTSTART:20260101T100000Z RDATE:20251201T100000Z,20270101T000000Z", "20251201", "20270101", false},
		{"DTSTART:20260101T100000Z RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "20260101", "20260101", false},
		{"DTSTART:20260101T100000Z RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "20260101", "", true},
	} {
		first, last, endless, dated := series(t, c.comp).Extent()
		if !dated || endless != c.endless || first.UTC().Format("20060102") != c.first {
			t.Errorf("%s: %v to %v, endless %v", c.comp, first, last, endless)
		}
		if want, _ := time.Parse("20060102", c.last); !endless && (last.Before(want) || last.After(want.Add(72*time.Hour))) {
			t.Errorf("%s: last %v, want about %v", c.comp, last, want)
		}
	}
	if _, _, _, dated := series(t, "VTODO|SUMMARY:x").Extent(); dated {
		t.Error("a to-do without dates has one")
	}
}

func TestBudgetOfASeries(t *testing.T) {
	s := series(t, "DTSTART:20260101T100000Z RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")
	n := 0
	err := s.Each(time.Time{}, time.Time{}, func(recur.Instance) bool { n++; return true })
	if n != 1 || !errors.Is(err, recur.ErrBudget) {
		t.Errorf("%d instances, %v", n, err)
	}
}

func FuzzSeries(f *testing.F) {
	for _, s := range []string{"DTSTART:20260101T100000Z RRULE:FREQ=DAILY;BYSETPOS=-1;BYDAY=1MO EXDATE:20260102", "DTSTART;VALUE=DATE:20260101 RDATE;VALUE=PERIOD:20260101/P1D",
		"DTSTART;TZID=Europe/Paris:99991231T235959 RRULE:FREQ=SECONDLY;COUNT=3", "DTSTART:00010101 RRULE:FREQ=YEARLY;INTERVAL=1099511627776;BYWEEKNO=-53"} {
		f.Add(s, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260101T100000Z DTSTART:20250101 DURATION:P9W", int64(1767225600), int64(86400*31))
	}
	f.Fuzz(func(t *testing.T, master, override string, from, length int64) {
		text := "BEGIN:VCALENDAR\n"
		for _, c := range []string{master, override} {
			text += "BEGIN:VEVENT\n" + strings.ReplaceAll(c, " ", "\n") + "\nEND:VEVENT\n"
		}
		cal, err := ical.Parse([]byte(text + "END:VCALENDAR\n"))
		if err != nil {
			return
		}
		s, err := recur.New(cal.Children, zone.Of(cal, nil))
		if err != nil {
			return
		}
		a := time.Unix(from%(1<<38), 0)
		b := a.Add(time.Duration(length%(1<<30)) * time.Second)
		n := 0
		_ = s.Each(a, b, func(x recur.Instance) bool {
			if x.End.Before(x.Start) || !x.Undated && (x.End.Before(a) || !x.Start.Before(b)) {
				t.Fatalf("%v to %v is outside of %v to %v", x.Start, x.End, a, b)
			}
			n++
			return n < 5000
		})
		s.Extent()
	})
}
