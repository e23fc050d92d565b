package overlay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/format/ical"
)

// text is an object of parts, whose lines are separated by "|".
func text(parts ...string) string {
	s := "BEGIN:VCALENDAR|VERSION:2.0|PRODID:x|"
	for _, p := range parts {
		s += "BEGIN:VEVENT|UID:1|DTSTAMP:20270101T000000Z|" + p + "|END:VEVENT|"
	}
	return strings.ReplaceAll(s+"END:VCALENDAR|", "|", "\r\n")
}

const (
	series = "DTSTART:20270310T100000Z|RRULE:FREQ=DAILY"
	moved  = "RECURRENCE-ID:20270312T100000Z|DTSTART:20270312T110000Z"
)

func alarm(trigger string) string {
	return "|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:" + trigger + "|DESCRIPTION:x|END:VALARM"
}

const mail = "|BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT9M|SUMMARY:x|DESCRIPTION:x|ATTENDEE:mailto:x@y|END:VALARM"

func object(t testing.TB, s string) *ical.Object {
	t.Helper()
	o, err := parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Whoever sends an object is shown it again as they have sent it, the owner has
// what they had, and nobody has the other's.
func TestApart(t *testing.T) {
	for _, c := range []struct{ name, owner, sent, shared, overlay string }{
		{"nothing", text(series), text(series), text(series), ""},
		{"the owner's", text(series + alarm("-PT1M")), text(series), text(series + alarm("-PT1M")), ""},
		{"each their own", text(series + alarm("-PT1M")), text(series + alarm("-PT2M")), text(series + alarm("-PT1M")), "-PT2M"},
		{"an instance", text(series, moved), text(series+alarm("-PT2M"), moved+alarm("-PT3M")), text(series, moved), "-PT3M"},
		{"an instance without", text(series, moved), text(series+alarm("-PT2M"), moved), text(series, moved), "RECURRENCE-ID:20270312T100000Z"},
		{"a new instance", text(series + alarm("-PT1M")), text(series+alarm("-PT2M"), moved+alarm("-PT2M")), text(series+alarm("-PT1M"), moved+alarm("-PT1M")), "-PT2M"},
		{"by e-mail", text(series + mail + alarm("-PT1M")), text(series + mail + alarm("-PT2M")), text(series + mail + alarm("-PT1M")), "-PT2M"},
		{"free", text(series + "|TRANSP:OPAQUE"), text(series + "|TRANSP:TRANSPARENT"), text(series + "|TRANSP:OPAQUE"), "TRANSP:TRANSPARENT"},
		{"free as the owner", text(series + "|TRANSP:TRANSPARENT"), text(series + "|TRANSP:TRANSPARENT"), text(series + "|TRANSP:TRANSPARENT"), ""},
		{"marks", text(series + "|X-MOZ-LASTACK:20270101T000000Z"), text(series + "|X-MOZ-SNOOZE-TIME-17:20270102T000000Z"), text(series + "|X-MOZ-LASTACK:20270101T000000Z"), "SNOOZE-TIME-17"},
	} {
		owner, sent := object(t, c.owner), object(t, c.sent)
		shared, err := With(sent, Of(owner))
		if err != nil || string(shared) != c.shared {
			t.Errorf("%s: shared %v\n%s", c.name, err, shared)
		}
		v := Differing(sent, owner)
		kept := v.String()
		if !strings.Contains(kept, c.overlay) || c.overlay == "" && kept != "" {
			t.Errorf("%s: kept\n%s", c.name, kept)
		}
		shown, err := View(shared, kept)
		if err != nil || string(shown) != c.sent {
			t.Errorf("%s: shown %v\n%s", c.name, err, shown)
		}
		bare, err := View(shared, "")
		if err != nil || strings.Contains(string(bare), "DISPLAY") || strings.Contains(string(bare), "X-MOZ") {
			t.Errorf("%s: bare %v\n%s", c.name, err, bare)
		}
		if again, _ := View(bare, ""); !bytes.Equal(again, bare) || Has(object(t, string(bare))) || Has(owner) != strings.Contains(c.owner, "DISPLAY") && !strings.Contains(c.owner, "X-MOZ") {
			t.Errorf("%s: bare has more\n%s", c.name, again)
		}
	}
}

// An instance that the owner makes later has what the series has.
func TestLaterInstance(t *testing.T) {
	v := Differing(object(t, text(series+alarm("-PT2M"))), object(t, text(series)))
	shown, err := View([]byte(text(series, moved)), v.String())
	if err != nil || strings.Count(string(shown), "TRIGGER:-PT2M") != 2 {
		t.Errorf("%v\n%s", err, shown)
	}
}

func TestSame(t *testing.T) {
	base := text(series+"|SUMMARY;LANGUAGE=en;ALTREP=\"a:b\":x"+mail, moved)
	for _, c := range []struct {
		from, to string
		same     bool
	}{
		{"PRODID:x", "PRODID:y", true},
		{"DTSTAMP:20270101T000000Z", "DTSTAMP:20270102T000000Z\r\nLAST-MODIFIED:20270102T000000Z", true},
		{"SUMMARY;LANGUAGE=en;ALTREP=\"a:b\":x", "TRANSP:TRANSPARENT\r\nX-MOZ-LASTACK:1\r\nSUMMARY;ALTREP=\"a:b\";LANG\r\n UAGE=en:x", true},
		{"\r\n", "\n", true},
		{"\r\nEND:VEVENT", strings.ReplaceAll(alarm("-PT1M"), "|", "\r\n") + "\r\nEND:VEVENT", true},
		{"BEGIN:VEVENT", "BEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", true},
		{"LANGUAGE=en", "LANGUAGE=fr", false},
		{":x\r\nBEGIN", ":y\r\nBEGIN", false},
		{"-PT9M", "-PT8M", false},
		{"FREQ=DAILY", "FREQ=WEEKLY", false},
		{"DTSTART:20270312T11", "DTSTART:20270312T12", false},
		{"END:VEVENT", "SEQUENCE:1\r\nEND:VEVENT", false},
	} {
		if got := Same(object(t, base), object(t, strings.ReplaceAll(base, c.from, c.to))); got != c.same {
			t.Errorf("%q for %q: %v", c.to, c.from, got)
		}
	}
}

// What would be beyond the limits is shown without.
func TestLimits(t *testing.T) {
	many := []string{series + alarm("-PT2M") + strings.Repeat(alarm("-PT3M"), 300)}
	v := Differing(object(t, text(many...)), nil)
	parts := []string{series}
	for i := range 28 {
		parts = append(parts, fmt.Sprintf("RECURRENCE-ID;VALUE=DATE:202702%02d|DTSTART:20270312T110000Z", i+1))
	}
	big := text(parts...)
	shown, err := View([]byte(big), v.String())
	if err != nil || string(shown) != big {
		t.Errorf("%v, %d bytes of %d", err, len(shown), len(big))
	}
	if _, err := With(object(t, big), Of(object(t, text(many...)))); err == nil {
		t.Error("no limit")
	}
}

func FuzzApart(f *testing.F) {
	f.Add(text(series+alarm("-PT1M")), text(series+alarm("-PT2M"), moved))
	f.Add(text(series+"|TRANSP:TRANSPARENT|X-MOZ-LASTACK:1"), text(moved+mail))
	f.Fuzz(func(t *testing.T, a, b string) {
		owner, err1 := parse([]byte(a))
		sent, err2 := parse([]byte(b))
		if err1 != nil || err2 != nil {
			return
		}
		v := Differing(sent, owner)
		back, err := Parse(v.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, v.String())
		}
		if again := back.String(); again != v.String() {
			t.Errorf("%q, then %q", v.String(), again)
		}
		shared, err := With(sent, Of(owner))
		if err != nil {
			return
		}
		if o, err := parse(shared); err != nil {
			if len(shared) <= ical.DefaultLimits.Bytes && strings.Count(string(shared), "\n") < 1000 {
				t.Errorf("shared: %v\n%s", err, shared)
			}
		} else if !Same(o, sent) {
			t.Errorf("not the same\n%s", shared)
		}
	})
}
