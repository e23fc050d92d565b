package recur

// Wall clocks are seconds and days since 1970-01-01 in the proleptic Gregorian
// calendar, without any zone.

const (
	daySeconds = 86400
	maxDay     = 2932896 // 9999-12-31
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// dayNumber is the day of a date; months beyond 1 to 12 carry into the year.
func dayNumber(y, m, d int64) int64 {
	y += floorDiv(m-1, 12)
	m = (m-1)%12 + 1
	if m <= 0 {
		m += 12
	}
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// civil is the date of a day.
func civil(day int64) (y, m, d int64) {
	day += 719468
	era := floorDiv(day, 146097)
	doe := day - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// weekday is 0 on Mondays.
func weekday(day int64) int64 { return ((day+3)%7 + 7) % 7 }

// weekOne is the first day of a year's week 1, the first with four days in it
// (RFC 5545 §3.3.10, BYWEEKNO).
func weekOne(y int64, wkst int) int64 {
	jan4 := dayNumber(y, 1, 4)
	return jan4 - ((weekday(jan4)-int64(wkst))%7+7)%7
}

// weekOf is the number of a day's week and how many weeks that week's year has.
func weekOf(day, y int64, wkst int) (no, weeks int64) {
	from, to := weekOne(y, wkst), weekOne(y+1, wkst)
	switch {
	case day < from:
		from, to = weekOne(y-1, wkst), from
	case day >= to:
		from, to = to, weekOne(y+2, wkst)
	}
	return (day-from)/7 + 1, (to - from) / 7
}
