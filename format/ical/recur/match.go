package recur

import "slices"

// match holds a day against the rule.
func (it *Iter) match(day int64) bool {
	r := it.r
	wd := weekday(day)
	switch {
	case len(it.day) > 0 && int64(it.day[0]) != wd:
		return false
	case len(r.Day) > 0 && !r.dayAny[wd] && (r.hasOrdinals == nil || !r.hasOrdinals[wd]):
		return false
	case len(it.month)+len(it.monthDay)+len(r.YearDay)+len(r.WeekNo) == 0 && (len(r.Day) == 0 || r.dayAny[wd]):
		return true
	}
	y, m, d := civil(day)
	if len(it.month) > 0 && !slices.Contains(it.month, int(m)) {
		return false
	}
	first := dayNumber(y, 1, 1)
	yday, year := day-first+1, dayNumber(y+1, 1, 1)-first
	month := dayNumber(y, m+1, 1) - (day - d + 1)
	if len(it.monthDay) > 0 && !either(it.monthDay, d, month) || len(r.YearDay) > 0 && !either(r.YearDay, yday, year) {
		return false
	}
	if len(r.WeekNo) > 0 {
		if no, weeks := weekOf(day, y, r.WeekStart); !either(r.WeekNo, no, weeks) {
			return false
		}
	}
	switch {
	case len(r.Day) == 0 || r.dayAny[wd]:
		return true
	case r.Freq == Yearly && len(r.Month) == 0:
		return r.ordinal(wd, yday, year)
	}
	return r.ordinal(wd, d, month)
}

// either looks for the nth of total, counted from the front or from the back.
func either(list []int, nth, total int64) bool {
	return slices.Contains(list, int(nth)) || slices.Contains(list, int(nth-total-1))
}

// ordinal reports whether a weekday, on day nth of total, is one of those asked for.
func (r *Rule) ordinal(wd, nth, total int64) bool {
	front, back := (nth-1)/7+1, -((total-nth)/7 + 1)
	for _, d := range r.Day {
		if int64(d.Weekday) == wd && d.N != 0 && (int64(d.N) == front || int64(d.N) == back) {
			return true
		}
	}
	return false
}
