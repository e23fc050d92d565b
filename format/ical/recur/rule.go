package recur

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// A Freq is how long the periods of a rule are.
type Freq uint8

const (
	Yearly Freq = iota
	Monthly
	Weekly
	Daily
	Hourly
	Minutely
	Secondly
)

var freqs = []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"}

// A Day is a weekday, 0 is Monday, that may be the Nth of its month or year.
type Day struct{ N, Weekday int }

var weekdays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// A Rule is an RRULE (RFC 5545 §3.3.10). Lists are sorted and without
// duplicates; empty ones do not say anything.
type Rule struct {
	Freq      Freq
	Interval  int64
	Count     int64 // 0 is without end
	Until     ical.Stamp
	HasUntil  bool
	WeekStart int

	Second, Minute, Hour      []int
	Day                       []Day
	MonthDay, YearDay, WeekNo []int
	Month, SetPos             []int
	dayAny, hasOrdinals       []bool // by weekday; see compile
}

// ErrRScale is a rule of another calendar system (RFC 7529), which is refused.
var ErrRScale = fmt.Errorf("%w: RSCALE is not supported", ical.ErrSyntax)

var errRule = fmt.Errorf("%w: RRULE", ical.ErrSyntax)

// ParseRule reads an RRULE value. Rule parts that the RFC forbids together are
// taken as limits, as most programs do; an ordinal weekday outside of MONTHLY
// and YEARLY loses its number.
func ParseRule(v string) (*Rule, error) {
	r := &Rule{Interval: 1}
	freq := false
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(v)), ";") {
		name, val, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case part == "":
			continue
		case !ok || val == "":
			return nil, fmt.Errorf("%w: part %.40q", errRule, part)
		case name == "FREQ":
			i := slices.Index(freqs, val)
			if i < 0 {
				return nil, fmt.Errorf("%w: FREQ %.20q", errRule, val)
			}
			r.Freq, freq = Freq(i), true
		default:
			if err := r.part(name, val); err != nil {
				return nil, err
			}
		}
	}
	if !freq {
		return nil, fmt.Errorf("%w: no FREQ", errRule)
	}
	r.compile()
	return r, nil
}

func (r *Rule) part(name, v string) (err error) {
	switch name {
	case "INTERVAL":
		r.Interval, err = number(v, 1)
	case "COUNT":
		r.Count, err = number(v, 1)
	case "UNTIL":
		r.HasUntil = true
		if r.Until, err = ical.ParseStamp(v, ""); err != nil {
			err = fmt.Errorf("%w: UNTIL: %w", errRule, err)
		}
	case "WKST":
		if r.WeekStart = slices.Index(weekdays, v); r.WeekStart < 0 {
			err = fmt.Errorf("%w: WKST %.20q", errRule, v)
		}
	case "BYSECOND":
		if r.Second, err = list(v, 0, 60, false); err == nil {
			for i := range r.Second { // §3.3.12: 60 is 59 where there are no leap seconds
				r.Second[i] = min(r.Second[i], 59)
			}
			r.Second = slices.Compact(r.Second)
		}
	case "BYMINUTE":
		r.Minute, err = list(v, 0, 59, false)
	case "BYHOUR":
		r.Hour, err = list(v, 0, 23, false)
	case "BYDAY":
		r.Day, err = days(v)
	case "BYMONTHDAY":
		r.MonthDay, err = list(v, 1, 31, true)
	case "BYYEARDAY":
		r.YearDay, err = list(v, 1, 366, true)
	case "BYWEEKNO":
		r.WeekNo, err = list(v, 1, 53, true)
	case "BYMONTH":
		r.Month, err = list(v, 1, 12, false)
	case "BYSETPOS":
		r.SetPos, err = list(v, 1, 366, true)
	case "RSCALE", "SKIP":
		err = ErrRScale
	default:
		if !strings.HasPrefix(name, "X-") {
			err = fmt.Errorf("%w: part %.40q", errRule, name)
		}
	}
	return err
}

const maxNumber = 1 << 40

func number(v string, least int64) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		n, err = maxNumber, nil
	}
	if err != nil || n < least {
		return 0, fmt.Errorf("%w: number %.20q", errRule, v)
	}
	return min(n, maxNumber), nil
}

// list reads numbers between lo and hi, or with signed also -hi and -lo.
func list(v string, lo, hi int, signed bool) (out []int, err error) {
	for s := range strings.SplitSeq(v, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		abs := n
		if signed && n < 0 {
			abs = -n
		}
		if err != nil || abs < lo || abs > hi {
			return nil, fmt.Errorf("%w: %.20q is not from %d to %d", errRule, s, lo, hi)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func days(v string) (out []Day, err error) {
	for s := range strings.SplitSeq(v, ",") {
		s = strings.TrimSpace(s)
		d := Day{}
		if len(s) >= 2 {
			d.Weekday = slices.Index(weekdays, s[len(s)-2:])
		}
		if len(s) < 2 || d.Weekday < 0 {
			return nil, fmt.Errorf("%w: BYDAY %.20q", errRule, s)
		}
		if len(s) > 2 {
			if d.N, err = strconv.Atoi(s[:len(s)-2]); err != nil || d.N == 0 || d.N < -53 || d.N > 53 {
				return nil, fmt.Errorf("%w: BYDAY %.20q", errRule, s)
			}
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out, nil
}

// compile makes the tables that expansion looks into.
func (r *Rule) compile() {
	r.dayAny = make([]bool, 7)
	ordinals := r.Freq == Monthly || r.Freq == Yearly && len(r.WeekNo) == 0
	for i := range r.Day {
		if !ordinals {
			r.Day[i].N = 0
		}
		if r.Day[i].N == 0 {
			r.dayAny[r.Day[i].Weekday] = true
		} else {
			if r.hasOrdinals == nil {
				r.hasOrdinals = make([]bool, 7)
			}
			r.hasOrdinals[r.Day[i].Weekday] = true
		}
	}
}

// Endless reports whether the rule has neither COUNT nor UNTIL.
func (r *Rule) Endless() bool { return r.Count == 0 && !r.HasUntil }
