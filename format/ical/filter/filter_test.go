package filter_test

import (
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/collation"
	"essaim.coop/essaim/format/ical/filter"
)

// object makes a calendar of components "VEVENT|A:1|B:2", "+VALARM|…" within the
// one before.
func object(t testing.TB, comps ...string) *filter.Subject {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n")
	end := ""
	for _, c := range comps {
		lines := strings.Split(c, "|")
		name, sub := strings.CutPrefix(lines[0], "+")
		if !sub {
			b.WriteString(end)
			end = "END:" + name + "\n"
			lines = append(lines, "UID:1")
		}
		b.WriteString("BEGIN:" + name + "\n" + strings.Join(lines[1:], "\n") + "\n")
		if sub {
			b.WriteString("END:" + name + "\n")
		}
	}
	s, err := filter.ReadText([]byte(b.String()+end+"END:VCALENDAR\n"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func span(from, to string) *filter.Range {
	at := func(s string) (t time.Time) {
		if s != "" {
			t, _ = time.Parse("20060102T1504", s)
		}
		return t
	}
	return &filter.Range{Start: at(from), End: at(to)}
}

func in(comp string, f filter.Comp) *filter.Comp {
	f.Name = comp
	return &filter.Comp{Name: "VCALENDAR", Comps: []filter.Comp{f}}
}

func TestTimeRange(t *testing.T) {
	const day, next = "20260310T0000", "20260311T0000"
	for _, c := range []struct {
		name     string
		from, to string
		want     bool
		comps    []string
	}{
		{"equal", "20260310T1000", "20260310T1100", true, []string{"VEVENT|DTSTART:20260310T100000Z|DTEND:20260310T110000Z"}},
		{"ends at the start", "20260310T1100", "20260310T1200", false, []string{"VEVENT|DTSTART:20260310T100000Z|DTEND:20260310T110000Z"}},
		{"starts at the end", "20260310T0900", "20260310T1000", false, []string{"VEVENT|DTSTART:20260310T100000Z|DURATION:PT1H"}},
		{"around", "20260310T1020", "20260310T1030", true, []string{"VEVENT|DTSTART:20260310T100000Z|DURATION:PT1H"}},
		{"no end", "20260310T1020", "", true, []string{"VEVENT|DTSTART:20260310T100000Z|DURATION:PT1H"}},
		{"no start", "", "20260310T1020", true, []string{"VEVENT|DTSTART:20260310T100000Z|DURATION:PT1H"}},
		{"instant at the start", "20260310T1000", "20260310T1100", true, []string{"VEVENT|DTSTART:20260310T100000Z"}},
		{"instant at the end", "20260310T0900", "20260310T1000", false, []string{"VEVENT|DTSTART:20260310T100000Z|DURATION:PT0S"}},
		{"day", day, next, true, []string{"VEVENT|DTSTART;VALUE=DATE:20260310"}},
		{"day before", day, next, false, []string{"VEVENT|DTSTART;VALUE=DATE:20260309"}},
		{"days", day, next, true, []string{"VEVENT|DTSTART;VALUE=DATE:20260301|DTEND;VALUE=DATE:20260311"}},
		{"instance", day, next, true, []string{"VEVENT|DTSTART:20200310T100000Z|RRULE:FREQ=DAILY"}},
		{"between instances", day, next, false, []string{"VEVENT|DTSTART:20260309T100000Z|RRULE:FREQ=DAILY;INTERVAL=2"}},
		{"excluded instance", day, next, false, []string{"VEVENT|DTSTART:20260301T100000Z|RRULE:FREQ=DAILY|EXDATE:20260310T100000Z"}},
		{"moved away", day, next, false, []string{"VEVENT|DTSTART:20260310T100000Z|RRULE:FREQ=WEEKLY", "VEVENT|RECURRENCE-ID:20260310T100000Z|DTSTART:20260312T100000Z"}},
		{"moved here", "20260312T0000", "20260313T0000", true, []string{"VEVENT|DTSTART:20260310T100000Z|RRULE:FREQ=WEEKLY", "VEVENT|RECURRENCE-ID:20260310T100000Z|DTSTART:20260312T100000Z"}},
		{"impossible rule", day, next, false, []string{"VEVENT|DTSTART:20200310T100000Z|RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}},
		{"impossible rule, no end: not hidden", day, "", true, []string{"VEVENT|DTSTART:20200310T100000Z|RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}},

		{"to-do, start and duration", "20260310T1100", "20260310T1200", true, []string{"VTODO|DTSTART:20260310T100000Z|DURATION:PT1H"}}, // start <= DTSTART+DURATION
		{"to-do, start and due, ends at the due date", "20260310T0900", "20260310T1000", false, []string{"VTODO|DTSTART:20260310T100000Z|DUE:20260310T110000Z"}},
		{"to-do, due only, end at it", "20260310T0900", "20260310T1000", true, []string{"VTODO|DUE:20260310T100000Z"}},
		{"to-do, due only, start at it", "20260310T1000", "20260310T1100", false, []string{"VTODO|DUE:20260310T100000Z"}},
		{"to-do, start only", "20260310T1000", "20260310T1100", true, []string{"VTODO|DTSTART:20260310T100000Z"}},
		{"to-do, nothing", day, next, true, []string{"VTODO|SUMMARY:x"}},
		{"to-do, created after", day, next, false, []string{"VTODO|CREATED:20260311T000000Z"}},
		{"to-do, created before", day, next, true, []string{"VTODO|CREATED:20200311T000000Z"}},
		{"to-do, completed before", day, next, false, []string{"VTODO|COMPLETED:20260309T000000Z"}},
		{"to-do, created before, completed after", day, next, true, []string{"VTODO|CREATED:20260301T000000Z|COMPLETED:20260401T000000Z"}},
		{"to-do, created and completed before", day, next, false, []string{"VTODO|CREATED:20260301T000000Z|COMPLETED:20260302T000000Z"}},

		{"journal", day, next, true, []string{"VJOURNAL|DTSTART;VALUE=DATE:20260310"}},
		{"journal without date", day, next, false, []string{"VJOURNAL|SUMMARY:x"}},
		{"busy, bounds", "20260310T1100", next, true, []string{"VFREEBUSY|DTSTART:20260310T100000Z|DTEND:20260310T110000Z"}}, // start <= DTEND
		{"busy, periods", "20260310T1100", next, false, []string{"VFREEBUSY|FREEBUSY:20260310T100000Z/PT1H"}},
		{"busy, period", "20260310T1030", next, true, []string{"VFREEBUSY|FREEBUSY:20260309T100000Z/PT1H,20260310T100000Z/PT1H"}},
		{"availability without bounds", day, next, true, []string{"VAVAILABILITY|SUMMARY:x"}},
		{"availability before", day, next, false, []string{"VAVAILABILITY|DTSTART:20260301T000000Z|DURATION:P3D"}},
	} {
		s := object(t, c.comps...)
		f := in(s.Type, filter.Comp{Range: span(c.from, c.to)})
		if got := f.Match(s); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		first, last := filter.Extent(s)
		r := f.Comps[0].Range
		if c.want && (!first.IsZero() && !r.End.IsZero() && !first.Before(r.End) || !last.IsZero() && !r.Start.IsZero() && last.Before(r.Start)) {
			t.Errorf("%s: matches outside of its extent, %v to %v", c.name, first, last)
		}
	}
}

func TestAlarms(t *testing.T) {
	const event = "VEVENT|DTSTART:20260301T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY"
	for _, c := range []struct {
		alarm, from, to string
		want            bool
	}{
		{"TRIGGER:-PT15M", "20260310T0945", "20260310T0946", true},
		{"TRIGGER:-PT15M", "20260310T0946", "20260311T0945", false},
		{"TRIGGER;RELATED=END:PT0S", "20260310T1100", "20260310T1101", true},
		{"TRIGGER:-P1D", "20260309T1000", "20260309T1001", true},
		{"TRIGGER;VALUE=DATE-TIME:20250101T000000Z", "20250101T0000", "20250102T0000", true},
		{"TRIGGER:PT0S|REPEAT:3|DURATION:PT5M", "20260310T1014", "20260310T1016", true},
		{"TRIGGER:PT0S|REPEAT:3|DURATION:PT5M", "20260310T1016", "20260310T1100", false},
		{"ACTION:DISPLAY", "20260310T0000", "20260311T0000", false},
		{"TRIGGER:P400D", "20270405T1000", "20270405T1001", true},
	} {
		s := object(t, event, "+VALARM|"+c.alarm)
		f := in("VEVENT", filter.Comp{Comps: []filter.Comp{{Name: "VALARM", Range: span(c.from, c.to)}}})
		if got := f.Match(s); got != c.want {
			t.Errorf("%s in %s: %v", c.alarm, c.from, got)
		}
		if name, r := f.Target(); name != "VEVENT" || r == nil {
			t.Errorf("target %s %v", name, r)
		}
		if first, _ := filter.Extent(s); c.want && !first.Before(f.Comps[0].Comps[0].Range.End) {
			t.Errorf("%s: outside of its extent from %v", c.alarm, first)
		}
	}
}

func TestProps(t *testing.T) {
	s := object(t, "VEVENT|DTSTART:20260310T100000Z|DURATION:PT2H|SUMMARY:R\u00e9union\\, Caf\u00e9|STATUS:CONFIRMED|ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=\"Doe, Jo\":mailto:jo@coop.example|ATTENDEE;PARTSTAT=ACCEPTED:mailto:al@coop.example|LAST-MODIFIED:20260101T000000Z",
		"+VALARM|TRIGGER:-PT5M|ACTION:DISPLAY")
	text := func(v, c string, negate bool) *filter.Text {
		k, ok := collation.ByName(c)
		if !ok {
			t.Fatal(c)
		}
		return filter.NewText(v, k, negate)
	}
	prop := func(p filter.Prop) filter.Comp { return filter.Comp{Props: []filter.Prop{p}} }
	for name, c := range map[string]struct {
		f    filter.Comp
		want bool
	}{
		"empty":                   {filter.Comp{}, true},
		"not defined":             {filter.Comp{NotDefined: true}, false},
		"ascii":                   {prop(filter.Prop{Name: "SUMMARY", Text: text("r\u00e9UNION, caf", "i;ascii-casemap", false)}), true},
		"ascii keeps accents":     {prop(filter.Prop{Name: "SUMMARY", Text: text("R\u00c9UNION", "i;ascii-casemap", false)}), false},
		"unicode":                 {prop(filter.Prop{Name: "SUMMARY", Text: text("R\u00c9UNION", "i;unicode-casemap", false)}), true},
		"octet":                   {prop(filter.Prop{Name: "SUMMARY", Text: text("r", "i;octet", false)}), false},
		"negate":                  {prop(filter.Prop{Name: "STATUS", Text: text("cancelled", "i;ascii-casemap", true)}), true},
		"negate what is missing":  {prop(filter.Prop{Name: "LOCATION", Text: text("x", "i;octet", true)}), false},
		"defined":                 {prop(filter.Prop{Name: "STATUS"}), true},
		"not there":               {prop(filter.Prop{Name: "LOCATION", NotDefined: true}), true},
		"there":                   {prop(filter.Prop{Name: "STATUS", NotDefined: true}), false},
		"one property has both":   {prop(filter.Prop{Name: "ATTENDEE", Text: text("jo@", "i;ascii-casemap", false), Params: []filter.Param{{Name: "PARTSTAT", Text: text("needs-action", "i;ascii-casemap", false)}}}), true},
		"two properties have one": {prop(filter.Prop{Name: "ATTENDEE", Text: text("al@", "i;ascii-casemap", false), Params: []filter.Param{{Name: "PARTSTAT", Text: text("needs-action", "i;ascii-casemap", false)}}}), false},
		"parameter with comma":    {prop(filter.Prop{Name: "ATTENDEE", Params: []filter.Param{{Name: "CN", Text: text("doe, jo", "i;ascii-casemap", false)}}}), true},
		"parameter not there":     {prop(filter.Prop{Name: "ATTENDEE", Params: []filter.Param{{Name: "CN", NotDefined: true}}}), true},
		"time of a property":      {prop(filter.Prop{Name: "LAST-MODIFIED", Range: span("20260101T0000", "20260101T0001")}), true},
		"not the time":            {prop(filter.Prop{Name: "LAST-MODIFIED", Range: span("20260102T0000", "")}), false},
		"end by duration":         {prop(filter.Prop{Name: "DTEND", Range: span("20260310T1200", "20260310T1201")}), true},
		"time of what has none":   {prop(filter.Prop{Name: "SUMMARY", Range: span("20260102T0000", "")}), false},
		"alarm":                   {filter.Comp{Comps: []filter.Comp{{Name: "VALARM", Props: []filter.Prop{{Name: "ACTION", Text: text("display", "i;ascii-casemap", false)}}}}}, true},
		"no such alarm":           {filter.Comp{Comps: []filter.Comp{{Name: "VALARM", Props: []filter.Prop{{Name: "ACTION", Text: text("email", "i;ascii-casemap", false)}}}}}, false},
		"without alarm":           {filter.Comp{Comps: []filter.Comp{{Name: "VALARM", NotDefined: true}}}, false},
		"all must match":          {filter.Comp{Range: span("20260310T0000", ""), Props: []filter.Prop{{Name: "STATUS"}, {Name: "LOCATION"}}}, false},
		"property and alarm":      {filter.Comp{Props: []filter.Prop{{Name: "STATUS"}}, Comps: []filter.Comp{{Name: "VALARM"}}}, true},
	} {
		if got := in("VEVENT", c.f).Match(s); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if in("VTODO", filter.Comp{}).Match(s) || !in("VTODO", filter.Comp{NotDefined: true}).Match(s) {
		t.Error("a to-do is found in an event")
	}
	if !(&filter.Comp{Name: "VCALENDAR", Props: []filter.Prop{{Name: "PRODID", Text: text("x", "i;octet", false)}}}).Match(s) {
		t.Error("property of the calendar")
	}
	if (&filter.Comp{Name: "VEVENT"}).Match(s) || (&filter.Comp{Name: "VCALENDAR", NotDefined: true}).Match(s) {
		t.Error("the outermost is a VCALENDAR")
	}
}

// Filters see each instance as its exception describes it.
func TestExceptionsAreComponents(t *testing.T) {
	s := object(t, "VEVENT|DTSTART:20260310T100000Z|RRULE:FREQ=DAILY|SUMMARY:plain", "VEVENT|RECURRENCE-ID:20260311T100000Z|DTSTART:20260311T120000Z|SUMMARY:special")
	with := func(summary, from, to string) bool {
		return in("VEVENT", filter.Comp{Range: span(from, to), Props: []filter.Prop{{Name: "SUMMARY", Text: filter.NewText(summary, collation.Octet, false)}}}).Match(s)
	}
	if !with("special", "20260311T0000", "20260312T0000") || with("plain", "20260311T0000", "20260312T0000") || with("special", "20260310T0000", "20260311T0000") || !with("plain", "20260310T0000", "20260311T0000") {
		t.Error("time range and property are not of the same component")
	}
}
