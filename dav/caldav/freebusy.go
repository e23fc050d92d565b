package caldav

import (
	"errors"
	"net/http"
	"strconv"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/freebusy"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// freeBusy answers CALDAV:free-busy-query (RFC 4791 §7.10) on a calendar. It takes
// the privilege to see when somebody is busy, not that to read.
func freeBusy(x *dav.Exchange, body *davxml.Element) error {
	r, err := readBounds(body.Child(davxml.CalDAV("time-range")))
	if err != nil {
		return err
	}
	floating, err := targetZone(x)
	if err != nil {
		return err
	}
	var all []*object
	err = x.View(func(s *dav.Scope) error {
		target, err := x.Target(s)
		if err != nil {
			return err
		}
		k, ok := target.(*cal)
		if !ok || !k.Allowed(s).Has(dav.PrivReadFreeBusy) {
			return dav.Status(http.StatusForbidden)
		}
		if x.Request.Header.Get("Depth") == "0" {
			return nil
		}
		const types = calendar.Event | calendar.FreeBusy | calendar.Availability
		return calendar.Query(s.Tx, k.ID, types, r.Start.Unix(), r.End.Unix(), func(o calendar.Object) bool {
			// as it is the owner's time that is asked for
			all = append(all, &object{in: k.Collection, row: o})
			return true
		})
	})
	if err != nil {
		return err
	}
	sheet := freebusy.New(r.Start, r.End)
	for _, o := range all {
		s, err := o.parsed(x.DB(), floating)
		if errors.Is(err, storage.ErrNotFound) {
			continue // gone since
		}
		if err == nil {
			err = sheet.Add(s)
		}
		if errors.Is(err, recur.ErrBudget) {
			return dav.Forbidden(davxml.DAV("number-of-matches-within-limits")) // §7.10
		}
		if err != nil {
			return err
		}
		o.forget()
	}
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//essaim//CalDAV//EN\r\n" + sheet.Component(x.Now) + "END:VCALENDAR\r\n"
	h := x.Answer.Header()
	h.Set("Content-Type", ical.ContentType+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	x.Answer.WriteHeader(http.StatusOK)
	_, err = x.Answer.Write([]byte(text))
	return err
}
