package carddav

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// multiget answers CARDDAV:addressbook-multiget (RFC 6352 §8.7): the cards of
// the hrefs in the order asked for, each with its href as it was sent. The XML's
// limits bound how many there are.
func multiget(x *dav.Exchange, body *davxml.Element) error {
	want, err := parseWant(body)
	if err != nil {
		return err
	}
	var hrefs []string
	for _, c := range body.Children() {
		if c.Name == davxml.DAV("href") {
			hrefs = append(hrefs, strings.TrimSpace(c.Text()))
		}
	}
	m := x.Multistatus(want)
	for len(hrefs) > 0 && err == nil {
		err = x.View(func(s *dav.Scope) error {
			g, err := newGetter(x, s)
			for len(hrefs) > 0 && !m.Full() && err == nil {
				err = g.get(m, hrefs[0])
				hrefs = hrefs[1:]
			}
			return err
		})
		if err == nil {
			err = m.Flush()
		}
	}
	return m.Finish(err)
}

// A getter finds the members of the request's target.
type getter struct {
	x      *dav.Exchange
	s      *dav.Scope
	target dav.Resource
	prefix string // of the hrefs of its members
}

func newGetter(x *dav.Exchange, s *dav.Scope) (*getter, error) {
	r, err := readable(x, s)
	if err != nil {
		return nil, err
	}
	return &getter{x, s, r, x.Href(r.Kind().Collection)}, nil
}

// get writes one response: 404 for what is not a card below the target.
func (g *getter) get(m *dav.Multistatus, href string) error {
	r, err := g.find(href)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		m.Status(href, dav.Status(http.StatusNotFound))
	case err != nil:
		return err
	default:
		m.Resource(g.s, href, r)
	}
	return nil
}

func (g *getter) find(href string) (dav.Resource, error) {
	if rest, ok := strings.CutPrefix(href, g.prefix); ok && !strings.ContainsAny(rest, "/?#") {
		name, err := url.PathUnescape(rest)
		switch t := g.target.(type) {
		case *book:
			if err == nil {
				return t.Member(g.s, name)
			}
		case *directory:
			if err == nil {
				return t.Member(g.s, name)
			}
		case source:
			if rest == "" {
				return t, nil
			}
		}
	}
	// Said in another way: an absolute URL, or escaped otherwise.
	r, err := g.x.Find(g.s, href)
	if err != nil {
		return nil, err
	}
	if !g.holds(r) {
		return nil, storage.ErrNotFound
	}
	return r, nil
}

// holds reports whether a card is in the target, or is it.
func (g *getter) holds(r dav.Resource) bool {
	switch t := g.target.(type) {
	case *book:
		c, ok := r.(*card)
		return ok && c.in.ID == t.ID
	case *directory:
		_, ok := r.(*person)
		return ok
	case *card:
		c, ok := r.(*card)
		return ok && c.Object() == t.Object()
	case *person:
		p, ok := r.(*person)
		return ok && p.ID == t.ID
	}
	return false
}
