package main

import (
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// sampleEvents are what the three people have in their calendars: lines of a
// component, %s is the Monday of the week that the demo was made in.
var sampleEvents = []struct{ uid, kind, lines string }{
	{"demo-assembly", "VEVENT", "DTSTART;TZID=Europe/Brussels:%sT190000\nDURATION:PT2H\nRRULE:FREQ=MONTHLY;BYDAY=1MO\nSUMMARY:Assemblée de la coopérative\nLOCATION:Grande salle"},
	{"demo-market", "VEVENT", "DTSTART;TZID=Europe/Brussels:%sT080000\nDTEND;TZID=Europe/Brussels:%[1]sT120000\nRRULE:FREQ=WEEKLY;BYDAY=SA\nSUMMARY:Boerenmarkt\nBEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Boerenmarkt\nTRIGGER:-PT30M\nEND:VALARM"},
	{"demo-garden", "VEVENT", "DTSTART;VALUE=DATE:%s\nSUMMARY:Garden open to neighbours\nTRANSP:TRANSPARENT"},
	{"demo-minutes", "VTODO", "DUE;VALUE=DATE:%s\nSUMMARY:Send the minutes of the assembly\nSTATUS:NEEDS-ACTION\nPRIORITY:5"},
}

// events gives each of the three people a calendar with something in it.
func (d *demoCmd) events(a *App) error {
	now := time.Now()
	monday := now.AddDate(0, 0, -(int(now.Weekday())+6)%7).Format("20060102")
	for _, p := range demoPeople {
		for _, s := range sampleEvents {
			lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//essaim//demo//EN", "BEGIN:" + s.kind, "UID:" + s.uid, "DTSTAMP:" + ical.At(now).String()}
			lines = append(lines, strings.Split(fmt.Sprintf(s.lines, monday), "\n")...)
			lines = append(lines, "END:"+s.kind, "END:VCALENDAR", "")
			if err := putEvent(a.db, p.local+"@"+d.Domain, s.uid+".ics", strings.Join(lines, "\r\n"), now); err != nil {
				return fmt.Errorf("sample event %s of %s: %w", s.uid, p.local, err)
			}
		}
	}
	return nil
}

// putEvent puts an object into somebody's calendar.
func putEvent(db *storage.DB, address, name, text string, now time.Time) error {
	body, err := db.StageAll(strings.NewReader(text))
	if err != nil {
		return err
	}
	defer body.Discard()
	in, err := calendar.Prepare(body)
	if err != nil {
		return err
	}
	return db.Update(func(tx *storage.Tx) error {
		m, err := accounts.Lookup(tx, address)
		if err != nil {
			return err
		}
		c, err := calendar.Open(tx, m.ID, calendar.DefaultCalendar)
		if err == nil {
			_, err = calendar.Put(tx, c, name, in, calendar.Client, now)
		}
		return err
	})
}
