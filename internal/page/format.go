package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bytes writes a size as people read it: 1,2 Go, 1,2 GB, 1.2 GB.
func Bytes(l Lang, n int64) string {
	unit, letter := "B", "B"
	if l == FR {
		unit, letter = "octets", "o"
	}
	if n < 1000 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	f, i := float64(n), -1
	for f >= 999.5 && i < 4 {
		f, i = f/1000, i+1
	}
	s := fmt.Sprintf("%.1f", f)
	if f >= 10 {
		s = fmt.Sprintf("%.0f", f)
	}
	if l != EN {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s + " " + string("kMGTP"[i]) + letter
}

var months = map[Lang][12]string{
	EN: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	FR: {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	NL: {"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"},
}

// Day writes the day of a moment, where this machine stands: 28 November 2026,
// 1er mars 2026. A zero time is a dash.
func Day(l Lang, at time.Time) string { return Date(l, at.Local()) }

// Date writes a date that is the same everywhere, as until when something is
// paid.
func Date(l Lang, at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	day := fmt.Sprint(at.Day())
	if l == FR && at.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %d", day, months[l][at.Month()-1], at.Year())
}

// Hour writes a moment with its time of day, where this machine stands.
func Hour(l Lang, at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	form := "15:04"
	if l == FR {
		form = "15 h 04"
	}
	return Day(l, at) + ", " + at.Local().Format(form)
}

// Span writes how long something takes or is ago, in its largest unit: 3 hours,
// 3 heures, 3 uur. Days follow two whole ones.
func Span(l Lang, d time.Duration) string {
	switch {
	case d < time.Minute:
		return common.Say(l, "span.short")
	case d < time.Hour:
		return common.Say(l, "span.minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return common.Say(l, "span.hours", int(d/time.Hour))
	}
	return common.Say(l, "span.days", int(d/(24*time.Hour)))
}

// Percent writes a part of one: 30%, 30 %.
func Percent(l Lang, part float64) string {
	s := strconv.FormatFloat(part*100, 'f', 0, 64)
	if l == FR {
		return s + " %"
	}
	return s + "%"
}

// Decimal writes a number as people type it: 2.5, 2,5.
func Decimal(l Lang, f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if l != EN {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}
