package ical_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"essaim.coop/essaim/format/ical"

	goical "github.com/emersion/go-ical"
)

func parse(t testing.TB, s string) *ical.Calendar {
	t.Helper()
	c, err := ical.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101T000000Z\r\n" +
		strings.Join(append(lines, ""), "\r\n") + "END:VEVENT\r\nEND:VCALENDAR\r\n"
}

// Another parser must see the same properties.
func TestSamplesAgainstOracle(t *testing.T) {
	for name, s := range samples {
		c := parse(t, s)
		if _, err := c.Object(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want, err := goical.NewDecoder(strings.NewReader(s)).Decode()
		if err != nil {
			t.Fatal(name, err)
		}
		same(t, name, c.Component, want.Component)
	}
}

func same(t *testing.T, name string, got *ical.Component, want *goical.Component) {
	t.Helper()
	n := 0
	for prop, list := range want.Props {
		for i, w := range list {
			n++
			all := got.All(prop)
			if i >= len(all) || all[i].Value != w.Value {
				t.Errorf("%s: %s %d: %v, want %q", name, prop, i, all, w.Value)
				continue
			}
			for p, v := range w.Params {
				if g := all[i].Param(p); g != v[0] && !strings.Contains(v[0], "^") {
					t.Errorf("%s: %s;%s=%q, want %q", name, prop, p, g, v)
				}
			}
		}
	}
	if n != len(got.Props) || len(got.Children) != len(want.Children) {
		t.Errorf("%s: %d properties and %d children, want %d and %d", name, len(got.Props), len(got.Children), n, len(want.Children))
		return
	}
	for i := range want.Children {
		same(t, name, got.Children[i], want.Children[i])
	}
}

func TestValues(t *testing.T) {
	e := parse(t, samples["apple"]).Children[0]
	if s := e.Text("SUMMARY"); s != `a;b,c\d` {
		t.Errorf("text %q", s)
	}
	if s := e.Prop("X-APPLE-STRUCTURED-LOCATION").Param("X-TITLE"); s != "Caf\n\"Le^Coq\"" {
		t.Errorf("parameter %q", s)
	}
	if got := ical.UnescapeText(`a\;b\,c\\d\ne\Nf`); got != "a;b,c\\d\ne\nf" {
		t.Errorf("text %q", got)
	}
	for in, want := range map[string]time.Duration{"PT15M": 15 * time.Minute, "-P1DT2H": -26 * time.Hour, "P2W": 336 * time.Hour, "+PT0S": 0, "PT1H0M30S": time.Hour + 30*time.Second} {
		if d, err := ical.ParseDuration(in); err != nil || d.Exact() != want {
			t.Errorf("%s: %v %v", in, d, err)
		}
	}
	for _, in := range []string{"", "P", "PT", "1H", "PT1", "P1H", "P1DT", "PT1D", "P99999999999D", "PTH", "PT1H2", "PT9999999999S"} {
		if d, err := ical.ParseDuration(in); err == nil && in != "P1DT" {
			t.Errorf("%q gives %v", in, d)
		}
	}
	for _, in := range []string{"", "2026", "20260230", "20261301", "20260101T", "20260101T2400", "20260101T240000", "20260101X000000", "2026-01-01", "20260101T000000ZZ"} {
		if s, err := ical.ParseStamp(in, ""); err == nil {
			t.Errorf("%q gives %v", in, s)
		}
	}
	if s, err := ical.ParseStamp("20161231T235960Z", ""); err != nil || s.String() != "20161231T235959Z" {
		t.Errorf("leap second: %v %v", s, err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":            {"", ical.ErrSyntax},
		"two":              {event() + event(), ical.ErrSyntax},
		"no end":           {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n", ical.ErrSyntax},
		"crossed":          {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\nEND:VEVENT\r\n", ical.ErrSyntax},
		"no colon":         {event("ATTENDEE;CN=foo"), ical.ErrSyntax},
		"no value":         {event("ATTENDEE;CN:foo"), ical.ErrSyntax},
		"open quote":       {event(`ATTENDEE;CN="foo:bar`), ical.ErrSyntax},
		"behind quote":     {event(`ATTENDEE;CN="foo"bar:x`), ical.ErrSyntax},
		"latin-1":          {event("SUMMARY:R\xe9union"), ical.ErrSyntax},
		"control":          {event("SUMMARY:a\x0bb"), ical.ErrSyntax},
		"bare CR":          {event("SUMMARY:a\rb"), ical.ErrSyntax},
		"NUL":              {event("SUMMARY:a\x00b"), ical.ErrSyntax},
		"card":             {"BEGIN:VCARD\r\nEND:VCARD\r\n", ical.ErrSyntax},
		"html":             {"<!DOCTYPE html>", ical.ErrSyntax},
		"outside":          {event() + "X:1\r\n", ical.ErrSyntax},
		"name":             {event("A B:1"), ical.ErrSyntax},
		"deep":             {strings.Repeat("BEGIN:VCALENDAR\r\n", 9), ical.ErrLimit},
		"very deep":        {strings.Repeat("BEGIN:VCALENDAR\n", 60_000), ical.ErrLimit},
		"large":            {event("X:" + strings.Repeat("x", 1<<20)), ical.ErrLimit},
		"many lines":       {event(strings.Repeat("X:\r\n", 50_001)), ical.ErrLimit},
		"many components":  {event(strings.Repeat("BEGIN:VALARM\r\nEND:VALARM\r\n", 5001)), ical.ErrLimit},
		"many parameters":  {event("X" + strings.Repeat(";A=1", 201) + ":"), ical.ErrLimit},
		"method":           {strings.Replace(event(), "PRODID:x", "METHOD:REQUEST", 1), ical.ErrObject},
		"only zone":        {"BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n", ical.ErrObject},
		"no uid":           {strings.Replace(event(), "UID:1\r\n", "", 1), ical.ErrObject},
		"two uids":         {strings.Replace(event(), "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:2\r\nDTSTART:20260101\r\nEND:VEVENT\r\nEND:VCALENDAR", 1), ical.ErrObject},
		"two types":        {strings.Replace(event(), "END:VCALENDAR", "BEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR", 1), ical.ErrObject},
		"two masters":      {strings.Replace(event(), "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101\r\nEND:VEVENT\r\nEND:VCALENDAR", 1), ical.ErrObject},
		"no start":         {strings.Replace(event(), "DTSTART", "X-START", 1), ical.ErrSyntax},
		"bad start":        {strings.Replace(event(), "20260101T", "20260199T", 1), ical.ErrSyntax},
		"other version":    {strings.Replace(event(), "2.0", "1.0", 1), ical.ErrSyntax},
		"rule of no start": {"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nRRULE:FREQ=DAILY\r\nEND:VTODO\r\nEND:VCALENDAR\r\n", ical.ErrSyntax},
	} {
		cal, err := ical.Parse([]byte(c.text))
		if err == nil {
			_, err = cal.Object()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := ical.Parse([]byte("BEGIN:VCALENDAR\r\nX:\r\n 1\r\n\r\nBROKEN\r\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 5: ") {
		t.Errorf("the error does not say where: %v", err)
	}
}

func TestOddFolds(t *testing.T) {
	for _, s := range []string{"SUM\r\n MARY:caf\u00e9", "SUMMARY:caf\xc3\r\n \xa9", "SUMMARY:ca\n\tf\u00e9", "SUMMARY:caf\u00e9\r\n ", "summary:ca\r\r\n f\u00e9", "SUMMARY:\r\n ca\r\n f\r\n \u00e9"} {
		text := "\ufeff" + event("", s)
		c := parse(t, text)
		if got := c.Children[0].Text("SUMMARY"); got != "caf\u00e9" {
			t.Errorf("%q: %q", s, got)
		}
		if c.Source() != text {
			t.Error("the source has changed")
		}
		if v := c.Text(); !utf8.ValidString(v) || parse(t, v).Children[0].Text("SUMMARY") != "caf\u00e9" {
			t.Errorf("%q: as text %q", s, v)
		}
	}
}

func TestPatch(t *testing.T) {
	c := parse(t, samples["outlook"])
	e := c.Named("VEVENT")[0]
	p := c.Edit()
	a := e.Prop("ATTENDEE")
	p.Replace(a, a.With("PARTSTAT", "ACCEPTED"))
	p.Set(e, ical.Prop{Name: "SEQUENCE", Value: "1"})
	p.Set(e, ical.Prop{Name: "X-NOTE", Value: strings.Repeat("\u00e9", 100)})
	p.Drop(e, "CLASS")
	p.RemoveComponent(e.Children[0])
	p.AddComponent(c.Component, "BEGIN:X-MORE\r\nEND:X-MORE\r\n")
	out := string(p.Apply())
	for line := range strings.SplitSeq(out, "\r\n") {
		if len(line) > 80 && !strings.Contains(samples["outlook"], line) {
			t.Errorf("not folded: %q", line)
		}
	}
	d := parse(t, out)
	f := d.Named("VEVENT")[0]
	if f.Prop("ATTENDEE").Param("PARTSTAT") != "ACCEPTED" || f.Prop("ATTENDEE").Param("CN") != "Doe, Jane (Sales)" || f.Value("SEQUENCE") != "1" ||
		f.Value("X-NOTE") != strings.Repeat("\u00e9", 100) || f.Prop("CLASS") != nil || len(f.Children) != 0 || len(d.Named("X-MORE")) != 1 {
		t.Errorf("patched:\n%s", out)
	}
	// Taking the edits back out gives the other bytes as they were.
	want := samples["outlook"]
	for _, x := range []string{c.Lines(a), c.Lines(e.Prop("SEQUENCE")), c.Lines(e.Prop("CLASS")), c.Slice(e.Children[0])} {
		want = strings.Replace(want, x, "", 1)
	}
	got := out
	for _, x := range []string{d.Lines(f.Prop("ATTENDEE")), d.Lines(f.Prop("SEQUENCE")), d.Lines(f.Prop("X-NOTE")), "BEGIN:X-MORE\r\nEND:X-MORE\r\n"} {
		got = strings.Replace(got, x, "", 1)
	}
	if got != want {
		t.Errorf("other bytes have changed:\n%s\nwant\n%s", got, want)
	}
	if q := c.Edit(); q.Changed() || string(q.Apply()) != samples["outlook"] {
		t.Error("an empty patch changes the source")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Add([]byte(event("ATTENDEE;CN=\"a\xc3\r\n \xa9\":x")))
	f.Add([]byte("BEGIN:VCALENDAR\n \n\nEND:VCALENDAR"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ical.Parse(b)
		if err != nil {
			return
		}
		if c.Source() != string(b) || string(c.Edit().Apply()) != string(b) {
			t.Fatal("the source has changed")
		}
		if v := c.Text(); !utf8.ValidString(v) {
			t.Fatalf("not UTF-8: %q", v)
		}
		for _, k := range c.Children {
			p := c.Edit()
			p.Set(k, ical.Prop{Name: "X-FUZZ", Value: "1"})
			for i := range k.Props {
				if n := k.Props[i].Name; n != "X-FUZZ" {
					p.Replace(&k.Props[i], k.Props[i].With("X-P", "a;b"))
				}
			}
			d, err := ical.Limits{1 << 30, 8, 1 << 30, 1 << 30, 1 << 30}.Parse(p.Apply())
			if err != nil {
				t.Fatalf("%v in %q", err, p.Apply())
			}
			if len(d.Children) != len(c.Children) {
				t.Fatal("children were lost")
			}
		}
		_, _ = c.Object()
	})
}

func TestUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"BEGIN:X\r\nA:é\r\n":                "BEGIN:X\r\nA:é\r\n",
		"\ufeffBEGIN:X\r\n":                 "BEGIN:X\r\n",
		"BEGIN:X\r\nA:caf\xc3\r\n \xa9\r\n": "BEGIN:X\r\nA:café\r\n",
		"A:\xff\r\n":                        "A:\ufffd\r\n",
	} {
		if got := string(ical.UTF8([]byte(in))); got != want || got != ical.ValidText(in) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
