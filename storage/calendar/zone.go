package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// A Zone is a calendar's time zone, read and found good.
type Zone struct {
	name string
	text string
}

// ReadZone reads the value of calendar-timezone: a VCALENDAR with one VTIMEZONE
// (RFC 4791 §5.2.2). Anything else is an ical.ErrSyntax.
func ReadZone(text string) (Zone, error) {
	if len(text) > MaxZone {
		return Zone{}, fmt.Errorf("%w: a time zone of %d bytes", ical.ErrLimit, len(text))
	}
	cal, err := ical.Parse([]byte(strings.TrimSpace(text)))
	if err != nil {
		return Zone{}, err
	}
	if len(cal.Children) != 1 || cal.Children[0].Name != "VTIMEZONE" || cal.Children[0].Text("TZID") == "" {
		return Zone{}, fmt.Errorf("%w: not one VTIMEZONE", ical.ErrSyntax)
	}
	return Zone{cal.Children[0].Text("TZID"), text}, nil
}

// NamedZone is a zone of the IANA database; false when there is none.
func NamedZone(name string) (Zone, bool) {
	return Zone{name: name}, zone.Named(name) != nil && len(name) <= 200
}

// Location is where the zone's clocks are.
func (z Zone) Location() *time.Location { return Location(z.name, z.text) }

func zoneKey(c storage.CollectionID) []byte { return resource.Key('u', c) }

// SetZone gives a calendar its time zone; the zero Zone takes it away.
func SetZone(tx *storage.Tx, c Calendar, z Zone) error {
	c.Extra = append(slices.Clone(c.Extra[:2]), z.name...)
	if z.text == "" {
		tx.Delete(zoneKey(c.ID))
	} else {
		tx.Put(zoneKey(c.ID), []byte(z.text))
	}
	return tx.SaveCollection(c.Collection)
}

// ZoneText is the calendar's VTIMEZONE as it was given, "" when it has none.
func ZoneText(tx *storage.Tx, c Calendar) string { return string(tx.Get(zoneKey(c.ID))) }

// Location is the zone in which floating times of a calendar are, from its name
// and text: UTC when it has none, or one that is not understood.
func Location(name, text string) *time.Location {
	if text != "" {
		if cal, err := ical.Parse([]byte(strings.TrimSpace(text))); err == nil {
			return zone.Of(cal, nil).Location(ical.Stamp{TZID: strings.TrimSpace(name)})
		}
	}
	if loc := zone.Named(name); loc != nil {
		return loc
	}
	return time.UTC
}
