package home

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// A Target is what a report is asked of, in one transaction.
type Target interface {
	// Member finds a member by its name; storage.ErrNotFound when it is not there.
	Member(name string) (dav.Resource, error)
	// Holds reports whether a resource that was found elsewhere is in it, or is it.
	Holds(r dav.Resource) bool
}

// Multiget answers the reports for the objects of some hrefs (RFC 4791 §7.9, RFC
// 6352 §8.7), in the order asked for, each with its href as it was sent; 404 for
// what is not in the target. The XML's limits bound how many there are. look is
// called in every transaction.
func Multiget(x *dav.Exchange, body *davxml.Element, want *dav.Want, look func(s *dav.Scope) (Target, error)) error {
	var hrefs []string
	for _, c := range body.Children() {
		if c.Name == davxml.DAV("href") {
			hrefs = append(hrefs, strings.TrimSpace(c.Text()))
		}
	}
	m, prefix := x.Multistatus(want), x.Href(true)
	var err error
	for len(hrefs) > 0 && err == nil {
		err = x.View(func(s *dav.Scope) error {
			in, err := look(s)
			for len(hrefs) > 0 && !m.Full() && err == nil {
				err = get(x, s, m, in, prefix, hrefs[0])
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

// get writes one response.
func get(x *dav.Exchange, s *dav.Scope, m *dav.Multistatus, in Target, prefix, href string) error {
	r, err := find(x, s, in, prefix, href)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		m.Status(href, dav.Status(http.StatusNotFound))
	case err != nil:
		return err
	case !r.Allowed(s).Has(dav.PrivRead):
		m.Status(href, dav.Status(http.StatusForbidden))
	default:
		m.Resource(s, href, r)
	}
	return nil
}

func find(x *dav.Exchange, s *dav.Scope, in Target, prefix, href string) (dav.Resource, error) {
	if rest, ok := strings.CutPrefix(href, prefix); ok && rest != "" && !strings.ContainsAny(rest, "/?#") {
		if name, err := url.PathUnescape(rest); err == nil {
			return in.Member(name)
		}
	}
	// Said in another way: an absolute URL, or escaped otherwise.
	r, err := x.Find(s, href)
	if err == nil && !in.Holds(r) {
		err = storage.ErrNotFound
	}
	return r, err
}
