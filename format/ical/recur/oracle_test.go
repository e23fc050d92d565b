package recur

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
)

func rounds(n int) int {
	if os.Getenv("ESSAIM_LONG") != "" {
		return 50 * n
	}
	return n
}

// randomRule makes a rule with an end that is near, of parts that this package
// and dateutil read alike.
func randomRule(rng *rand.Rand) (rule, start string) {
	freq := rng.IntN(7)
	span := []int{40 * 365, 6 * 365, 3 * 365, 500, 60, 2, 1}[freq]
	begin := time.Date(1990+rng.IntN(40), time.Month(1+rng.IntN(12)), 1+rng.IntN(31), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC)
	parts := []string{"FREQ=" + freqs[freq]}
	add := func(name string, lo, hi, most int, signed bool) {
		var vs []string
		for range 1 + rng.IntN(most) {
			v := lo + rng.IntN(hi-lo+1)
			if signed && rng.IntN(3) == 0 {
				v = -v
			}
			vs = append(vs, fmt.Sprint(v))
		}
		parts = append(parts, name+"="+strings.Join(vs, ","))
	}
	if rng.IntN(2) == 0 {
		parts = append(parts, fmt.Sprintf("INTERVAL=%d", 1+rng.IntN(5)))
	}
	if rng.IntN(4) == 0 {
		parts = append(parts, "WKST="+weekdays[rng.IntN(7)])
	}
	if rng.IntN(4) == 0 {
		add("BYMONTH", 1, 12, 4, false)
	}
	weekNo := false
	switch n := rng.IntN(6); {
	case n == 0 && Freq(freq) != Weekly:
		add("BYMONTHDAY", 1, 31, 5, true)
	case n == 1 && (Freq(freq) == Yearly || freq > int(Daily)):
		add("BYYEARDAY", 1, 366, 9, true)
	case n == 2 && Freq(freq) == Yearly:
		weekNo = true
		add("BYWEEKNO", 1, 53, 4, false)
	}
	if weekNo || rng.IntN(3) == 0 {
		var ds []string
		ordinals := !weekNo && freq <= int(Monthly) && rng.IntN(2) == 0
		for range 1 + rng.IntN(4) {
			d := weekdays[rng.IntN(7)]
			if ordinals {
				d = fmt.Sprint(1+rng.IntN(5)) + d
				if rng.IntN(2) == 0 {
					d = "-" + d
				}
			}
			ds = append(ds, d)
		}
		parts = append(parts, "BYDAY="+strings.Join(ds, ","))
	}
	for i, name := range []string{"BYHOUR", "BYMINUTE", "BYSECOND"} {
		if rng.IntN(8) == 0 && (i > 0 || freq < int(Secondly)) {
			add(name, 0, []int{23, 59, 59}[i], 3, false)
		}
	}
	if rng.IntN(5) == 0 && Freq(freq) != Weekly && len(parts) > 2 { // dateutil cuts the first week at the start
		add("BYSETPOS", 1, 6, 3, true)
	}
	if rng.IntN(3) == 0 {
		parts = append(parts, fmt.Sprintf("COUNT=%d", 1+rng.IntN(30)))
	}
	parts = append(parts, "UNTIL="+begin.AddDate(0, 0, 1+rng.IntN(span)).Format("20060102T150405"))
	return strings.Join(parts, ";"), begin.Format("20060102T150405")
}

// unfit reports that dateutil cannot be asked: it gives the first days of January
// the wrong week of 52 and 53 (2011-01-02 is in week 52 of 2010), and where the
// rule, without its end, takes long to find what comes next, it looks for it until
// the year 9999.
func unfit(t *testing.T, rule, start string) bool {
	r, err := ParseRule(rule)
	if err != nil {
		t.Fatal(rule, err)
	}
	st, end := stamp(t, start), r.Until.Wall
	r.HasUntil, r.Count = false, 0
	it := r.Iter(st, 0)
	it.pure = true
	it.Skip(end)
	_, ok := it.Next()
	return !ok || slices.ContainsFunc(r.WeekNo, func(n int) bool { return n >= 52 }) || Budget-it.budget > 5000
}

// brute expands a rule in the plainest way: every second, minute, hour or day is
// held against every part, gathered by period, and BYSETPOS picks.
func brute(t *testing.T, rule, start string) []string {
	r, err := ParseRule(rule)
	if err != nil {
		t.Fatal(rule, err)
	}
	st := stamp(t, start).Wall
	it := r.Iter(ical.Stamp{Wall: st}, r.Until.Wall)
	in := func(list []int, v int) bool { return len(list) == 0 || slices.Contains(list, v) }
	var out []string
	var period []int64
	flush := func() {
		n := len(period)
		for i, w := range period {
			if (len(r.SetPos) == 0 || slices.Contains(r.SetPos, i+1) || slices.Contains(r.SetPos, i-n)) && w >= st && w <= r.Until.Wall && (r.Count == 0 || int64(len(out)) < r.Count) {
				out = append(out, ical.Stamp{Wall: w}.String())
			}
		}
		period = period[:0]
	}
	last, margin := it.base, int64(366*daySeconds)
	if r.Freq > Weekly {
		margin = daySeconds
	}
	for w := floorDiv(st-margin, daySeconds) * daySeconds; w <= r.Until.Wall+margin; w++ {
		u := it.unit(w)
		if u < it.base || (u-it.base)%r.Interval != 0 {
			w += daySeconds - 1 // days are looked at whole: the span is short or the frequency daily or more
			if r.Freq > Daily {
				w -= daySeconds - 1
			}
			continue
		}
		if u != last {
			flush()
			last = u
		}
		tm := time.Unix(w, 0).UTC()
		if !bruteDay(r, it, tm) {
			w += int64(23-tm.Hour())*3600 + int64(59-tm.Minute())*60 + int64(59-tm.Second())
			continue
		}
		hs, ms, ss := it.hour, it.minute, it.second
		if r.Freq >= Hourly {
			hs = r.Hour
		}
		if r.Freq >= Minutely {
			ms = r.Minute
		}
		if r.Freq >= Secondly {
			ss = r.Second
		}
		switch {
		case !in(hs, tm.Hour()):
			w += int64(59-tm.Minute())*60 + int64(59-tm.Second())
		case !in(ms, tm.Minute()):
			w += int64(59 - tm.Second())
		case in(ss, tm.Second()):
			period = append(period, w)
		}
	}
	flush()
	return out
}

func bruteDay(r *Rule, it *Iter, tm time.Time) bool {
	in := func(list []int, v, total int) bool {
		return len(list) == 0 || slices.Contains(list, v) || slices.Contains(list, v-total-1)
	}
	y, m, d := tm.Date()
	month := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	year := time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if !in(it.month, int(m), 1<<20) || !in(it.monthDay, d, month) || !in(r.YearDay, tm.YearDay(), year) {
		return false
	}
	if len(r.WeekNo) > 0 { // walk back to the week's start, and count from the year's first week with four days
		s := tm
		for (int(s.Weekday())+6)%7 != r.WeekStart {
			s = s.AddDate(0, 0, -1)
		}
		wy := s.AddDate(0, 0, 3).Year()
		no := (s.AddDate(0, 0, 3).YearDay()-1)/7 + 1
		end := time.Date(wy, 12, 31, 0, 0, 0, 0, time.UTC)
		for (int(end.Weekday())+6)%7 != r.WeekStart || end.AddDate(0, 0, 3).Year() != wy {
			end = end.AddDate(0, 0, -1)
		}
		if !in(r.WeekNo, no, (end.AddDate(0, 0, 3).YearDay()-1)/7+1) {
			return false
		}
	}
	wd := (int(tm.Weekday()) + 6) % 7
	if len(it.day) > 0 {
		return slices.Contains(it.day, wd)
	}
	for _, x := range r.Day {
		nth, total := d, month
		if r.Freq == Yearly && len(r.Month) == 0 {
			nth, total = tm.YearDay(), year
		}
		if x.Weekday == wd && (x.N == 0 || x.N == (nth+6)/7 || x.N == -((total-nth)/7+1)) {
			return true
		}
	}
	return len(r.Day) == 0
}

func TestAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	for range rounds(60) {
		rule, start := randomRule(rng)
		r, _ := ParseRule(rule)
		it := r.Iter(stamp(t, start), r.Until.Wall)
		it.pure, it.budget = true, 1<<30
		got, want := walls(it, 1<<20), brute(t, rule, start)
		if !slices.Equal(got, want) {
			t.Fatalf("%s from %s:\n got %v\nwant %v", rule, start, got[:min(len(got), 30)], want[:min(len(want), 30)])
		}
	}
}

const dateutil = `
import sys, json, signal, itertools
from dateutil.rrule import rrulestr
from dateutil.parser import parse
class Slow(Exception): pass
def alarm(*a): raise Slow()
signal.signal(signal.SIGPROF, alarm) # of CPU time, whatever else the machine does
for line in sys.stdin:
    rule, start = json.loads(line)
    signal.setitimer(signal.ITIMER_PROF, 0.3)
    out = None
    try:
        # COUNT together with UNTIL is refused by newer versions
        parts = [p for p in rule.split(";") if not p.startswith("COUNT=")]
        count = [int(p[6:]) for p in rule.split(";") if p.startswith("COUNT=")]
        r = rrulestr(";".join(parts), dtstart=parse(start))
        out = [d.strftime("%Y%m%dT%H%M%S") for d in itertools.islice(r, min([500] + count))]
    except (Slow, ValueError):
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps(out))
`

func TestAgainstDateutil(t *testing.T) {
	const python = "/usr/bin/python3" // the one that has the distribution's modules
	if err := exec.Command(python, "-c", "import dateutil").Run(); err != nil {
		t.Skip("no python3-dateutil")
	}
	rng := rand.New(rand.NewPCG(5545, 7))
	var in, out bytes.Buffer
	var rules [][2]string
	for len(rules) < rounds(2000) {
		rule, start := randomRule(rng)
		if unfit(t, rule, start) {
			continue
		}
		rules = append(rules, [2]string{rule, start})
		b, _ := json.Marshal([]string{rule, start})
		in.Write(append(b, '\n'))
	}
	cmd := exec.Command(python, "-c", dateutil)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	compared, instances := 0, 0
	for _, c := range rules {
		var want []string
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			continue // too slow there, or a rule that can have no instance
		}
		r, err := ParseRule(c[0])
		if err != nil {
			t.Fatal(c, err)
		}
		it := r.Iter(stamp(t, c[1]), r.Until.Wall)
		it.pure, it.budget = true, 1<<30
		got := walls(it, 500)
		if !slices.Equal(got, want) {
			t.Fatalf("%s from %s:\n got %v\nwant %v", c[0], c[1], got, want)
		}
		compared++
		instances += len(want)
	}
	t.Logf("%d rules, %d instances", compared, instances)
	if compared < len(rules)*9/10 {
		t.Errorf("only %d of %d rules compared", compared, len(rules))
	}
}
