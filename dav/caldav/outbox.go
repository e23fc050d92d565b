package caldav

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/freebusy"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

const (
	maxAsked    = 100                  // people in one request for busy time
	maxAskRange = 366 * 24 * time.Hour // of the time asked about
	maxBusy     = 20_000               // objects read for one request
)

// An asking is a request for the busy time of some people (RFC 5546 §3.3.2).
type asking struct {
	from, to  time.Time
	organizer *ical.Prop
	attendees []*ical.Prop
	uid       string
	masked    string // the UID of an event that does not count
	left      int
}

func invalid(err error) error {
	return &dav.StatusError{Status: http.StatusBadRequest, Condition: davxml.CalDAV("valid-scheduling-message"), Err: err}
}

// receive reads the body of a POST.
func (o *outbox) receive(x *dav.Exchange) (*asking, error) {
	if !isCalendar(x.Request.Header.Get("Content-Type")) {
		return nil, dav.Forbidden(davxml.CalDAV("supported-calendar-data"))
	}
	body, err := x.Receive(int64(ical.DefaultLimits.Bytes))
	if err != nil {
		return nil, err
	}
	defer body.Discard()
	raw, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	cal, err := ical.Parse(raw)
	if err != nil {
		return nil, refusal(err)
	}
	ask, err := readAsking(cal)
	if err != nil {
		return nil, err
	}
	return ask, x.View(func(s *dav.Scope) error {
		a, err := accounts.Holder(s.Tx, itip.Address(ask.organizer.Value))
		if err != nil || a.ID != o.home.Account.ID && a.ID != s.User {
			return dav.Forbidden(davxml.CalDAV("valid-organizer"))
		}
		return nil
	})
}

func readAsking(cal *ical.Calendar) (*asking, error) {
	all := cal.Named("VFREEBUSY")
	if cal.Method() != "REQUEST" || len(all) != 1 {
		return nil, invalid(errors.New("not a REQUEST of one VFREEBUSY"))
	}
	c := all[0]
	from, ok1 := c.Stamp("DTSTART")
	to, ok2 := c.Stamp("DTEND")
	a := &asking{organizer: c.Prop("ORGANIZER"), attendees: c.All("ATTENDEE"), uid: c.Value("UID"), masked: c.Text("X-CALENDARSERVER-MASK-UID"), left: maxBusy}
	if !ok1 || !ok2 || a.organizer == nil || len(a.attendees) == 0 || a.uid == "" {
		return nil, invalid(errors.New("DTSTART, DTEND, ORGANIZER, ATTENDEE or UID is missing"))
	}
	z := zone.Of(cal, nil)
	a.from, a.to = z.Time(from), z.Time(to)
	switch {
	case !a.from.Before(a.to) || a.to.Sub(a.from) > maxAskRange:
		return nil, invalid(errors.New("a time of no length, or too long a one"))
	case len(a.attendees) > maxAsked:
		return nil, dav.Forbidden(davxml.CalDAV("max-attendees-per-instance"))
	}
	return a, nil
}

// answer writes the response of one attendee (RFC 6638 §10.2).
func (a *asking) answer(x *dav.Exchange, w *davxml.Writer, who *ical.Prop) error {
	response, recipient := davxml.CalDAV("response"), davxml.CalDAV("recipient")
	w.Open(response)
	w.Open(recipient)
	w.Href(who.Value)
	w.Close(recipient)
	defer w.Close(response)
	text, err := a.busy(x, who)
	if errors.Is(err, storage.ErrNotFound) {
		w.Leaf(davxml.CalDAV("request-status"), "3.7;Invalid Calendar User")
		return nil
	}
	if err != nil {
		return err
	}
	w.Leaf(davxml.CalDAV("request-status"), "2.0;Success")
	w.Leaf(calendarDataName, text)
	return nil
}

// busy is when somebody who is here is busy, as a REPLY.
func (a *asking) busy(x *dav.Exchange, who *ical.Prop) (string, error) {
	var all []busyObject
	var available []byte
	var own []string
	err := x.View(func(s *dav.Scope) (err error) {
		m, err := accounts.Holder(s.Tx, itip.Address(who.Value))
		if err == nil {
			all, err = a.objects(s.Tx, m.ID)
			own = accounts.Addresses(s.Tx, m.ID)
		}
		if inbox, e := calendar.Inbox(s.Tx, m.ID); e == nil && err == nil {
			available = slices.Clone(s.Tx.Property(inbox.ID.Object(), 0, davxml.CalDAV("calendar-availability").String()))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	sheet := freebusy.New(a.from, a.to)
	for _, o := range all {
		if err := o.add(x.DB(), sheet, own); err != nil {
			return "", err
		}
	}
	addAvailability(sheet, available)
	line := func(p *ical.Prop) string { return strings.TrimRight(p.Line(""), "\r\n") }
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//essaim//CalDAV//EN\r\nMETHOD:REPLY\r\n" +
		sheet.Component(x.Now, "UID:"+a.uid, line(a.organizer), line(who)) + "END:VCALENDAR\r\n", nil
}

// A busyObject is one that may make its owner busy, with the zone of its floating
// times.
type busyObject struct {
	row
	zone, text string
}

// objects are those of the calendars that count as an account's time.
func (a *asking) objects(tx *storage.Tx, m storage.AccountID) (out []busyObject, err error) {
	for _, k := range calendar.List(tx, m) {
		if calendar.Transparent(tx, k, m) {
			continue
		}
		const types = calendar.Event | calendar.FreeBusy | calendar.Availability
		err := calendar.Query(tx, k.ID, types, a.from.Unix(), a.to.Unix(), func(o calendar.Object) bool {
			if o.UID != a.masked {
				out = append(out, busyObject{o, k.ZoneName(), calendar.ZoneText(tx, k)})
			}
			return len(out) < a.left
		})
		if err != nil {
			return nil, err
		}
	}
	if a.left -= len(out); a.left <= 0 {
		return nil, dav.Forbidden(davxml.DAV("number-of-matches-within-limits"))
	}
	return out, nil
}

// add puts an object on the sheet but for what its owner has declined; one that is
// gone since, or too much work, is not on it.
func (o *busyObject) add(db *storage.DB, sheet *freebusy.Sheet, own []string) error {
	raw, err := o.Read(db)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := filter.ReadText(raw, calendar.Location(o.zone, o.text))
	if err != nil {
		return err
	}
	if s.Type == "VEVENT" {
		if free := itip.WithoutDeclined(s.Object, own); free != nil {
			if s, err = filter.ReadText(free, calendar.Location(o.zone, o.text)); err != nil {
				return err
			}
		}
	}
	if err := sheet.Add(s); err != nil && !errors.Is(err, recur.ErrBudget) {
		return err
	}
	return nil
}

// addAvailability puts the inbox's calendar-availability on the sheet.
func addAvailability(sheet *freebusy.Sheet, held []byte) {
	if held == nil {
		return
	}
	e, err := dav.HeldElement(held)
	if err != nil {
		return
	}
	if s, err := filter.ReadText([]byte(strings.TrimSpace(e.Text())), nil); err == nil {
		_ = sheet.Add(s) // what is too much work is not on it
	}
}
