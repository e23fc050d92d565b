package ical

import (
	"fmt"
	"strings"
	"time"
)

// UnescapeText decodes TEXT (RFC 5545 §3.3.11). An unknown escape stays.
func UnescapeText(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch c := s[i+1]; c {
			case 'n', 'N':
				b.WriteByte('\n')
				i++
				continue
			case '\\', ';', ',', ':', '"':
				b.WriteByte(c)
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// decodeParam decodes RFC 6868.
func decodeParam(s string) string {
	if strings.IndexByte(s, '^') < 0 {
		return s
	}
	return paramDecoder.Replace(s)
}

var (
	paramDecoder = strings.NewReplacer("^n", "\n", "^^", "^", "^'", "\"")
	paramEncoder = strings.NewReplacer("\r\n", "^n", "\n", "^n", "^", "^^", "\"", "^'")
)

// A Stamp is a DATE or DATE-TIME as it is written (RFC 5545 §3.3.4, §3.3.5).
type Stamp struct {
	Wall int64  // seconds from 1970-01-01T00:00:00 on the wall clock
	Date bool   // a DATE
	UTC  bool   // ends in Z
	TZID string // "" when floating, UTC or a DATE
}

// Floating reports whether the stamp is the same wall clock everywhere.
func (s Stamp) Floating() bool { return !s.UTC && s.TZID == "" }

// String writes the value without its parameters.
func (s Stamp) String() string {
	t := time.Unix(s.Wall, 0).UTC()
	switch {
	case s.Date:
		return t.Format("20060102")
	case s.UTC:
		return t.Format("20060102T150405Z")
	}
	return t.Format("20060102T150405")
}

// Params are what a property of this value carries.
func (s Stamp) Params() []Param {
	switch {
	case s.Date:
		return []Param{{"VALUE", []string{"DATE"}}}
	case s.TZID != "":
		return []Param{{"TZID", []string{s.TZID}}}
	}
	return nil
}

// At is the stamp of an instant in UTC.
func At(t time.Time) Stamp { return Stamp{Wall: t.Unix(), UTC: true} }

// ParseStamp reads one DATE or DATE-TIME. Second 60 is second 59 (§3.3.12).
func ParseStamp(v, tzid string) (s Stamp, err error) {
	v = strings.TrimSpace(v)
	bad := func() (Stamp, error) { return s, fmt.Errorf("%w: time %.40q", ErrSyntax, v) }
	d := v
	if len(v) > 8 {
		if v[8] != 'T' && v[8] != 't' {
			return bad()
		}
		d = v[:8]
	}
	y, ok1 := digits(d, 0, 4)
	m, ok2 := digits(d, 4, 6)
	day, ok3 := digits(d, 6, 8)
	if !ok1 || !ok2 || !ok3 || len(d) != 8 || m < 1 || m > 12 || day < 1 || day > daysIn(y, m) {
		return bad()
	}
	s.Wall = time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC).Unix()
	if len(v) == 8 {
		s.Date = true
		return s, nil
	}
	clock := v[9:]
	if n := len(clock); n > 0 && (clock[n-1] == 'Z' || clock[n-1] == 'z') {
		clock, s.UTC = clock[:n-1], true
	}
	h, ok1 := digits(clock, 0, 2)
	mi, ok2 := digits(clock, 2, 4)
	sec, ok3 := digits(clock, 4, 6)
	if !ok1 || !ok2 || !ok3 || len(clock) != 6 || h > 23 || mi > 59 || sec > 60 {
		return bad()
	}
	s.Wall += int64(h*3600 + mi*60 + min(sec, 59))
	if !s.UTC {
		s.TZID = strings.TrimSpace(tzid)
	}
	return s, nil
}

// Stamp reads a property's value as one DATE or DATE-TIME.
func (p *Prop) Stamp() (Stamp, error) {
	s, err := ParseStamp(p.Value, p.Param("TZID"))
	if err != nil {
		return s, fmt.Errorf("%s: %w", p.Name, err)
	}
	return s, nil
}

// Stamp reads the first property of that name; ok is false when there is none
// or it is no time.
func (c *Component) Stamp(name string) (s Stamp, ok bool) {
	p := c.Prop(name)
	if p == nil {
		return s, false
	}
	s, err := p.Stamp()
	return s, err == nil
}

func digits(s string, from, to int) (n int, ok bool) {
	if to > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[from:to]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func daysIn(y, m int) int {
	return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// A Duration is a nominal number of days and an exact number of seconds (RFC
// 5545 §3.3.6): a day is as long as the clocks make it.
type Duration struct {
	Days    int64
	Seconds int64
}

// Exact is the duration when every day has 24 hours.
func (d Duration) Exact() time.Duration {
	return time.Duration(d.Days)*24*time.Hour + time.Duration(d.Seconds)*time.Second
}

const maxDuration = 1 << 32 // seconds

// ParseDuration reads a DURATION.
func ParseDuration(v string) (d Duration, err error) {
	s := strings.ToUpper(strings.TrimSpace(v))
	sign := int64(1)
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	s = strings.TrimLeft(s, "+-")
	if !strings.HasPrefix(s, "P") || len(s) < 3 {
		return d, fmt.Errorf("%w: duration %.40q", ErrSyntax, v)
	}
	clock, n, have := false, int64(0), false
	for _, c := range []byte(s[1:]) {
		unit := int64(0)
		switch {
		case c >= '0' && c <= '9':
			if n, have = n*10+int64(c-'0'), true; n > maxDuration {
				return d, fmt.Errorf("%w: duration %.40q", ErrSyntax, v)
			}
			continue
		case c == 'T' && !clock && !have:
			clock = true
			continue
		case c == 'W' && !clock:
			d.Days += 7 * n * sign
		case c == 'D' && !clock:
			d.Days += n * sign
		case c == 'H' && clock:
			unit = 3600
		case c == 'M' && clock:
			unit = 60
		case c == 'S' && clock:
			unit = 1
		default:
			have = false
		}
		if !have {
			return d, fmt.Errorf("%w: duration %.40q", ErrSyntax, v)
		}
		d.Seconds += n * unit * sign
		n, have = 0, false
	}
	if total := d.Days*86400 + d.Seconds; have || total > maxDuration || total < -maxDuration {
		return d, fmt.Errorf("%w: duration %.40q", ErrSyntax, v)
	}
	return d, nil
}

// A Period is a start with an end or a duration (RFC 5545 §3.3.9).
type Period struct {
	Start    Stamp
	End      Stamp    // when Explicit
	Length   Duration // otherwise
	Explicit bool
}

// ParsePeriod reads a PERIOD.
func ParsePeriod(v, tzid string) (p Period, err error) {
	from, to, ok := strings.Cut(v, "/")
	if !ok {
		return p, fmt.Errorf("%w: period %.60q", ErrSyntax, v)
	}
	if p.Start, err = ParseStamp(from, tzid); err != nil {
		return p, err
	}
	if strings.ContainsAny(to, "Pp") {
		p.Length, err = ParseDuration(to)
		return p, err
	}
	p.Explicit = true
	p.End, err = ParseStamp(to, tzid)
	return p, err
}

// Stamps reads a list of dates, times or periods, as in EXDATE and RDATE. A date
// or time is a Period of no length.
func (p *Prop) Stamps() (out []Period, err error) {
	for v := range strings.SplitSeq(p.Value, ",") {
		if strings.TrimSpace(v) == "" {
			continue
		}
		var one Period
		if strings.IndexByte(v, '/') >= 0 {
			one, err = ParsePeriod(v, p.Param("TZID"))
		} else {
			one.Start, err = ParseStamp(v, p.Param("TZID"))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// ParseOffset reads a UTC-OFFSET and returns its seconds (RFC 5545 §3.3.14).
func ParseOffset(v string) (int, error) {
	s := strings.TrimSpace(v)
	if len(s) == 5 || len(s) == 7 {
		h, ok1 := digits(s, 1, 3)
		m, ok2 := digits(s, 3, 5)
		sec, ok3 := 0, true
		if len(s) == 7 {
			sec, ok3 = digits(s, 5, 7)
		}
		if n := h*3600 + m*60 + sec; ok1 && ok2 && ok3 && h < 24 && m < 60 && sec < 60 {
			switch s[0] {
			case '+':
				return n, nil
			case '-':
				return -n, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: UTC offset %.20q", ErrSyntax, v)
}

// Instant is when a wall clock shows wall seconds after 1970-01-01T00:00:00. A
// time that the clocks skip has the offset before the gap, of two the first
// counts (RFC 5545 §3.3.5).
func Instant(wall int64, loc *time.Location) time.Time {
	if loc == time.UTC {
		return time.Unix(wall, 0).UTC()
	}
	offset := func(t int64) int64 { _, o := time.Unix(t, 0).In(loc).Zone(); return int64(o) }
	before := offset(wall - 86400)
	t := wall - before
	if o := offset(t); o != before {
		if later := wall - o; offset(later) == o {
			t = later
		}
	}
	return time.Unix(t, 0).In(loc)
}

// WallOf is what the clocks of a zone show at an instant.
func WallOf(t time.Time, loc *time.Location) int64 {
	_, o := t.In(loc).Zone()
	return t.Unix() + int64(o)
}
