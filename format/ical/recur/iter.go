package recur

import (
	"errors"
	"slices"
	"sort"

	"essaim.coop/essaim/format/ical"
)

// ErrBudget is a recurrence that takes more work than it was given.
var ErrBudget = errors.New("the recurrence takes too much work")

// Budget is how many days and periods an iterator looks at; a few milliseconds.
const Budget = 100_000

// An Iter gives the wall clocks of a rule's instances in order. The first is
// the start, whether the rule describes it or not (RFC 5545 §3.8.5.3).
type Iter struct {
	r      *Rule
	start  int64
	until  int64 // inclusive
	from   int64
	budget int
	err    error
	pure   bool // without the start, as other programs expand; for tests

	hour, minute, second    []int // as the rule expands them
	day, monthDay, month    []int
	days                    []int64 // of the period
	h, m, s                 []int   // of the period
	set                     []int   // positions of BYSETPOS in the period
	k, base, last           int64   // the period, and the units of the first and the last
	pos, n                  int
	emitted                 int64
	begun, loaded, finished bool
}

// Iter starts at a wall clock, with Budget to spend. until, inclusive, is
// UNTIL on the wall clock of the start.
func (r *Rule) Iter(start ical.Stamp, until int64) *Iter {
	it := &Iter{r: r, start: start.Wall, until: until, from: start.Wall, budget: Budget}
	if !r.HasUntil {
		it.until = (maxDay+1)*daySeconds - 1
	}
	it.defaults(start)
	it.base = it.unit(start.Wall)
	return it
}

// defaults fills what the rule leaves to its start.
func (it *Iter) defaults(start ical.Stamp) {
	r := it.r
	clock := start.Wall - floorDiv(start.Wall, daySeconds)*daySeconds
	pick := func(list []int, v int64) []int {
		if len(list) == 0 || start.Date {
			return []int{int(v)}
		}
		return list
	}
	it.hour = pick(r.Hour, clock/3600)
	it.minute = pick(r.Minute, clock/60%60)
	it.second = pick(r.Second, clock%60)
	it.monthDay, it.month = r.MonthDay, r.Month
	day := floorDiv(start.Wall, daySeconds)
	_, m, d := civil(day)
	switch {
	case len(r.Day)+len(r.MonthDay)+len(r.YearDay) > 0:
	case len(r.WeekNo) > 0 && r.Freq == Yearly || r.Freq == Weekly:
		it.day = []int{int(weekday(day))}
	case r.Freq == Monthly:
		it.monthDay = []int{int(d)}
	case r.Freq == Yearly:
		it.monthDay = []int{int(d)}
		if len(r.Month) == 0 {
			it.month = []int{int(m)}
		}
	}
}

// unit is the number of the period that a wall clock is in.
func (it *Iter) unit(wall int64) int64 {
	day := floorDiv(wall, daySeconds)
	switch it.r.Freq {
	case Yearly:
		y, _, _ := civil(day)
		return y
	case Monthly:
		y, m, _ := civil(day)
		return y*12 + m - 1
	case Weekly:
		return floorDiv(day+3-int64(it.r.WeekStart), 7)
	case Daily:
		return day
	}
	return floorDiv(wall, it.seconds())
}

// seconds is the length of a period shorter than a day.
func (it *Iter) seconds() int64 {
	return [...]int64{Hourly: 3600, Minutely: 60, Secondly: 1}[it.r.Freq]
}

// Skip passes over every instance before a wall clock, most of them without
// looking. It comes before the first Next.
func (it *Iter) Skip(from int64) {
	if from <= it.from {
		return
	}
	it.from = from
	k := floorDiv(it.unit(from)-it.base, it.r.Interval)
	if k <= 0 {
		return
	}
	if it.r.Count == 0 {
		it.begin()
		it.k = k
		return
	}
	if each, ok := it.constant(); ok {
		it.begin()
		it.load()
		it.emitted += int64(it.size()-it.search(it.start+1)) + (k-1)*each
		it.k, it.loaded = k, false
	}
}

// End makes the iterator stop after a wall clock.
func (it *Iter) End(wall int64) {
	it.until = min(it.until, wall)
	it.last = it.unit(it.until)
}

// begin counts the start, and passes it over when it is before from.
func (it *Iter) begin() {
	it.begun, it.last = true, it.unit(it.until)
	if !it.pure {
		it.emitted++
	}
}

// constant reports how many instances every period after the first has, where
// that is the same for all.
func (it *Iter) constant() (int64, bool) {
	r := it.r
	if r.Freq < Weekly || len(r.Month)+len(r.MonthDay)+len(r.YearDay)+len(r.WeekNo) > 0 || it.pure {
		return 0, false
	}
	if r.Freq > Weekly && len(r.Day) > 0 || r.Freq > Daily && len(r.Hour) > 0 ||
		r.Freq > Hourly && len(r.Minute) > 0 || r.Freq > Minutely && len(r.Second) > 0 {
		return 0, false
	}
	probe := *it
	probe.load()
	return int64(probe.size()), true
}

// Next returns the next instance; false at the end, and then Err says why.
func (it *Iter) Next() (int64, bool) {
	if !it.begun {
		it.begin()
		if it.from <= it.start && !it.pure {
			return it.start, true
		}
	}
	for !it.finished {
		if it.r.Count > 0 && it.emitted >= it.r.Count {
			break
		}
		if !it.loaded {
			it.fetch()
			continue
		}
		if it.pos >= it.size() {
			it.k, it.loaded = it.k+1, false
			continue
		}
		w := it.at(it.pos)
		it.pos++
		if it.spend(1); w > it.until {
			break
		}
		it.emitted++
		return w, true
	}
	it.finished = true
	return 0, false
}

// Err is ErrBudget when the end was not reached.
func (it *Iter) Err() error { return it.err }

func (it *Iter) spend(n int) {
	if it.budget -= n; it.budget < 0 {
		it.finished, it.err = true, ErrBudget
	}
}

// fetch loads the period, or jumps over those that the rule excludes.
func (it *Iter) fetch() {
	it.spend(3)
	if it.base+it.k*it.r.Interval > it.last {
		it.finished = true
		return
	}
	if to, skip := it.excluded(); skip {
		it.k = max(it.k+1, ceilDiv(it.unit(to)-it.base, it.r.Interval))
		return
	}
	if !it.load() {
		it.finished = true
		return
	}
	after := it.start
	if !it.pure {
		after++ // the start itself was given
	}
	it.pos = it.search(max(after, it.from))
	it.emitted += int64(it.pos - it.search(after))
}

// wall is when the period begins.
func (it *Iter) wall() int64 {
	u := it.base + it.k*it.r.Interval
	switch it.r.Freq {
	case Yearly:
		return dayNumber(u, 1, 1) * daySeconds
	case Monthly:
		return dayNumber(0, u+1, 1) * daySeconds
	case Weekly:
		return (u*7 - 3 + int64(it.r.WeekStart)) * daySeconds
	case Daily:
		return u * daySeconds
	}
	return u * it.seconds()
}

// excluded reports that a period of a day or less is outside of the rule's
// limits, and when the next one may be inside.
func (it *Iter) excluded() (next int64, yes bool) {
	r := it.r
	if r.Freq < Daily {
		return 0, false
	}
	w := it.wall()
	day := floorDiv(w, daySeconds)
	if day > maxDay {
		return 0, false // load will end it
	}
	if y, m, _ := civil(day); len(it.month) > 0 && !slices.Contains(it.month, int(m)) {
		for m++; !slices.Contains(it.month, int((m-1)%12+1)); m++ {
		}
		return dayNumber(y, m, 1) * daySeconds, true
	}
	if !it.match(day) {
		return (day + 1) * daySeconds, true
	}
	clock := w - day*daySeconds
	switch {
	case r.Freq >= Hourly && len(r.Hour) > 0 && !slices.Contains(r.Hour, int(clock/3600)):
		return w - clock%3600 + 3600, true
	case r.Freq >= Minutely && len(r.Minute) > 0 && !slices.Contains(r.Minute, int(clock/60%60)):
		return w - clock%60 + 60, true
	case r.Freq >= Secondly && len(r.Second) > 0 && !slices.Contains(r.Second, int(clock%60)):
		return w + 1, true
	}
	return 0, false
}

// load fills the period; false after the year 9999.
func (it *Iter) load() bool {
	it.loaded, it.pos, it.days = true, 0, it.days[:0]
	it.h, it.m, it.s = it.hour, it.minute, it.second
	w := it.wall()
	day := floorDiv(w, daySeconds)
	if day > maxDay || w > it.until {
		return false
	}
	switch it.r.Freq {
	case Yearly:
		y, _, _ := civil(day)
		if len(it.month) == 0 {
			it.addDays(day, dayNumber(y+1, 1, 1))
		}
		for _, m := range it.month {
			it.addDays(dayNumber(y, int64(m), 1), dayNumber(y, int64(m)+1, 1))
		}
	case Monthly:
		y, m, _ := civil(day)
		it.addDays(day, dayNumber(y, m+1, 1))
	case Weekly:
		it.addDays(day, day+7)
	default:
		it.days = append(it.days, day)
		it.clock(int(w - day*daySeconds))
	}
	it.n = len(it.days) * len(it.h) * len(it.m) * len(it.s)
	it.positions()
	return true
}

// clock narrows the times to a period shorter than a day.
func (it *Iter) clock(s int) {
	if it.r.Freq >= Hourly {
		it.h = []int{s / 3600}
	}
	if it.r.Freq >= Minutely {
		it.m = []int{s / 60 % 60}
	}
	if it.r.Freq >= Secondly {
		it.s = []int{s % 60}
	}
}

func (it *Iter) addDays(from, to int64) {
	if it.simple() {
		it.spend(len(it.monthDay))
		for _, d := range it.monthDay {
			if d > 0 && from+int64(d) <= to {
				it.days = append(it.days, from+int64(d)-1)
			}
		}
		return
	}
	it.spend(int(to - from))
	for d := from; d < to; d++ {
		if it.match(d) {
			it.days = append(it.days, d)
		}
	}
}

// simple reports that days of months are all the rule says, and so need no
// looking for.
func (it *Iter) simple() bool {
	r := it.r
	return len(it.monthDay) > 0 && it.monthDay[0] > 0 && len(r.Day)+len(r.YearDay)+len(r.WeekNo) == 0 &&
		(r.Freq == Monthly && len(it.month) == 0 || r.Freq == Yearly && len(it.month) > 0)
}

// positions picks what BYSETPOS leaves of the period.
func (it *Iter) positions() {
	it.set = it.set[:0]
	for _, p := range it.r.SetPos {
		if p < 0 {
			p += it.n + 1
		}
		if p >= 1 && p <= it.n {
			it.set = append(it.set, p-1)
		}
	}
	slices.Sort(it.set)
	it.set = slices.Compact(it.set)
}

func (it *Iter) size() int {
	if len(it.r.SetPos) > 0 {
		return len(it.set)
	}
	return it.n
}

// at is the i-th instance of the period.
func (it *Iter) at(i int) int64 {
	if len(it.r.SetPos) > 0 {
		i = it.set[i]
	}
	s := it.s[i%len(it.s)]
	i /= len(it.s)
	m := it.m[i%len(it.m)]
	i /= len(it.m)
	h := it.h[i%len(it.h)]
	return it.days[i/len(it.h)]*daySeconds + int64(h*3600+m*60+s)
}

// search is the first instance of the period that is not before a wall clock.
func (it *Iter) search(wall int64) int {
	return sort.Search(it.size(), func(i int) bool { return it.at(i) >= wall })
}
