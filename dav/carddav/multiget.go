package carddav

import (
	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/storage"
)

// multiget answers CARDDAV:addressbook-multiget (RFC 6352 §8.7).
func multiget(x *dav.Exchange, body *davxml.Element) error {
	want, err := parseWant(body)
	if err != nil {
		return err
	}
	return home.Multiget(x, body, want, func(s *dav.Scope) (home.Target, error) {
		r, err := readable(x, s)
		return &target{s, r}, err
	})
}

// A target finds what is in a book or the directory, or the card that it is asked
// of.
type target struct {
	s  *dav.Scope
	in dav.Resource
}

func (t *target) Member(name string) (dav.Resource, error) {
	switch in := t.in.(type) {
	case *book:
		return in.Member(t.s, name)
	case *directory:
		return in.Member(t.s, name)
	}
	return nil, storage.ErrNotFound
}

func (t *target) Holds(r dav.Resource) bool {
	switch in := t.in.(type) {
	case *book:
		c, ok := r.(*card)
		return ok && c.in.ID == in.ID
	case *directory:
		_, ok := r.(*person)
		return ok
	case *card:
		c, ok := r.(*card)
		return ok && c.Object() == in.Object()
	case *person:
		p, ok := r.(*person)
		return ok && p.ID == in.ID
	}
	return false
}
