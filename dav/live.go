package dav

import (
	"net/http"
	"strconv"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// live is the engine's registry: the properties every kind has.
var live = new(Kind).Add(
	Property{Name: davxml.DAV("resourcetype"), All: true, Needs: PrivReadOwn, Get: getResourceType},
	Property{Name: davxml.DAV("displayname"), All: true, Needs: PrivReadOwn, Get: getDisplayName, Set: setDisplayName},
	Property{Name: davxml.DAV("getetag"), All: true, Get: getETag},
	Property{Name: davxml.DAV("getcontentlength"), All: true, Get: getContentLength},
	Property{Name: davxml.DAV("getcontenttype"), All: true, Get: getContentType},
	Property{Name: davxml.DAV("getlastmodified"), All: true, Get: getLastModified},
	Property{Name: davxml.DAV("creationdate"), All: true, Get: getCreationDate},
)

func getResourceType(_ *Scope, r Resource, w *davxml.Writer) error {
	k := r.Kind()
	if k.Collection {
		w.Raw("<D:collection/>")
	}
	for _, t := range k.Types {
		w.Empty(t)
	}
	return nil
}

// getDisplayName gives the name the user set, or else the tree's.
func getDisplayName(s *Scope, r Resource, w *davxml.Writer) error {
	if v := s.heldBy(r, false, davxml.DAV("displayname").String()); v != nil {
		e, err := HeldElement(v)
		if err == nil {
			w.Text(e.Text())
		}
		return err
	}
	d := r.Stat().Display
	if d == "" {
		return storage.ErrNotFound
	}
	w.Text(d)
	return nil
}

func setDisplayName(s *Scope, r Resource, v *davxml.Element) error {
	return s.hold(r, false, davxml.DAV("displayname"), v)
}

func getETag(_ *Scope, r Resource, w *davxml.Writer) error {
	tag := r.Stat().ETag
	if tag == "" {
		return storage.ErrNotFound
	}
	w.Raw(`"`)
	w.Text(tag)
	w.Raw(`"`)
	return nil
}

func getContentLength(_ *Scope, r Resource, w *davxml.Writer) error {
	size := r.Stat().Size
	if size < 0 || r.Kind().Collection {
		return storage.ErrNotFound
	}
	var b [20]byte
	w.RawBytes(strconv.AppendInt(b[:0], size, 10))
	return nil
}

func getContentType(_ *Scope, r Resource, w *davxml.Writer) error {
	t := r.Stat().Type
	if t == "" || r.Kind().Collection {
		return storage.ErrNotFound
	}
	w.Text(t)
	return nil
}

func getLastModified(_ *Scope, r Resource, w *davxml.Writer) error {
	t := r.Stat().Modified
	if t.IsZero() {
		return storage.ErrNotFound
	}
	var b [40]byte
	w.RawBytes(t.UTC().AppendFormat(b[:0], http.TimeFormat))
	return nil
}

func getCreationDate(_ *Scope, r Resource, w *davxml.Writer) error {
	t := r.Stat().Created
	if t.IsZero() {
		return storage.ErrNotFound
	}
	var b [40]byte
	w.RawBytes(t.UTC().AppendFormat(b[:0], time.RFC3339))
	return nil
}
