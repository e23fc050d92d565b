package itip

import (
	"errors"
	"slices"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

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
		if out = send.Attended(old, new, me); out == nil && new != nil && itip.Forced(new) {
			out = &itip.Out{To: organizer, Method: itip.Reply, Text: send.Reply(new, me)}
		}
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
	before := itip.Attendees(h.obj)
	r, err := itip.Apply(h.obj, m, organizer, from)
	if err != nil || r.Action != itip.Stored {
		return r, err
	}
	if err := h.set(r.Text, calendar.Server); err != nil {
		return r, err
	}
	if err := w.delegated(h, organizer, before); err != nil {
		return r, err
	}
	return r, w.mirror(h, organizer, func(to string) bool { return to == r.Attendee })
}

// delegated invites the delegates who are here. Those elsewhere have it from who has
// delegated (RFC 5546 §3.2.2.3); here that would be a message that is not from its
// organizer.
func (w *work) delegated(h *handle, organizer string, before []string) error {
	for _, to := range itip.Attendees(h.obj) {
		_, here, err := w.holder(to)
		if slices.Contains(before, to) || !here || err != nil {
			continue
		}
		send, err := w.requests(h.obj.UID, h.obj)
		if err != nil {
			return err
		}
		if _, err := w.tell(h.calendar, h.obj.UID, organizer, itip.Out{To: to, Method: itip.Request, Text: send.Request(h.obj, to)}); err != nil {
			return err
		}
	}
	return nil
}

// mostMirrored is of how many attendees the others learn each one's answer at once;
// in larger rounds they learn it with the organizer's next change.
const mostMirrored = 100

// mirror brings the answers that the organizer has into the copies of the attendees
// but some. It is nothing new for them: no item, and no other schedule tag.
func (w *work) mirror(h *handle, organizer string, except func(to string) bool) error {
	all := itip.Attendees(h.obj)
	if len(all) > mostMirrored {
		return nil
	}
	for _, to := range all {
		if to == organizer || except(to) {
			continue
		}
		if err := w.show(h, to, true); err != nil {
			return err
		}
	}
	return nil
}

// show brings what the organizer has into the copy of an attendee who is here. With
// ask what the attendee has answered there stays: it may still be on its way.
func (w *work) show(h *handle, to string, ask bool) error {
	a, here, err := w.holder(to)
	if err != nil || !here || w.without[a.ID] {
		return nil
	}
	copied, err := w.find(a.ID, h.obj.UID)
	if err != nil || copied.obj == nil || copied == h {
		return err
	}
	send := itip.Sender{Now: time.Unix(max(w.now.Unix(), itip.Stamped(copied.obj)+1), 0).UTC()}
	text := send.Request(h.obj, to)
	if ask {
		text = itip.Ask(text, to, copied.obj)
	}
	if err := w.applyAs(copied, text, to, calendar.Server); err != nil {
		return w.refused(to, err)
	}
	return nil
}
