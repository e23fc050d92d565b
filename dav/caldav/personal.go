package caldav

import (
	"errors"
	"fmt"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/ical/overlay"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// What a member has of their own in the objects of others: alarms, what programs
// note about these, and whether an event takes up their time. The object keeps its
// owner's; of a calendar of a group nobody is the owner, so each member has their
// own there, too. Apple's and Google's servers do the same: who is given a calendar
// is not woken by its owner's alarms.

// newObject is an object as the user is shown it.
func newObject(s *dav.Scope, in *home.Collection, o calendar.Object) *object {
	x := &object{in: in, row: o}
	if in.Account != s.User && !x.message() {
		x.foreign, x.own = true, calendar.PersonalOf(s.Tx, in.ID, o.Item, s.User)
	}
	return x
}

// altered reports whether the user is shown other bytes than those stored.
func (o *object) altered() bool { return o.foreign && (o.Personal || o.own.Text != "") }

// Annotates is dav.Annotated: what is the user's own takes the right to keep a
// state of one's own, or that to change the object.
func (o *object) Annotates(s *dav.Scope) bool {
	const keep = storage.RightRead | storage.RightSeen
	return o.foreign && accounts.Rights(s.Tx, s.Identities, o.in.ID.Object()).Has(keep)
}

// Weight is dav.Weighty.
func (o *object) Weight() int64 { return o.Size + int64(len(o.own.Text)) }

// setApart divides what somebody puts into a calendar that is not theirs into what
// is for everybody, with what is the owner's, and what is their own.
func (p *plan) setApart(up *dav.Upload) error {
	raw, err := up.Body.Bytes()
	if err != nil {
		return err
	}
	sent := p.in.Object()
	was, old, err := p.stored(up.DB())
	if err != nil {
		return err
	}
	var theirs overlay.Overlay
	if old != nil {
		theirs = overlay.Of(old)
	}
	mine := overlay.Differing(sent, old)
	p.apart, p.own = true, mine.String()
	if len(p.own) > calendar.MaxPersonal {
		return fmt.Errorf("%w: %d bytes of alarms, at most %d", ical.ErrLimit, len(p.own), calendar.MaxPersonal)
	}
	text := was
	if p.only = old != nil && overlay.Same(sent, old); !p.only {
		if text, err = overlay.With(sent, theirs); err != nil {
			return err
		}
		if string(text) != string(raw) {
			if err := p.replace(up, text); err != nil {
				return err
			}
		}
	}
	shown, err := overlay.View(text, p.own)
	up.Altered = string(shown) != string(raw)
	return err
}

// stored is what is there, as bytes and parsed; nil when nothing is.
func (p *plan) stored(db *storage.DB) ([]byte, *ical.Object, error) {
	if p.old.Item == 0 {
		return nil, nil, nil
	}
	raw, err := p.old.Read(db)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, dav.ErrStale
	}
	if err != nil {
		return nil, nil, err
	}
	o, err := itip.ParseObject(raw)
	return raw, o, err
}

// keep writes what is the user's own in an object, and returns the object as they
// are shown it now.
func (p *plan) keep(s *dav.Scope, c *cal, k calendar.Calendar, o calendar.Object, up *dav.Upload) (dav.Resource, error) {
	if tag := o.ScheduleTag(); tag != "" {
		up.Answer.Set("Schedule-Tag", `"`+tag+`"`)
	}
	if p.apart {
		if err := calendar.SetPersonal(s.Tx, k, o, s.User, p.own, s.Now); err != nil {
			return nil, err
		}
	}
	return newObject(s, c.Collection, o), nil
}

// A bared is an object without what is its owner's, to be carried elsewhere.
type bared struct {
	of row
	in *calendar.Incoming
}

// Prepare is dav.Preparer: what is the owner's alone does not go into the calendar
// of another account.
func (c *cal) Prepare(x *dav.Exchange, g dav.Carriage, _ bool) (any, func(), error) {
	none := func() {}
	o, ok := g.Source.(*object)
	if !ok || !o.Personal || o.in.Account == c.Account {
		return nil, none, nil
	}
	text, err := calendar.ReadFor(x.DB(), &o.row, calendar.Personal{})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, none, dav.ErrStale
	}
	if err != nil {
		return nil, none, err
	}
	w := x.DB().Stage()
	if _, err := w.Write(text); err != nil {
		w.Abort()
		return nil, none, err
	}
	body, err := w.Finish()
	if err != nil {
		return nil, none, err
	}
	in, err := calendar.Prepare(body)
	if err != nil {
		body.Discard()
		return nil, none, err
	}
	return &bared{o.row, in}, body.Discard, nil
}

// bare is what was prepared of an object as it still is.
func bare(g dav.Carriage, o *object, to calendar.Calendar) (*calendar.Incoming, error) {
	if !o.Personal || o.in.Account == to.Account {
		return nil, nil
	}
	b, ok := g.Prepared.(*bared)
	if !ok || b.of.Item != o.Item || b.of.Sum != o.Sum {
		return nil, dav.ErrStale
	}
	return b.in, nil
}
