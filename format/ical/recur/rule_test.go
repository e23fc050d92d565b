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

func stamp(t testing.TB, s string) ical.Stamp {
	t.Helper()
	v, err := ical.ParseStamp(s, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func walls(it *Iter, most int) (out []string) {
	for len(out) < most {
		w, ok := it.Next()
		if !ok {
			break
		}
		out = append(out, ical.Stamp{Wall: w}.String())
	}
	return out
}

// The examples of RFC 5545 §3.8.5.3, each with its first instances and, where
// it has an end, how many there are.
func TestExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		rule, start, want string
		n                 int
	}{
		{"FREQ=DAILY;COUNT=10", "19970902T090000", "0902 0903 0904", 10},
		{"FREQ=DAILY;UNTIL=19971224T000000Z", "19970902T090000", "0902 0903", 113},
		{"FREQ=DAILY;INTERVAL=2", "19970902T090000", "0902 0904 0906", 0},
		{"FREQ=DAILY;INTERVAL=10;COUNT=5", "19970902T090000", "0902 0912 0922 1002 1012", 5},
		{"FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "19980101T090000", "0101 0102 0103", 93},
		{"FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "19980101T090000", "0101 0102 0103", 93},
		{"FREQ=WEEKLY;COUNT=10", "19970902T090000", "0902 0909 0916", 10},
		{"FREQ=WEEKLY;UNTIL=19971224T000000Z", "19970902T090000", "0902 0909 0916", 17},
		{"FREQ=WEEKLY;INTERVAL=2;WKST=SU", "19970902T090000", "0902 0916 0930 1014", 0},
		{"FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "19970902T090000", "0902 0904 0909 0911", 10},
		{"FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "19970901T090000", "0901 0903 0905 0915 0917 0919", 25},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "19970902T090000", "0902 0904 0916 0918 0930 1002 1014 1016", 8},
		{"FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "19970905T090000", "0905 1003 1107 1205 0102 0206", 10},
		{"FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "19970907T090000", "0907 0928 1102 1130 0104 0125 0301 0329 0503 0531", 10},
		{"FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "19970922T090000", "0922 1020 1117 1222 0119 0216", 6},
		{"FREQ=MONTHLY;BYMONTHDAY=-3", "19970928T090000", "0928 1029 1128 1229 0129 0226", 0},
		{"FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "19970902T090000", "0902 0915 1002 1015", 10},
		{"FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "19970930T090000", "0930 1001 1031 1101 1130 1201 1231 0101 0131 0201", 10},
		{"FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "19970910T090000", "0910 0911 0912 0913 0914 0915 0310 0311 0312 0313", 10},
		{"FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "19970902T090000", "0902 0909 0916 0923 0930 1104", 0},
		{"FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "19970610T090000", "0610 0710 0610 0710", 10},
		{"FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "19970310T090000", "0310 0110 0210 0310 0110", 10},
		{"FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "19970101T090000", "0101 0410 0719 0101 0409 0718 0101 0410 0719 0101", 10},
		{"FREQ=YEARLY;BYDAY=20MO", "19970519T090000", "0519 0518 0517", 0},
		{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512T090000", "0512 0511 0517", 0},
		{"FREQ=YEARLY;BYWEEKNO=20", "19970513T090000", "0513 0512 0518", 0},
		{"FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "19970313T090000", "0313 0320 0327 0305", 0},
		{"FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "19970605T090000", "0605 0612 0619 0626 0703", 0},
		{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "19980213T090000", "0213 0313 1113 0813 1013", 0},
		{"FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "19970913T090000", "0913 1011 1108 1213 0110 0207", 0},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "19961105T090000", "1105 1107 1102", 0},
		{"FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904T090000", "0904 1007 1106", 3},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "19970929T090000", "0929 1030 1127 1230 0129", 0},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "19970805T090000", "0805 0810 0819 0824", 4},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "19970805T090000", "0805 0817 0819 0831", 4},
		{"FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "20070115T090000", "0115 0130 0215 0315 0330", 5},
		{"FREQ=MONTHLY;BYDAY=1MO,TU;COUNT=7", "20260105T090000", "0105 0106 0113 0120 0127 0202 0203", 7}, // one of each kind
		{"FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;COUNT=3", "19970902T090000", "0902 0213 0313", 3},           // the start is not described and counts
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		got := walls(r.Iter(stamp(t, c.start), r.Until.Wall), 500)
		want := strings.Fields(c.want)
		for i, w := range want {
			if i >= len(got) || got[i][4:8] != w {
				t.Errorf("%s: instance %d of %v, want %s", c.rule, i, got[:min(len(got), len(want))], c.want)
				break
			}
		}
		if c.n > 0 && len(got) != c.n {
			t.Errorf("%s: %d instances, want %d", c.rule, len(got), c.n)
		}
	}
}

func TestTimesOfDay(t *testing.T) {
	for rule, want := range map[string]string{
		"FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z":      "090000 120000 150000",
		"FREQ=MINUTELY;INTERVAL=15;COUNT=6":                  "090000 091500 093000 094500 100000 101500",
		"FREQ=MINUTELY;INTERVAL=90;COUNT=4":                  "090000 103000 120000 133000",
		"FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20;COUNT=5":       "090000 092000 100000 102000 090000",
		"FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,16;COUNT=5":      "090000 092000 094000 160000 162000",
		"FREQ=SECONDLY;INTERVAL=45;COUNT=4;BYMINUTE=0,1,2,3": "090000 090045 090130 090215",
		"FREQ=DAILY;BYSECOND=0,30,60;COUNT=4":                "090000 090030 090059 090000",
	} {
		r, err := ParseRule(rule)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range walls(r.Iter(stamp(t, "19970902T090000"), r.Until.Wall), 50) {
			got = append(got, w[9:])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", rule, s, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, rule := range []string{"", "FREQ=FORTNIGHTLY", "INTERVAL=2", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=-1", "FREQ=DAILY;BYDAY=XX",
		"FREQ=DAILY;BYHOUR=24", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=YEARLY;RSCALE=HEBREW", "FREQ=YEARLY;BYDAY=54MO",
		"FREQ=DAILY;UNTIL=tomorrow", "FREQ=DAILY;BYEASTER=1", "FREQ=DAILY;WKST=XX", "FREQ=DAILY;BYMONTH="} {
		if r, err := ParseRule(rule); err == nil {
			t.Errorf("%q gives %+v", rule, r)
		}
	}
}

// Rules made to exhaust: each ends, or gives up, within its budget. The budget is
// counted, not timed, so that the test does not depend on the machine.
func TestBudget(t *testing.T) {
	for _, c := range []struct {
		rule  string
		gives bool // an instance at or after the year 2500
	}{
		{"FREQ=SECONDLY", true}, {"FREQ=SECONDLY;COUNT=1000000000", false}, {"FREQ=SECONDLY;COUNT=100000000000", true},
		{"FREQ=MINUTELY;INTERVAL=7", true}, {"FREQ=HOURLY;COUNT=1000000000", true}, {"FREQ=DAILY;COUNT=1000000000", true},
		{"FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=1,2;BYMINUTE=1,2,3;COUNT=1000000000", true}, {"FREQ=MONTHLY;COUNT=1000000000", true},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", false}, {"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", false}, {"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31", false},
		{"FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31", false}, {"FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30", false}, {"FREQ=HOURLY;INTERVAL=2;BYHOUR=4", false},
		{"FREQ=YEARLY;INTERVAL=1099511627776", false}, {"FREQ=SECONDLY;INTERVAL=1099511627776", false}, {"FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6", false},
		{"FREQ=YEARLY;BYDAY=MO;BYSETPOS=366", false}, {"FREQ=SECONDLY;BYSECOND=1;BYMINUTE=1;BYHOUR=1;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", true},
		{"FREQ=DAILY;BYHOUR=" + upTo(23) + ";BYMINUTE=" + upTo(59) + ";BYSECOND=" + upTo(59), true},
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		it := r.Iter(stamp(t, "20000101T010000"), 0)
		it.Skip(stamp(t, "25000101T000000").Wall)
		_, ok := it.Next()
		if ok != c.gives {
			t.Errorf("%s: gives %v, err %v", c.rule, ok, it.Err())
		}
		t.Logf("%8v %v %s", time.Since(began).Round(time.Microsecond), it.Err(), c.rule[:min(70, len(c.rule))])
	}
}

func upTo(n int) string {
	var s []string
	for i := range n + 1 {
		s = append(s, fmt.Sprint(i))
	}
	return strings.Join(s, ",")
}

// Skip must not change what comes after it.
func TestSkipIsOnlyFaster(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range rounds(3000) {
		rule, start := randomRule(rng)
		r, err := ParseRule(rule)
		if err != nil {
			t.Fatal(rule, err)
		}
		st := stamp(t, start)
		slow, fast := r.Iter(st, r.Until.Wall), r.Iter(st, r.Until.Wall)
		from := st.Wall + rng.Int64N(1<<uint(10+rng.IntN(20)))
		fast.Skip(from)
		want := slices.DeleteFunc(walls(slow, 3000), func(s string) bool { return stamp(t, s).Wall < from })
		got := walls(fast, 3000)
		if n := min(len(want), len(got), 20); slow.Err() == nil && !slices.Equal(want[:n], got[:n]) || n == 0 && len(want) > 0 {
			t.Fatalf("%s from %s after %s: %v, want %v", rule, start, ical.Stamp{Wall: from}, got[:n], want[:n])
		}
	}
}

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
signal.signal(signal.SIGALRM, alarm)
for line in sys.stdin:
    rule, start = json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
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
        signal.setitimer(signal.ITIMER_REAL, 0)
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
