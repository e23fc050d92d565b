package caldav

import (
	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/storage"
)

// multiget answers CALDAV:calendar-multiget (RFC 4791 §7.9).
func multiget(x *dav.Exchange, body *davxml.Element) error {
	floating, err := targetZone(x)
	if err != nil {
		return err
	}
	want, err := parseWant(body, floating)
	if err != nil {
		return err
	}
	return home.Multiget(x, body, want, func(s *dav.Scope) (home.Target, error) {
		r, err := x.Target(s)
		return &target{s, r}, err
	})
}

// A target finds what is in a calendar, or the object that it is asked of.
type target struct {
	s  *dav.Scope
	in dav.Resource
}

func (t *target) Member(name string) (dav.Resource, error) {
	if k, ok := collection(t.in); ok {
		return k.Member(t.s, name)
	}
	return nil, storage.ErrNotFound
}

func (t *target) Holds(r dav.Resource) bool {
	o, ok := r.(*object)
	if !ok {
		return false
	}
	if k, isCalendar := collection(t.in); isCalendar {
		return o.in.ID == k.ID
	}
	self, ok := t.in.(*object)
	return ok && o.Object() == self.Object()
}
