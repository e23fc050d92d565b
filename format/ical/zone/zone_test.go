package zone_test

import (
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
)

const paris = "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nDTSTART:19960331T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\n" +
	"BEGIN:STANDARD\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nDTSTART:19961027T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n"

func zones(t *testing.T, tz string) *zone.Zones {
	t.Helper()
	cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\n" + tz + "END:VCALENDAR\n"))
	if err != nil {
		t.Fatal(err)
	}
	return zone.Of(cal, nil)
}

// A VTIMEZONE with the rules of a known zone must give the same instants.
func TestEmbeddedZone(t *testing.T) {
	z := zones(t, paris)
	want, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for wall := time.Date(1996, 4, 1, 0, 0, 0, 0, time.UTC).Unix(); wall < time.Date(2037, 12, 1, 0, 0, 0, 0, time.UTC).Unix(); wall += 3*3600 + 1700 {
		got := z.Time(ical.Stamp{Wall: wall, TZID: "X"})
		if w := ical.Instant(wall, want); !got.Equal(w) {
			t.Fatalf("%s: %v, want %v", ical.Stamp{Wall: wall}, got.UTC(), w.UTC())
		}
		if back := ical.WallOf(got, want); back != wall && back != wall+3600 { // an hour on in the gap
			t.Fatalf("%s: the clocks show %s", ical.Stamp{Wall: wall}, ical.Stamp{Wall: back})
		}
	}
}

// What a calendar carries counts, even where it contradicts the database.
func TestEmbeddedZoneCounts(t *testing.T) {
	z := zones(t, "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD\nEND:VTIMEZONE\n")
	s, _ := ical.ParseStamp("20260101T120000", "Europe/Paris")
	if got := z.Time(s).UTC().Format("1504"); got != "0630" {
		t.Errorf("%s", got)
	}
	for name, tz := range map[string]string{"empty": "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nEND:VTIMEZONE\n", "broken": "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nBEGIN:STANDARD\nDTSTART:x\nEND:STANDARD\nEND:VTIMEZONE\n", "none": ""} {
		if got := zones(t, tz).Time(s).UTC().Format("1504"); got != "1100" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDatesOfAZone(t *testing.T) {
	z := zones(t, "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:20000101T000000\nRDATE:20100101T000000,20110101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nEND:STANDARD\n"+
		"BEGIN:STANDARD\nDTSTART:20050101T000000\nRRULE:FREQ=YEARLY;UNTIL=20061231T230000Z\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0000\nEND:STANDARD\nEND:VTIMEZONE\n")
	for in, want := range map[string]string{"19990101T120000": "12", "20040101T120000": "11", "20050601T120000": "12", "20091231T120000": "12", "20100601T120000": "11", "21190101T120000": "11"} {
		s, _ := ical.ParseStamp(in, "X")
		if got := z.Time(s).UTC().Format("15"); got != want {
			t.Errorf("%s is at %s, want %s", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	winter := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for name, hours := range map[string]float64{"Europe/Paris": 1, " Europe/Paris ": 1, "W. Europe Standard Time": 1, "/freeassociation.sourceforge.net/Europe/Paris": 1, "/mozilla.org/20050126_1/America/Argentina/Buenos_Aires": -3,
		"India Standard Time": 5.5, "UTC": 0, "tzone://Microsoft/Utc": 0, "GMT+0200": 2, "UTC-03:30": -3.5, "Eastern Standard Time": -5, "EST": -5} {
		loc := zone.Named(name)
		if loc == nil {
			t.Errorf("%q is not found", name)
			continue
		}
		if _, off := winter.In(loc).Zone(); float64(off) != hours*3600 {
			t.Errorf("%q is %v hours", name, float64(off)/3600)
		}
	}
	for _, name := range []string{"", "Local", "local", "Nowhere", "../../etc/passwd", "/", "UTC+99:00", "Customized Time Zone", strings.Repeat("x/", 500)} {
		if loc := zone.Named(name); loc != nil {
			t.Errorf("%q is %v", name, loc)
		}
	}
	for name := range zone.WindowsNames() {
		if zone.Named(name) == nil {
			t.Errorf("%q leads nowhere", name)
		}
	}
}

func FuzzZone(f *testing.F) {
	f.Add([]byte("BEGIN:VCALENDAR\n"+paris+"END:VCALENDAR\n"), int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, b []byte, wall int64) {
		cal, err := ical.Parse(b)
		if err != nil {
			return
		}
		z := zone.Of(cal, nil)
		for _, k := range cal.Named("VTIMEZONE") {
			s := ical.Stamp{Wall: wall % (1 << 38), TZID: strings.TrimSpace(k.Text("TZID"))}
			z.Time(s)
			zone.Named(k.Text("TZID"))
		}
	})
}
