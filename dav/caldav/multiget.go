package caldav

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// multiget answers CALDAV:calendar-multiget (RFC 4791 §7.9): the objects of the
// hrefs in the order asked for, each with its href as it was sent. The XML's
// limits bound how many there are.
func multiget(x *dav.Exchange, body *davxml.Element) error {
	floating, err := targetZone(x)
	if err != nil {
		return err
	}
	want, err := parseWant(body, floating)
	if err != nil {
		return err
	}
	var hrefs []string
	for _, c := range body.Children() {
		if c.Name == davxml.DAV("href") {
			hrefs = append(hrefs, strings.TrimSpace(c.Text()))
		}
	}
	m, prefix := x.Multistatus(want), x.Href(true)
	for len(hrefs) > 0 && err == nil {
		err = x.View(func(s *dav.Scope) error {
			target, err := x.Target(s)
			for len(hrefs) > 0 && !m.Full() && err == nil {
				err = get(x, s, m, target, prefix, hrefs[0])
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

// get writes one response: 404 for what is not an object in the target, whose
// members' hrefs begin with prefix.
func get(x *dav.Exchange, s *dav.Scope, m *dav.Multistatus, target dav.Resource, prefix, href string) error {
	r, err := find(x, s, target, prefix, href)
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

func find(x *dav.Exchange, s *dav.Scope, target dav.Resource, prefix, href string) (dav.Resource, error) {
	k, isCalendar := collection(target)
	if rest, ok := strings.CutPrefix(href, prefix); ok && isCalendar && !strings.ContainsAny(rest, "/?#") {
		if name, err := url.PathUnescape(rest); err == nil {
			return k.Member(s, name)
		}
	}
	// Said in another way: an absolute URL, or escaped otherwise.
	r, err := x.Find(s, href)
	if err != nil {
		return nil, err
	}
	o, ok := r.(*object)
	if self, is := target.(*object); !ok || isCalendar && o.in.ID != k.ID || is && o.Object() != self.Object() {
		return nil, storage.ErrNotFound
	}
	return o, nil
}
