// Package zone finds the time zone that a TZID means.
//
// What it promises, in this order: the VTIMEZONE that the calendar carries
// counts, as RFC 5545 §3.6.5 says, even where it contradicts the IANA database;
// without one, an IANA name (of the host's database, or else of the one in the
// program), also at the end of a longer name (/citadel.org/20210210_1/Europe/Paris);
// a Windows name (W. Europe Standard Time); a fixed offset (UTC+02:00). What is still unknown is
// read like floating time: in the zone of the calendar or of the question.
//
// A local time that the clocks skip is read with the offset before the gap, one
// that they repeat is the first of the two (RFC 5545 §3.3.5).
//
// RFCs: 5545 §3.3.5 and §3.6.5, 7809 (names without a VTIMEZONE). Zones of a
// VTIMEZONE are followed until the year 2120.
package zone

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the host may have none

	"essaim.coop/essaim/format/ical"
)

// Zones are the time zones of one calendar. They are safe for concurrent use.
type Zones struct {
	byID     map[string]*time.Location
	floating *time.Location
}

// Of reads the VTIMEZONEs that a calendar carries and the names it uses.
// Floating times are in floating; nil is UTC.
func Of(cal *ical.Calendar, floating *time.Location) *Zones {
	z := &Zones{byID: map[string]*time.Location{}, floating: floating}
	if floating == nil {
		z.floating = time.UTC
	}
	for _, k := range cal.Children {
		if k.Name != "VTIMEZONE" {
			continue
		}
		if id := strings.TrimSpace(k.Text("TZID")); id != "" && z.byID[id] == nil {
			if loc := compiled(id, cal.Slice(k), k); loc != nil {
				z.byID[id] = loc
			}
		}
	}
	return z
}

// Location is the zone of a stamp.
func (z *Zones) Location(s ical.Stamp) *time.Location {
	switch {
	case s.UTC:
		return time.UTC
	case s.TZID == "" || s.Date:
		return z.floating
	}
	if loc := z.byID[s.TZID]; loc != nil {
		return loc
	}
	if loc := Named(s.TZID); loc != nil {
		return loc
	}
	return z.floating
}

// Certain reports whether the instant of a stamp is told by the calendar alone: not
// by where its reader is, and not by a database that changes.
func (z *Zones) Certain(s ical.Stamp) bool { return s.UTC || !s.Date && z.byID[s.TZID] != nil }

// Time is the instant of a stamp; that of a DATE is its midnight.
func (z *Zones) Time(s ical.Stamp) time.Time { return ical.Instant(s.Wall, z.Location(s)) }

var fixed = regexp.MustCompile(`^(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?$`)

// Named finds a zone by an IANA or Windows name, nil when there is none.
func Named(name string) *time.Location {
	name = strings.Trim(strings.TrimSpace(name), `"`)
	lower := strings.ToLower(name)
	switch w, ok := windows[name]; {
	case name == "" || lower == "local" || len(name) > 200:
		return nil
	case ok:
		return loaded(w)
	case lower == "utc", lower == "gmt", name == "Z", strings.HasSuffix(lower, "/utc"):
		return time.UTC
	case fixed.MatchString(name):
		return fixedOffset(name)
	}
	if loc := loaded(name); loc != nil {
		return loc
	}
	parts := strings.Split(name, "/")
	for n := min(len(parts)-1, 3); n > 0; n-- { // America/Argentina/Ushuaia is one of the longest
		if loc := loaded(strings.Join(parts[len(parts)-n:], "/")); loc != nil {
			return loc
		}
	}
	return nil
}

// iana keeps the zones that were found, of which there are some six hundred.
var iana sync.Map

func loaded(name string) *time.Location {
	if loc, ok := iana.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil
	}
	iana.Store(name, loc)
	return loc
}

func fixedOffset(name string) *time.Location {
	m := fixed.FindStringSubmatch(name)
	h, _ := strconv.Atoi(m[2])
	mi, _ := strconv.Atoi("0" + m[3])
	if h > 14 || mi > 59 {
		return nil
	}
	s := h*3600 + mi*60
	if m[1] == "-" {
		s = -s
	}
	return time.FixedZone(name, s)
}
