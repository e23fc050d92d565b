package dav

import (
	"strconv"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// live is the engine's registry: the properties every kind has.
var live = new(Kind)

// init, because the reports among the values look properties up in live.
func init() {
	live.Add(
		Property{Name: davxml.DAV("resourcetype"), All: true, Needs: PrivReadOwn, Get: getResourceType},
		Property{Name: davxml.DAV("displayname"), All: true, Needs: PrivReadOwn, Get: getDisplayName, Set: setDisplayName},
		Property{Name: davxml.DAV("getetag"), All: true, Get: getETag},
		Property{Name: davxml.DAV("getcontentlength"), All: true, Get: getContentLength},
		Property{Name: davxml.DAV("getcontenttype"), All: true, Get: getContentType},
		Property{Name: davxml.DAV("getcontentlanguage"), All: true},
		Property{Name: davxml.DAV("getlastmodified"), All: true, Get: getLastModified},
		Property{Name: davxml.DAV("creationdate"), All: true, Get: getCreationDate},
		Property{Name: davxml.DAV("lockdiscovery"), All: true, Get: getLockDiscovery},
		Property{Name: davxml.DAV("supportedlock"), All: true, Get: getSupportedLock},
		// RFC 3744 §5: none of these in allprop.
		Property{Name: davxml.DAV("owner"), Needs: PrivReadOwn, Get: getOwner},
		Property{Name: davxml.DAV("supported-privilege-set"), Needs: PrivReadOwn, Get: getSupportedPrivileges},
		Property{Name: davxml.DAV("current-user-privilege-set"), Needs: PrivReadOwn, Get: getOwnPrivileges},
		Property{Name: davxml.DAV("acl"), Needs: PrivReadACL, Get: getACL},
		Property{Name: davxml.DAV("acl-restrictions"), Needs: PrivReadOwn, Get: getACLRestrictions},
		Property{Name: davxml.DAV("principal-collection-set"), Needs: PrivReadOwn, Get: getPrincipalCollections},
		// RFC 5397, RFC 3253 §3.1.5, RFC 6578 §4, RFC 4331.
		Property{Name: davxml.DAV("current-user-principal"), Needs: PrivReadOwn, Get: getCurrentUser},
		Property{Name: davxml.DAV("supported-report-set"), Needs: PrivReadOwn, Get: getSupportedReports},
		Property{Name: davxml.DAV("sync-token"), Get: getSyncToken},
		Property{Name: davxml.CalendarServer("getctag"), Get: getSyncToken},
		Property{Name: davxml.DAV("quota-used-bytes"), Get: getQuotaUsed},
		Property{Name: davxml.DAV("quota-available-bytes"), Get: getQuotaAvailable},
	)
}

func getOwner(s *Scope, r Resource, w *davxml.Writer) error { return s.writePrincipal(w, r.Owner()) }

func getCurrentUser(s *Scope, _ Resource, w *davxml.Writer) error { return s.writePrincipal(w, s.User) }

func getPrincipalCollections(_ *Scope, _ Resource, w *davxml.Writer) error {
	w.Href(principalPrefix)
	return nil
}

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

var displayName = davxml.DAV("displayname").String()

// getDisplayName gives the name the user set, or else the tree's.
func getDisplayName(s *Scope, r Resource, w *davxml.Writer) error {
	if v := s.heldBy(r, false, displayName); v != nil {
		e, err := HeldElement(v)
		if err == nil {
			w.Text(e.Text())
		}
		return err
	}
	d := s.statOf(r).Display
	if d == "" {
		return storage.ErrNotFound
	}
	w.Text(d)
	return nil
}

func setDisplayName(s *Scope, r Resource, v *davxml.Element) error {
	return s.hold(r, false, davxml.DAV("displayname"), v)
}

// statOf is the Stat of the resource whose properties are being written.
func (s *Scope) statOf(r Resource) *Stat {
	if !s.stated {
		s.stat, s.stated = r.Stat(), true
	}
	return &s.stat
}

func getETag(s *Scope, r Resource, w *davxml.Writer) error {
	tag := s.statOf(r).ETag
	if tag == "" {
		return storage.ErrNotFound
	}
	w.Raw(`"`)
	w.Text(tag)
	w.Raw(`"`)
	return nil
}

func getContentLength(s *Scope, r Resource, w *davxml.Writer) error {
	size := s.statOf(r).Size
	if size < 0 || r.Kind().Collection {
		return storage.ErrNotFound
	}
	var b [20]byte
	w.RawBytes(strconv.AppendInt(b[:0], size, 10))
	return nil
}

func getContentType(s *Scope, r Resource, w *davxml.Writer) error {
	t := s.statOf(r).Type
	if t == "" || r.Kind().Collection {
		return storage.ErrNotFound
	}
	w.Text(t)
	return nil
}

func getLastModified(s *Scope, r Resource, w *davxml.Writer) error {
	t := s.statOf(r).Modified
	if t.IsZero() {
		return storage.ErrNotFound
	}
	var b [40]byte
	w.RawBytes(appendDate(b[:0], t))
	return nil
}

// appendDate appends a date in http.TimeFormat, which a long listing has many
// of.
func appendDate(b []byte, t time.Time) []byte {
	two := func(n int) { b = append(b, byte('0'+n/10), byte('0'+n%10)) }
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(b, t.Weekday().String()[:3]...)
	b = append(b, ", "...)
	two(day)
	b = append(b, ' ')
	b = append(b, month.String()[:3]...)
	b = append(b, ' ')
	two(year / 100 % 100)
	two(year % 100)
	b = append(b, ' ')
	two(hour)
	b = append(b, ':')
	two(minute)
	b = append(b, ':')
	two(second)
	return append(b, " GMT"...)
}

func getCreationDate(s *Scope, r Resource, w *davxml.Writer) error {
	t := s.statOf(r).Created
	if t.IsZero() {
		return storage.ErrNotFound
	}
	var b [40]byte
	w.RawBytes(t.UTC().AppendFormat(b[:0], time.RFC3339))
	return nil
}
