package dav

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// options answers OPTIONS (RFC 9110 §9.3.7, RFC 4918 §9.1): what is true of the
// path. Of one where nothing is, what would make something there.
func options(x *Exchange) error {
	allow, features, searchable := []string{"OPTIONS"}, []string{"1", "3"}, false
	if x.Request.RequestURI != "*" {
		err := x.View(func(s *Scope) error {
			r, err := s.find(x.at)
			var parent Collection
			if p, _, perr := s.parent(x.at); perr == nil {
				parent = p
			}
			if errors.Is(err, storage.ErrNotFound) && parent != nil {
				allow, features = allowNew(parent), featuresOf(parent)
				return nil
			}
			if err == nil {
				allow, features = allowed(r, parent), featuresOf(r)
				_, searchable = r.(Searcher)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	h := x.Answer.Header()
	h.Set("Allow", strings.Join(allow, ", "))
	h.Set("DAV", strings.Join(features, ", "))
	h.Set("MS-Author-Via", "DAV") // what old Windows clients look for
	if searchable {
		h.Set("DASL", "<DAV:basicsearch>") // RFC 5323 §3
	}
	h.Set("Content-Length", "0")
	x.Answer.WriteHeader(http.StatusOK)
	return nil
}

// featuresOf returns the tokens of the DAV header (RFC 4918 §10.1).
func featuresOf(r Resource) []string {
	k := r.Kind()
	out := []string{"1"}
	if k.Lockable {
		out = append(out, "2")
	}
	out = append(out, "3", "access-control")
	if _, ok := r.(Maker); ok {
		out = append(out, "extended-mkcol")
	}
	return append(out, k.Features...)
}

// allowed returns the methods that mean something for a resource.
func allowed(r Resource, parent Collection) []string {
	k := r.Kind()
	out := []string{"OPTIONS", "PROPFIND", "REPORT"}
	add := func(ok bool, methods ...string) {
		if ok {
			out = append(out, methods...)
		}
	}
	_, reader := r.(Reader)
	add(reader, "GET", "HEAD")
	if !k.Collection {
		_, writer := parent.(Writer)
		add(writer, "PUT")
	}
	_, ok := parent.(Deleter)
	add(ok, "DELETE")
	_, ok = parent.(Carrier)
	add(ok, "COPY", "MOVE")
	_, holder := r.(Holder)
	add(holder, "PROPPATCH")
	add(k.Lockable, "LOCK", "UNLOCK")
	_, ok = r.(Sharer)
	add(ok, "ACL")
	_, ok = r.(Searcher)
	add(ok, "SEARCH")
	_, ok = r.(Poster)
	add(ok, "POST")
	return out
}

// allowNew returns the methods for a name in a collection under which nothing
// is.
func allowNew(parent Collection) []string {
	out := []string{"OPTIONS"}
	if _, ok := parent.(Writer); ok {
		out = append(out, "PUT")
		if parent.Kind().Lockable {
			out = append(out, "LOCK")
		}
	}
	if _, ok := parent.(Maker); ok {
		out = append(out, "MKCOL")
		if parent.Kind().MkCalendar {
			out = append(out, "MKCALENDAR")
		}
	}
	return out
}

// notAllowed is the 405 that says what is (RFC 9110 §15.5.6).
func (x *Exchange) notAllowed(r Resource, parent Collection) error {
	allow := allowed(r, parent)
	if i := slices.Index(allow, x.Request.Method); i >= 0 {
		allow = slices.Delete(allow, i, i+1)
	}
	x.Answer.Header().Set("Allow", strings.Join(allow, ", "))
	return Status(http.StatusMethodNotAllowed)
}

var lockTokenSubmitted = davxml.DAV("lock-token-submitted")
