package recur

import (
	"fmt"
	"math/rand/v2"
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
