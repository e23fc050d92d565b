package itip

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// What mail may do to a calendar:
//
//   - From an address of ours it counts only when that member has logged in to send
//     it. Then it may do what its writer may.
//   - From elsewhere an invitation becomes an event that waits for an answer. What
//     would change or cancel an event that is there already does so only when the
//     sender's domain has vouched for the message; otherwise it is an item in the
//     inbox.
//   - ORGANIZER has to be who the message is from, or served by it.
//   - An answer changes nothing but the PARTSTAT of who it is from, of a UID that is
//     known. To put somebody else on the list, as a delegate, its domain has to vouch
//     for it.
//   - A room is booked by members only.
//
// Forwarded messages, being inside of others, do nothing.

var (
	errForged  = errors.New("not from who it says")
	errOutside = errors.New("not for this account")
)

// arrived does what a message says, as far as who has sent it may say so.
func (w *work) arrived(a *arrival, m *itip.Message, text []byte, from string) error {
	trusted, err := w.sentBy(a, from)
	if err == nil {
		w.sender, err = w.account(a.Account) // of what is sent back
	}
	if err != nil {
		return err
	}
	switch m.Method {
	case itip.Reply, itip.Counter, itip.Refresh:
		return w.answered(a, m, text, from, trusted)
	}
	if m.Organizer() != from && !w.same(m.Organizer(), from) && !serves(from, m.Organizer()) {
		return fmt.Errorf("%w: ORGANIZER is %.100q", errForged, m.Organizer())
	}
	return w.invited(a, m, text, from, trusted)
}

// sentBy reports whether it is known for sure that a message is from an address.
func (w *work) sentBy(a *arrival, from string) (bool, error) {
	_, here, err := w.holder(from)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: From", errForged)
	case !here:
		return a.Verified, nil
	case a.Login == 0:
		return false, fmt.Errorf("%w: an address of ours, and nobody has logged in", errForged)
	}
	may := false
	err = w.s.DB.View(func(tx *storage.Tx) error {
		may = accounts.MaySendAs(tx, a.Login, from)
		return nil
	})
	if err == nil && !may {
		err = errForged
	}
	return err == nil, err
}

// services are those that write in the name of their users, from one domain about
// addresses in another; "" is any that sends.
var services = []struct{ from, of string }{
	{"email.apple.com", "imip.me.com"}, {"email.apple.com", "icloud.com"}, {"email.apple.com", "me.com"}, {"email.apple.com", "mac.com"},
	{"", "group.calendar.google.com"}, // calendars that are nobody's mailbox
}

// serves reports whether mail from an address may be about another one.
func serves(from, of string) bool {
	domain := func(a string) string { return a[strings.LastIndexByte(a, '@')+1:] }
	for _, s := range services {
		if (s.from == "" || s.from == domain(from)) && s.of == domain(of) {
			return true
		}
	}
	return false
}

// same reports whether two addresses are of one account here.
func (w *work) same(a, b string) bool {
	x, here, err := w.holder(a)
	if err != nil || !here {
		return false
	}
	y, here, err := w.holder(b)
	return err == nil && here && x.ID == y.ID
}

// invited applies what an organizer has sent.
func (w *work) invited(a *arrival, m *itip.Message, text []byte, from string, trusted bool) error {
	me := ""
	for _, c := range m.Parts {
		for _, p := range c.All("ATTENDEE") {
			if x, here, err := w.holder(itip.Address(p.Value)); me == "" && err == nil && here && x.ID == a.Account {
				me = itip.Address(p.Value)
			}
		}
	}
	h, err := w.find(a.Account, m.UID)
	if err != nil {
		return err
	}
	_, member, _ := w.holder(from)
	account := w.sender
	switch {
	case me == "" && m.Method != itip.Cancel:
		return errOutside
	case account.Resource != "" && !member:
		return fmt.Errorf("%w: only members book", errOutside)
	case m.Method == itip.DeclineCounter, h.obj != nil && !trusted:
		w.item(a.Account, text)
		return nil
	}
	r, err := w.apply(h, text, me, from)
	if err == nil && r.Action == itip.Unknown && trusted {
		return w.refresh(m, me, from, member)
	}
	if err != nil || r.Action != itip.Stored && r.Action != itip.Cancelled {
		return err
	}
	w.item(a.Account, text)
	switch {
	case r.Action != itip.Stored:
		return nil
	case account.Resource != "":
		return w.book(h, me, from)
	case !member && h.row.Item == 0: // nobody else answers for a member
		return h.set(itip.Answer(h.obj, me, "NEEDS-ACTION", ""), calendar.Client)
	}
	return nil
}

// refresh asks an organizer elsewhere for what an instance was added to (RFC 5546
// §3.2.6); one who is here has sent it.
func (w *work) refresh(m *itip.Message, me, organizer string, member bool) error {
	if member {
		return nil
	}
	out := itip.Out{To: organizer, Method: itip.Refresh, Text: itip.Sender{Now: w.now}.Refresh(m, me)}
	_, err := w.mail(me, out)
	return err
}

func (w *work) account(id storage.AccountID) (a accounts.Account, err error) {
	err = w.s.DB.View(func(tx *storage.Tx) error {
		a, err = accounts.Get(tx, id)
		return err
	})
	return a, err
}

// answered applies what an attendee has sent.
func (w *work) answered(a *arrival, m *itip.Message, text []byte, from string, trusted bool) error {
	all := m.Parts[0].All("ATTENDEE")
	if who := itip.Address(all[0].Value); len(all) == 1 && who != from && !w.same(who, from) && !(a.Verified && serves(from, who)) {
		return fmt.Errorf("%w: the answer of %.100q", errForged, who)
	}
	h, err := w.findWithGroups(a.Account, m.UID)
	if err != nil {
		return err
	}
	if h.obj == nil {
		return fmt.Errorf("%w: an unknown UID", errOutside)
	}
	organizer := itip.Address(h.obj.Parts[0].Value("ORGANIZER"))
	if x, here, err := w.holder(organizer); err != nil || !here || x.ID != h.account && x.ID != a.Account {
		return fmt.Errorf("%w: somebody else organizes it", errOutside)
	}
	if m.Delegates() && !trusted {
		w.item(a.Account, text)
		return nil
	}
	r, err := w.answer(h, text, organizer, from)
	if err != nil {
		return err
	}
	switch r.Action {
	case itip.Uninvited:
		if m.Method != itip.Refresh { // what is said, not what is asked for
			w.item(a.Account, text)
		}
	case itip.Proposed:
		w.item(a.Account, text)
	case itip.Stored:
		w.item(a.Account, text)
		return w.show(h, r.Attendee, false) // who has answered by mail knows it in the calendar, too
	case itip.Asked:
		return w.again(h, organizer, r.Attendee)
	}
	return nil
}

// again sends an attendee who has asked for it the invitation once more.
func (w *work) again(h *handle, organizer, to string) error {
	send := itip.Sender{Now: time.Unix(max(w.now.Unix(), itip.Stamped(h.obj)+1), 0).UTC()}
	out := itip.Out{To: to, Method: itip.Request, Text: send.Request(h.obj, to)}
	if out.Text == nil {
		return errOutside
	}
	_, err := w.tell(h.calendar, h.obj.UID, organizer, out)
	return err
}
