package dav

import (
	"errors"
	"net/http"
	"strings"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// propfind answers PROPFIND (RFC 4918 §9.1), everything below a collection
// included where its kind allows it.
func propfind(x *Exchange) error {
	depth, err := x.depth(infinity, 0, 1, infinity)
	if err != nil {
		return err
	}
	body, err := x.body()
	if err != nil {
		return err
	}
	if body != nil && body.Name != davxml.DAV("propfind") {
		return Status(http.StatusBadRequest)
	}
	want, err := ParseWant(body)
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	m := x.Multistatus(want)
	collection := false
	err = x.View(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		collection = r.Kind().Collection
		return x.propfindRoot(s, m, r, c, depth)
	})
	if err == nil && collection && depth != 0 {
		err = x.walk(m, depth == infinity)
	}
	return m.Finish(err)
}

// propfindRoot looks at what can refuse the request and writes the response for
// its own resource.
func (x *Exchange) propfindRoot(s *Scope, m *Multistatus, r Resource, c *conditions, depth int) error {
	if err := s.require(r, x.at.raw, PrivReadOwn); err != nil {
		return storage.ErrNotFound
	}
	if len(c.lists) > 0 && !c.ifHolds(s, r, lockPath(x.at, r, nil)) {
		return Status(http.StatusPreconditionFailed)
	}
	k := r.Kind()
	if depth == infinity && k.Collection && !k.Infinite {
		return Forbidden(davxml.DAV("propfind-finite-depth"))
	}
	if k.Collection && !x.at.slash {
		x.Answer.Header().Set("Content-Location", x.at.href(true)) // RFC 4918 §5.2
	}
	if depth != 0 && k.Collection && x.prefers(preferNoRoot) { // RFC 8144 §2.2
		x.applied(preferNoRoot)
		return nil
	}
	m.Resource(s, x.at.href(k.Collection), r)
	return nil
}

// A level is a collection on the way down, and the member it has come to.
type level struct {
	segments []string
	href     string
	after    string
}

// walk writes the members of the request's collection, and all below them when
// infinite. It goes on from page to page by path and name, so a collection that
// is gone by then ends there.
func (x *Exchange) walk(m *Multistatus, infinite bool) error {
	stack := []level{{segments: x.at.segments, href: x.at.href(true)}}
	for len(stack) > 0 {
		err := x.View(func(s *Scope) (err error) {
			for len(stack) > 0 && !m.Full() && err == nil {
				stack, err = s.step(m, stack, infinite)
			}
			return err
		})
		if err == nil {
			err = m.Flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step writes members of the collection on top of the stack until it has to go
// down, the page is full or there are no more.
func (s *Scope) step(m *Multistatus, stack []level, infinite bool) ([]level, error) {
	top := &stack[len(stack)-1]
	r, err := s.resolve(top.segments)
	c, ok := r.(Collection)
	// Who may not read a collection is not told its members' names (RFC 3744 §3.1).
	if errors.Is(err, storage.ErrNotFound) || err == nil && (!ok || !c.Allowed(s).Has(PrivRead)) {
		return stack[:len(stack)-1], nil
	}
	if err != nil {
		return nil, err
	}
	var down *level
	full := false
	b := []byte(top.href)
	err = c.Members(s, top.after, func(name string, r Resource) bool {
		isCollection := r.Kind().Collection
		b = appendSegment(b[:len(top.href)], name)
		if isCollection {
			b = append(b, '/')
		}
		m.resource(s, b, r)
		if isCollection && infinite && len(top.segments) < maxSegments {
			down = &level{segments: append(top.segments[:len(top.segments):len(top.segments)], strings.Clone(name)), href: string(b)}
		}
		full = m.Full()
		if full || down != nil {
			top.after = strings.Clone(name)
		}
		return !full && down == nil
	})
	switch {
	case err != nil:
		return nil, err
	case down != nil:
		return append(stack, *down), nil
	case full:
		return stack, nil
	}
	return stack[:len(stack)-1], nil
}
