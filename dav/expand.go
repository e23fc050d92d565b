package dav

import (
	"bytes"
	"errors"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// expandReport answers DAV:expand-property (RFC 3253 §3.8): the properties of a
// resource, with those of the resources they refer to.
var expandReport = &Report{Name: davxml.DAV("expand-property"), Needs: PrivReadOwn, Run: expandProperty}

const (
	expandDeep = 4   // references after one another
	expandMost = 500 // resources in one answer
)

func expandProperty(x *Exchange, body *davxml.Element) error {
	if _, err := x.depth(0, 0); err != nil {
		return err
	}
	m := x.Multistatus(&Want{})
	e := &expansion{left: expandMost}
	err := x.View(func(s *Scope) error {
		r, err := x.Target(s)
		if err == nil {
			err = e.response(s, &m.w, x.at.href(r.Kind().Collection), r, body, 0)
		}
		return err
	})
	return m.Finish(err)
}

// An expansion counts the resources that it may still write.
type expansion struct{ left int }

// response writes a response with the properties that the DAV:property elements
// in ask name.
func (e *expansion) response(s *Scope, w *davxml.Writer, href string, r Resource, ask *davxml.Element, deep int) error {
	if e.left--; e.left < 0 || deep > expandDeep {
		return Forbidden(davxml.DAV("number-of-matches-within-limits"))
	}
	w.Raw("<D:response>")
	w.Href(href)
	w.Raw("<D:propstat><D:prop>")
	var missing []*planned
	for _, p := range ask.Children() {
		if p.Name != davxml.DAV("property") || p.Attr("name") == "" {
			continue
		}
		name := davxml.Name{Space: p.Attr("namespace"), Local: p.Attr("name")}
		if name.Space == "" {
			name.Space = davxml.NS
		}
		if !validLocal(name.Local) {
			return Status(http.StatusBadRequest)
		}
		value, err := s.valueOf(r, name)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			pl := newPlanned(name, nil, w)
			missing = append(missing, &pl)
		case err != nil:
			return err
		case len(p.Children()) == 0:
			w.Element(value)
		default:
			if err := e.expand(s, w, value, p, deep); err != nil {
				return err
			}
		}
	}
	w.Raw("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
	writeNames(w, missing, http.StatusNotFound)
	w.Raw("</D:response>")
	return nil
}

// validLocal reports whether a local name from an attribute can be written.
func validLocal(s string) bool {
	e, err := davxml.Parse(bytes.NewReader([]byte("<"+s+"/>")), davxml.Limits{})
	return err == nil && e.Name.Local == s && len(e.Attrs) == 0
}

// expand writes a property with a response in place of each reference in it.
func (e *expansion) expand(s *Scope, w *davxml.Writer, value, ask *davxml.Element, deep int) error {
	w.Open(value.Name)
	for _, n := range value.Children() {
		if n.Name != davxml.DAV("href") {
			w.Element(n)
			continue
		}
		ref := n.Text()
		r, err := s.x.Find(s, ref)
		if err == nil && !r.Allowed(s).Has(PrivReadOwn) {
			err = storage.ErrNotFound
		}
		switch {
		case errors.Is(err, storage.ErrNotFound):
			w.Raw("<D:response>")
			w.Href(ref)
			writeStatus(w, http.StatusNotFound)
			w.Raw("</D:response>")
		case err != nil:
			return err
		default:
			if err := e.response(s, w, ref, r, ask, deep+1); err != nil {
				return err
			}
		}
	}
	w.Close(value.Name)
	return nil
}

// valueOf returns a property as an element, storage.ErrNotFound when there is
// none, or none to be read.
func (s *Scope) valueOf(r Resource, n davxml.Name) (*davxml.Element, error) {
	prop := r.Kind().property(n)
	needs := PrivRead
	if prop != nil && prop.Needs != 0 {
		needs = prop.Needs
	}
	if !r.Allowed(s).Has(needs) {
		return nil, storage.ErrNotFound
	}
	if prop == nil || prop.held() {
		v := s.heldBy(r, prop != nil && prop.Personal, n.String())
		if v == nil {
			return nil, storage.ErrNotFound
		}
		return HeldElement(v)
	}
	if prop.Get == nil {
		return nil, storage.ErrNotFound // a body: no reference to anything
	}
	var w davxml.Writer
	w.Declare(davxml.NS)
	s.stated = false
	if err := prop.Get(s, r, &w); err != nil {
		return nil, err
	}
	inner := append([]byte(`<D:x xmlns:D="DAV:">`), w.Bytes()...)
	e, err := davxml.Parse(bytes.NewReader(append(inner, "</D:x>"...)), davxml.Limits{})
	if err == nil {
		e.Name = n
	}
	return e, err
}
