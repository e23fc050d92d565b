package itip

import (
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/freebusy"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

const (
	bookAhead = 366 * 24 * time.Hour // how far a series is held against others
	maxBooked = 5_000                // other bookings that are looked at
)

// book answers an invitation of a room or of equipment: it comes when it is free at
// all of the times in the year after the first that is not over, and declines
// otherwise.
func (w *work) book(h *handle, me, organizer string) error {
	free, err := w.free(h)
	if err != nil {
		return err
	}
	stat, transp := "DECLINED", "TRANSPARENT"
	if free {
		stat, transp = "ACCEPTED", "OPAQUE"
	}
	if err := h.set(itip.Answer(h.obj, me, stat, transp), calendar.Client); err != nil {
		return err
	}
	send, err := w.answers(h.obj.UID, organizer, me)
	if err != nil {
		return err
	}
	out := itip.Out{To: organizer, Method: itip.Reply, Text: send.Reply(h.obj, me)}
	if out.Text == nil {
		return nil
	}
	_, err = w.reply(me, out, h.obj.UID)
	return err
}

type span struct{ from, to time.Time }

// free reports whether nothing else is booked when an object is.
func (w *work) free(h *handle) (bool, error) {
	wanted, err := times(h.obj, w.now)
	if err != nil || len(wanted) == 0 {
		return err == nil, err
	}
	sheet := freebusy.New(wanted[0].from, wanted[len(wanted)-1].to.Add(time.Second))
	for _, o := range w.booked(h, wanted) {
		b, err := o.Read(w.s.DB)
		if err != nil {
			return false, errStale
		}
		s, err := filter.ReadText(b, nil)
		if err == nil {
			err = sheet.Add(s)
		}
		if err != nil {
			w.s.Log.Warn("a booking is not understood", "uid", o.UID, "error", err)
		}
	}
	for _, p := range sheet.Periods() {
		for _, x := range wanted {
			if p.Type != freebusy.Free && p.Start.Before(x.to) && p.End.After(x.from) {
				return false, nil
			}
		}
	}
	return true, nil
}

// times are those of an object that are not over, in order of their starts.
func times(o *ical.Object, now time.Time) (out []span, err error) {
	s, err := filter.Read(o, zone.Of(o.Calendar, nil))
	if err != nil {
		return nil, err
	}
	err = s.Series.Each(now, now.Add(10*bookAhead), func(x recur.Instance) bool {
		if x.Comp.Value("STATUS") != "CANCELLED" {
			out = append(out, span{x.Start, x.End})
		}
		return len(out) == 0 || x.Start.Before(out[0].from.Add(bookAhead))
	})
	return out, err
}

// booked are the other objects in that time.
func (w *work) booked(h *handle, wanted []span) (out []calendar.Object) {
	_ = w.s.DB.View(func(tx *storage.Tx) error {
		for _, c := range calendar.List(tx, h.account) {
			err := calendar.Query(tx, c.ID, calendar.Event|calendar.FreeBusy|calendar.Availability, wanted[0].from.Unix(), wanted[len(wanted)-1].to.Unix()+1, func(o calendar.Object) bool {
				if o.UID != h.obj.UID {
					out = append(out, o)
				}
				return len(out) < maxBooked
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out
}
