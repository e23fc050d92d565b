package dav

import (
	"errors"
	"net/http"
	"strings"

	"essaim.coop/essaim/dav/davxml"
)

// mkcol answers MKCOL, plain (RFC 4918 §9.3) and extended (RFC 5689), and
// MKCALENDAR (RFC 4791 §5.3.1). Properties are set in the transaction that makes
// the collection.
func mkcol(x *Exchange) error {
	calendar := x.Request.Method == "MKCALENDAR"
	set, types, err := x.making(calendar)
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	patch := &patch{x: x, initial: true}
	err = x.Update(func(s *Scope) error {
		m, t, err := x.maker(s, c, calendar)
		if err != nil {
			return err
		}
		r, err := m.Make(s, t.name, types)
		var refused *StatusError
		if errors.As(err, &refused) && refused.Condition == davxml.DAV("valid-resourcetype") {
			patch.results = nil
			patch.note(davxml.DAV("resourcetype"), refused)
			return errPatch
		}
		if err != nil {
			return err
		}
		return patch.apply(s, r, set)
	})
	if errors.Is(err, errPatch) {
		root := davxml.DAV("mkcol-response")
		if calendar {
			root = davxml.CalDAV("mkcalendar-response")
		}
		return patch.answer(root)
	}
	if err == nil {
		x.Answer.Header().Set("Cache-Control", "no-cache") // RFC 4791 §5.3.1
		x.made(true)
	}
	return err
}

// making reads the body: the properties to set and the resource types, which
// are one of them.
func (x *Exchange) making(calendar bool) (set update, types []davxml.Name, err error) {
	root := davxml.DAV("mkcol")
	if calendar {
		root, types = davxml.CalDAV("mkcalendar"), []davxml.Name{davxml.CalDAV("calendar")}
	}
	if n := x.Request.ContentLength; n > 0 && !isXML(x.Request.Header.Get("Content-Type")) {
		return nil, nil, Status(http.StatusUnsupportedMediaType)
	}
	body, err := x.body()
	if err != nil || body == nil {
		return nil, types, err
	}
	if body.Name != root {
		return nil, nil, Status(http.StatusUnsupportedMediaType)
	}
	for _, c := range body.Children() {
		if c.Name != davxml.DAV("set") {
			continue
		}
		for _, p := range c.Child(davxml.DAV("prop")).Children() {
			if p.Name != davxml.DAV("resourcetype") {
				set = append(set, instruction{prop: p})
				continue
			}
			types = nil
			for _, t := range p.Children() {
				if t.Name != davxml.DAV("collection") {
					types = append(types, t.Name)
				}
			}
			if p.Child(davxml.DAV("collection")) == nil {
				return nil, nil, Forbidden(davxml.DAV("valid-resourcetype")) // RFC 5689 §3.3
			}
		}
	}
	return set, types, nil
}

// isXML reports whether a media type is XML; that of no Content-Type is taken
// for it.
func isXML(t string) bool {
	t, _, _ = strings.Cut(strings.ToLower(t), ";")
	t = strings.TrimSpace(t)
	return t == "" || t == "text/xml" || t == "application/xml" || strings.HasSuffix(t, "+xml")
}

// maker finds where to make a collection and looks at what can forbid it.
func (x *Exchange) maker(s *Scope, c *conditions, calendar bool) (m Maker, t target, err error) {
	if t, err = s.place(x.at); err != nil {
		if r, rerr := x.Target(s); rerr == nil {
			return nil, t, x.notAllowed(r, nil) // the root of a tree
		}
		return nil, t, err
	}
	m, ok := t.parent.(Maker)
	switch {
	case t.r != nil && calendar:
		return nil, t, Forbidden(davxml.DAV("resource-must-be-null")) // RFC 4791 §5.3.1
	case t.r != nil:
		return nil, t, x.notAllowed(t.r, t.parent) // RFC 4918 §9.3.1
	case calendar && (!ok || !t.parent.Kind().MkCalendar):
		return nil, t, Forbidden(davxml.CalDAV("calendar-collection-location-ok"))
	case !ok:
		return nil, t, Status(http.StatusForbidden)
	}
	if err := s.require(t.parent, x.at.parentHref(), PrivBind); err != nil {
		return nil, t, err
	}
	if err := c.check(s, nil, t.path); err != nil {
		return nil, t, err
	}
	if err := c.free(s, t.path); err != nil {
		return nil, t, err
	}
	return m, t, c.free(s, lockPath(t.up(), t.parent, nil))
}
