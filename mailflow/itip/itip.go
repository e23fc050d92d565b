// Package itip brings invitations to where they belong: between members' calendars,
// out to others by mail, and from mail into calendars (docs/design.md, "An
// invitation").
//
// What it promises: what a member does to an object with an organizer is told to
// everybody it concerns exactly once as far as this server is concerned: the
// copies, the inbox items, the mail in the queue and the end of the change are one
// transaction. Changes of one calendar's owner are worked off in their order. Who
// can not be reached, or has no room, is noted on the object and costs nobody else
// anything. Of mail, only what came from somebody who may say so changes a
// calendar: see arrive.go. It sleeps until something is there.
//
// A change or a message is worked off in a work: it reads the objects concerned,
// says what each becomes, and commits all of it if they still are as they were
// read; else it begins anew.
//
// Key schema:
//
//	'k' arrival(8)   a message with a calendar part that was delivered (arrive.go)
//
// Alarms by e-mail go to who has set them, by deadline (alarm.go).
//
// RFCs: 6638 §3 and §4 (implicit scheduling), 5546 (iTIP), 6047 (iMIP), 5545 §3.6.6
// (ACTION:EMAIL, to the calendar's owner only).
package itip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
)

// A Service works off what waits. Its fields are set before use.
type Service struct {
	DB       *storage.DB
	Hostname string
	Log      *slog.Logger
	// Post puts a message on its way in a transaction; Wake is called after it.
	Post func(tx *storage.Tx, from, to string, in *mailbox.Incoming, now time.Time) error
	Wake func()
	Now  func() time.Time // nil is the clock
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// again is when what failed for a reason that may pass is tried once more.
const again = time.Minute

// Run works until ctx ends. It sleeps while nothing waits.
func (s *Service) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	defer s.DB.Watch(calendar.Changes, storage.Nudge(wake))()
	for {
		left, err := s.Pass(ctx)
		var next time.Time
		if err == nil {
			next, err = s.Ring(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if t := s.now().Add(again); left && (next.IsZero() || t.Before(next)) {
			next = t
		}
		if !s.sleep(ctx, wake, next) {
			return nil
		}
	}
}

// sleep waits for a nudge, or for next when that is not zero; false is the end.
func (s *Service) sleep(ctx context.Context, wake <-chan struct{}, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(next.Sub(s.now()))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-due:
	}
	return true
}

// Pass works off what waits now; left reports whether something of it has to be
// tried again. Members' changes go before what has come by mail.
func (s *Service) Pass(ctx context.Context) (left bool, err error) {
	blocked := map[storage.AccountID]bool{}
	var change, arrived uint64
	for ctx.Err() == nil {
		more, err := s.nextChange(&change, blocked)
		if err == nil && !more {
			more, err = s.nextArrival(&arrived, blocked)
		}
		if err != nil || !more {
			return len(blocked) > 0, err
		}
	}
	return false, nil
}

// nextChange works off the change after one; false when there is none.
func (s *Service) nextChange(after *uint64, blocked map[storage.AccountID]bool) (more bool, err error) {
	var ch calendar.Change
	var bad error
	err = s.DB.View(func(tx *storage.Tx) error {
		ch, more, bad = calendar.NextChange(tx, *after)
		return nil
	})
	if err != nil || !more {
		return false, err
	}
	*after = ch.ID
	if blocked[ch.Owner] {
		return true, nil
	}
	if bad == nil {
		bad = s.change(ch)
	}
	stays, err := s.settle("change", ch.ID, bad, ch.Done)
	if stays {
		blocked[ch.Owner] = true
	}
	return true, err
}

// settle notes what became of a row: one that cannot be worked off is taken out,
// so that it is in nobody's way; one whose time may come stays.
func (s *Service) settle(what string, id uint64, failed error, done func(*storage.Tx) error) (stays bool, err error) {
	if failed == nil {
		return false, nil
	}
	for _, passing := range []error{storage.ErrTemporary, storage.ErrFull, storage.ErrReadOnly} {
		if errors.Is(failed, passing) {
			s.Log.Warn("scheduling", what, id, "error", failed)
			return true, nil
		}
	}
	s.Log.Error("scheduling given up", what, id, "error", failed)
	err = s.DB.Update(done)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return false, err
}

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

// work runs fn and commits what it comes to together with done; from the start when
// something was changed meanwhile, and without those who have no room for it.
func (s *Service) work(done func(*storage.Tx) error, fn func(*work) error) (err error) {
	// What a stranger has written must not stop the house, again and again: a row
	// that cannot be worked off is given up.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	without := map[storage.AccountID]bool{}
	for range mostAgain {
		w := newWork(s, without)
		err := fn(w)
		if err == nil {
			err = w.commit(done)
		}
		var of *accountError
		switch {
		case errors.Is(err, errStale):
		case errors.As(err, &of) && !without[of.account]:
			s.Log.Warn("scheduling", "account", of.account, "error", of.err)
			without[of.account] = true
		default:
			return err
		}
	}
	return fmt.Errorf("changed again and again: %w", storage.ErrTemporary)
}

const mostAgain = 50

// change does what a change of an object means for others (RFC 6638 §3.2).
func (w *work) change(ch *calendar.Change, old, new *ical.Object) error {
	me, organizes, served := "", false, false
	err := w.s.DB.View(func(tx *storage.Tx) (err error) {
		own := func(address string) bool {
			a, err := accounts.Holder(tx, address)
			return err == nil && (a.ID == ch.Owner || a.ID == ch.By)
		}
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

// attended tells an organizer what an attendee has answered.
func (w *work) attended(ch *calendar.Change, old, new *ical.Object, me string) error {
	uid := uidOf(old, new)
	organizer := ""
	for _, o := range []*ical.Object{new, old} {
		if o != nil {
			organizer = itip.Address(o.Parts[0].Value("ORGANIZER"))
		}
	}
	send, err := w.answers(uid, organizer, me)
	if err != nil {
		return err
	}
	var out *itip.Out
	switch {
	case old == nil:
		out = firstAnswer(send, new, me)
	case new == nil && (ch.Silent || cancelled(old)):
	default:
		out = send.Attended(old, new, me)
	}
	if out == nil || out.To == "" {
		return nil
	}
	out.Text = itip.Numbered(out.Text)
	code, err := w.reply(me, *out, uid)
	if err != nil || new == nil {
		return err
	}
	return w.note(ch, uid, map[string]string{out.To: code})
}

// firstAnswer is that of an attendee who has stored an invitation from elsewhere.
func firstAnswer(send itip.Sender, o *ical.Object, me string) *itip.Out {
	for _, c := range o.Parts {
		for _, p := range c.All("ATTENDEE") {
			if stat := p.Param("PARTSTAT"); itip.Address(p.Value) == me && stat != "" && stat != "NEEDS-ACTION" {
				if text := send.Reply(o, me); text != nil {
					return &itip.Out{To: itip.Address(c.Value("ORGANIZER")), Method: itip.Reply, Text: text}
				}
			}
		}
	}
	return nil
}

// reply brings an answer to the organizer, and what it changes to the other
// attendees who are here.
func (w *work) reply(me string, out itip.Out, uid string) (string, error) {
	a, here, err := w.holder(out.To)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return statusUnknown, nil
	case err != nil:
		return "", err
	case !here:
		return w.mail(me, out)
	case w.without[a.ID]:
		return statusFailed, nil
	}
	h, err := w.findWithGroups(a.ID, uid)
	if err != nil {
		return "", err
	}
	if h.obj == nil {
		return statusFailed, nil
	}
	r, err := w.answer(h, out.Text, out.To, me)
	if err != nil {
		return statusFailed, w.refused(out.To, err)
	}
	if r.Action == itip.Stored || r.Action == itip.Uninvited {
		w.item(a.ID, out.Text)
	}
	return statusDelivered, nil
}

// answer applies an answer to the organizer's object.
func (w *work) answer(h *handle, text []byte, organizer, from string) (itip.Result, error) {
	m, err := itip.Read(text)
	if err != nil {
		return itip.Result{}, err
	}
	r, err := itip.Apply(h.obj, m, organizer, from)
	if err != nil || r.Action != itip.Stored {
		return r, err
	}
	if err := h.set(r.Text, calendar.Server); err != nil {
		return r, err
	}
	return r, w.mirror(h, organizer, r.Attendee)
}

// mostMirrored is of how many attendees the others learn each one's answer at once;
// in larger rounds they learn it with the organizer's next change.
const mostMirrored = 100

// mirror brings the answers that the organizer has into the copies of the other
// attendees. It is nothing new for them: no item, and no other schedule tag.
func (w *work) mirror(h *handle, organizer, except string) error {
	all := itip.Attendees(h.obj)
	if len(all) > mostMirrored {
		return nil
	}
	for _, to := range all {
		a, here, err := w.holder(to)
		if err != nil || !here || to == organizer || to == except || w.without[a.ID] {
			continue
		}
		copied, err := w.find(a.ID, h.obj.UID)
		if err != nil {
			return err
		}
		if copied.obj == nil || copied == h {
			continue
		}
		send := itip.Sender{Now: time.Unix(max(w.now.Unix(), itip.Stamped(copied.obj)+1), 0).UTC()}
		if err := w.applyAs(copied, itip.Ask(send.Request(h.obj, to), to, copied.obj), to, calendar.Server); err != nil {
			if err := w.refused(to, err); err != nil {
				return err
			}
		}
	}
	return nil
}
