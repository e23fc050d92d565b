package itip

import (
	"errors"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// change works off one change.
func (s *Service) change(ch calendar.Change) error {
	old, new, err := readStates(s.DB, &ch)
	if err != nil {
		return err
	}
	return s.work(ch.Done, func(w *work) error { return w.change(&ch, old, new) })
}

func readStates(db *storage.DB, ch *calendar.Change) (old, new *ical.Object, err error) {
	a, b, err := ch.Bodies(db)
	if err == nil && a != nil {
		old, err = itip.ParseObject(a)
	}
	if err == nil && b != nil {
		new, err = itip.ParseObject(b)
	}
	return old, new, err
}

// change does what a change of an object means for others (RFC 6638 §3.2).
func (w *work) change(ch *calendar.Change, old, new *ical.Object) error {
	me, organizes, served := "", false, false
	err := w.s.DB.View(func(tx *storage.Tx) (err error) {
		own := accounts.SchedulesAs(tx, ch.Owner, ch.By)
		for _, o := range []*ical.Object{old, new} {
			if o != nil && me == "" && err == nil {
				me, organizes, err = itip.Role(o, own)
				served = itip.Served(o)
			}
		}
		if a, e := accounts.Get(tx, ch.By); e == nil {
			w.sender = a
		}
		return err
	})
	switch {
	case err != nil || me == "" || !served:
		return err
	case organizes:
		return w.organized(ch, old, new, me)
	}
	return w.attended(ch, old, new, me)
}

func uidOf(old, new *ical.Object) string {
	if new != nil {
		return new.UID
	}
	return old.UID
}

// organized tells attendees what their organizer has done.
func (w *work) organized(ch *calendar.Change, old, new *ical.Object, me string) error {
	uid := uidOf(old, new)
	send, err := w.requests(uid, old, new)
	if err != nil {
		return err
	}
	mine, err := w.in(ch.Owner, ch.Calendar, uid)
	if err != nil {
		return err
	}
	status := map[string]string{}
	for _, out := range send.Organized(old, new, me) {
		if out.Method == itip.Request && mine.obj != nil {
			// As it is now, with the answers that have come since. Who is not
			// invited any more is told so by a later change.
			if out.Text = send.Request(mine.obj, out.To); out.Text == nil {
				continue
			}
		}
		code, err := w.tell(ch.Calendar, uid, me, out)
		if err != nil {
			return err
		}
		status[out.To] = code
	}
	if new == nil {
		return nil
	}
	if old != nil && mine.obj != nil && !itip.SameAnswers(old, new) {
		if err := w.mirror(mine, me, func(to string) bool { return status[to] != "" }); err != nil {
			return err
		}
	}
	return w.note(ch, uid, status)
}

// note puts what became of the messages on the sender's own object.
func (w *work) note(ch *calendar.Change, uid string, status map[string]string) error {
	h, err := w.in(ch.Owner, ch.Calendar, uid)
	if err != nil || h.obj == nil {
		return err
	}
	if text := itip.Note(h.obj, status); text != nil {
		return h.set(text, calendar.Server)
	}
	return nil
}

// requests makes requests that are later than everything that attendees who are here
// have: two changes in one second must not seem one.
func (w *work) requests(uid string, states ...*ical.Object) (itip.Sender, error) {
	latest := w.now.Unix()
	for _, o := range states {
		if o == nil {
			continue
		}
		for _, address := range itip.Attendees(o) {
			a, here, err := w.holder(address)
			if err != nil || !here {
				continue
			}
			h, err := w.find(a.ID, uid)
			if err != nil {
				return itip.Sender{}, err
			}
			if h.obj != nil {
				latest = max(latest, itip.Stamped(h.obj)+1)
			}
		}
	}
	return itip.Sender{Now: time.Unix(latest, 0).UTC()}, nil
}

// answers makes answers that are later than those that the organizer, if here, has.
func (w *work) answers(uid, organizer, me string) (itip.Sender, error) {
	latest := w.now.Unix()
	if a, here, err := w.holder(organizer); err == nil && here {
		h, err := w.findWithGroups(a.ID, uid)
		if err != nil {
			return itip.Sender{}, err
		}
		if h.obj != nil {
			latest = max(latest, itip.Answered(h.obj, me)+1)
		}
	}
	return itip.Sender{Now: time.Unix(latest, 0).UTC()}, nil
}

// The codes of RFC 6638 §3.2.9.
const (
	statusSent      = "1.1"
	statusDelivered = "1.2"
	statusUnknown   = "3.7"
	statusFailed    = "5.1"
)

// tell brings a message of an organizer to an attendee.
func (w *work) tell(from storage.CollectionID, uid, me string, out itip.Out) (string, error) {
	a, here, err := w.holder(out.To)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return statusUnknown, nil
	case err != nil:
		return "", err
	case !here:
		return w.mail(me, out)
	case a.Group && a.Resource == "":
		return statusDelivered, nil // its members are attendees themselves
	case w.without[a.ID]:
		return statusFailed, nil
	}
	h, err := w.find(a.ID, uid)
	if err != nil {
		return "", err
	}
	if h.row.Item != 0 && h.calendar == from {
		return "2.0", nil // by another of one's own addresses
	}
	text := out.Text
	if out.Method == itip.Request && h.obj != nil {
		if text = itip.Ask(text, out.To, h.obj); cancelled(h.obj) {
			h.obj = nil // invited anew
		}
	}
	r, err := w.apply(h, text, out.To, me)
	if err != nil {
		return statusFailed, w.refused(out.To, err)
	}
	if r.Action != itip.Stored && r.Action != itip.Cancelled {
		return statusDelivered, nil
	}
	w.item(a.ID, out.Text)
	if a.Resource != "" && out.Method == itip.Request && r.Action == itip.Stored {
		return statusDelivered, w.book(h, out.To, me)
	}
	return statusDelivered, nil
}

// cancelled reports whether all of an object is off.
func cancelled(o *ical.Object) bool {
	for _, c := range o.Parts {
		if !strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return false
		}
	}
	return true
}

// refused logs what a message could not be applied for; it is nobody's fault here.
func (w *work) refused(to string, err error) error {
	for _, e := range []error{errStale, storage.ErrTemporary} {
		if errors.Is(err, e) {
			return err
		}
	}
	w.s.Log.Warn("invitation not applied", "to", to, "error", err)
	return nil
}
