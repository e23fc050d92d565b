package caldav

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// maxCopies is how many bytes the copies of one object may have, in all attendees'
// calendars: they are written at once.
const maxCopies = 16 << 20

func membersOf(groups []itip.Group) (n int) {
	for _, g := range groups {
		n += len(g.Members)
	}
	return n
}

// A plan is an object that may be put as long as what was there when it was looked
// at still is.
type plan struct {
	in    *calendar.Incoming
	old   calendar.Object // none: Item is 0
	other string          // the calendar that has the object already, its path
	no    error           // what the old state has against it
	aside bool            // it and the old state concern others: nobody is to be told of it

	apart bool   // it was divided, as the calendar is not the writer's, into in and
	own   string // what is their own,
	only  bool   // which is all that has changed
}

// plan holds an object with an organizer against what is there (RFC 6638 §3.2.4),
// and writes into it what an organizer's program may have left out.
func (c *cal) plan(up *dav.Upload, in *calendar.Incoming) error {
	p := &plan{in: in}
	up.Parsed, up.Altered = p, false
	err := up.DB().View(func(tx *storage.Tx) (err error) {
		p.old, err = calendar.Get(tx, c.ID, up.Name)
		if errors.Is(err, storage.ErrNotFound) {
			p.old, err = calendar.Object{}, nil
		}
		return err
	})
	if err == nil && c.Account != up.User {
		err = refusal(p.setApart(up))
	}
	if err != nil || p.only || !p.in.Scheduling() && !p.old.Scheduling {
		return err
	}
	text, err := c.scheduled(up, p)
	if errors.Is(err, itip.ErrAttendee) || errors.Is(err, itip.ErrOrganizer) {
		p.no = refusal(err) // unless the state is another one: the conditions of the request come first
		return nil
	}
	if err != nil {
		return refusal(err)
	}
	if text == nil {
		return nil
	}
	up.Altered = true
	return refusal(p.replace(up, text))
}

// replace has another text written than the one that came.
func (p *plan) replace(up *dav.Upload, text []byte) error {
	w := up.Stage()
	if _, err := w.Write(text); err != nil {
		w.Abort()
		return err
	}
	body, err := w.Finish()
	if err != nil {
		return err
	}
	up.Finally(func(bool) { body.Discard() })
	up.Body = body
	p.in, err = calendar.Prepare(body)
	return err
}

// scheduled is what is stored in place of what came, nil when that is stored.
func (c *cal) scheduled(up *dav.Upload, p *plan) ([]byte, error) {
	o := p.in.Object()
	_, old, err := p.stored(up.DB())
	if err != nil {
		return nil, err
	}
	var me string
	var organizes bool
	var groups []itip.Group
	err = up.DB().View(func(tx *storage.Tx) (err error) {
		if old == nil && organized(o) {
			p.other = elsewhere(tx, c, o.UID)
		}
		own := accounts.SchedulesAs(tx, c.Account, up.User)
		me, organizes, err = role(own, old, o)
		p.aside = err == nil && me == "" && !concerns(old, own)
		if organizes && itip.Served(o) {
			groups = groupsOf(tx, o)
		}
		return err
	})
	keep := up.Header.Get("If-Schedule-Tag-Match") != ""
	switch {
	case err != nil || me == "" || !itip.Served(o):
		return nil, err
	case organizes:
		text, err := itip.Organize(old, o, groups)
		if err == nil && max(len(text), int(up.Body.Size))*(o.Attendees()+membersOf(groups)) > maxCopies {
			err = calendar.ErrAttendees
		}
		return text, err
	case old != nil:
		return itip.Attend(old, o, me, keep)
	}
	return nil, nil
}

// concerns reports whether somebody with own addresses has a part in an object, as
// far as can be told.
func concerns(o *ical.Object, own func(string) bool) bool {
	if o == nil {
		return false
	}
	me, _, err := itip.Role(o, own)
	return me != "" || err != nil
}

// role is what the writer is in an object: what they were in its old state, if they
// had any part in that.
func role(own func(string) bool, old, o *ical.Object) (me string, organizes bool, err error) {
	if me, organizes, err = itip.Role(o, own); err != nil || old == nil {
		return me, organizes, err
	}
	was, did, err := itip.Role(old, own)
	switch {
	case err != nil:
		return me, organizes, nil // of another server; it is being mended
	case did && organized(o) && (was != me || !organizes): // RFC 6638 §3.2.4.3
		return "", false, itip.ErrOrganizer
	case !did && was != "" && organizes:
		return "", false, fmt.Errorf("%w: ORGANIZER", itip.ErrAttendee)
	case !did && was != "":
		return was, false, nil
	}
	return me, organizes, nil
}

// organized reports whether an object has an organizer.
func organized(o *ical.Object) bool {
	for _, c := range o.Parts {
		if c.Prop("ORGANIZER") != nil {
			return true
		}
	}
	return false
}

// groupsOf are the groups that an object invites, with their members.
func groupsOf(tx *storage.Tx, o *ical.Object) (out []itip.Group) {
	for _, address := range itip.Attendees(o) {
		if a, err := accounts.Holder(tx, address); err == nil && isGroup(a) {
			out = append(out, itip.Group{Address: address, Members: people(tx, a.ID, nil, 0)})
		}
	}
	return out
}

// isGroup reports whether an account is invited as its members; a room is as itself.
func isGroup(a accounts.Account) bool { return a.Group && a.Resource == "" }

const mostNested = 5 // groups in each other, as accounts has them

// people adds who is in a group, itself or by another one.
func people(tx *storage.Tx, group storage.AccountID, all []string, depth int) []string {
	for _, address := range accounts.Members(tx, group) {
		a, err := accounts.Holder(tx, address)
		switch {
		case err == nil && isGroup(a):
			if depth < mostNested {
				all = people(tx, a.ID, all, depth+1)
			}
		case !slices.Contains(all, address):
			all = append(all, address)
		}
	}
	return all
}

// elsewhere is the path of a scheduling object with a UID in another calendar of
// the account, "" when there is none.
func elsewhere(tx *storage.Tx, c *cal, uid string) string {
	k, o, err := calendar.Find(tx, c.Account, uid)
	if err != nil || k.ID == c.ID || !o.Scheduling {
		return ""
	}
	owner, err := accounts.Get(tx, c.Account)
	if err != nil {
		return ""
	}
	return c.Home.Tree.Path(owner.Address, k.Name, o.Name)
}

// notUnique is RFC 6638 §3.2.4.1.
func notUnique(path string) error {
	return dav.Forbidden(davxml.CalDAV("unique-scheduling-object-resource")).WithHref(path)
}

// fresh holds a plan against the state in the transaction that carries it out.
func (p *plan) fresh(s *dav.Scope, c *cal, old dav.Resource) error {
	if p.other != "" {
		return notUnique(p.other)
	}
	var now calendar.Object
	if o, ok := old.(*object); ok {
		now = o.row
	}
	if (p.apart || p.in.Scheduling() || now.Scheduling) && (now.Item != p.old.Item || now.Sum != p.old.Sum) {
		return dav.ErrStale
	}
	return p.no
}

// unique refuses a copy of a scheduling object in the same account.
func (c *cal) unique(src dav.Resource) error {
	o, ok := src.(*object)
	if ok && o.Scheduling && o.in.Account == c.Account && o.in.ID != c.ID && !o.message() {
		return notUnique(o.CanonicalPath())
	}
	return nil
}

// silent reports whether an attendee does not want to answer (RFC 6638 §8.1).
func silent(h http.Header) bool {
	return strings.EqualFold(strings.TrimSpace(h.Get("Schedule-Reply")), "F")
}

// cancelAll notes every scheduling object of a calendar that is being removed.
func cancelAll(s *dav.Scope, k calendar.Calendar) error {
	var all []calendar.Object
	err := calendar.Query(s.Tx, k.ID, calendar.AllTypes, calendar.Ever, calendar.Forever, func(o calendar.Object) bool {
		if o.Scheduling {
			all = append(all, o)
		}
		return true
	})
	for i := range all {
		if err == nil {
			err = calendar.Schedule(s.Tx, k, &all[i], nil, s.User, silent(s.Header), s.Now)
		}
	}
	return err
}
