package dav

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

const (
	syncPage = 256     // members looked at in one transaction
	syncMost = 100_000 // members in one answer, whatever the client would take
)

// syncReport answers DAV:sync-collection (RFC 6578 §3.2). When nothing has
// changed it looks at the collection's header only.
var syncReport = &Report{Name: davxml.DAV("sync-collection"), Run: syncCollection}

// A syncRequest is what the client asks for, and how far the answer has come.
type syncRequest struct {
	token    string
	infinite bool
	limit    int
	want     *Want

	next storage.SyncToken
	more bool
	base []byte
}

func syncCollection(x *Exchange, body *davxml.Element) error {
	q, err := x.parseSync(body)
	if err != nil {
		return err
	}
	m := x.Multistatus(q.want)
	err = x.View(func(s *Scope) error {
		c, err := q.start(s)
		if err != nil {
			return err
		}
		return q.page(s, c, m)
	})
	for err == nil && q.more && m.count < q.limit {
		if err = m.Flush(); err != nil {
			break
		}
		err = x.View(func(s *Scope) error {
			c, err := q.target(s)
			if err != nil {
				return err
			}
			return q.page(s, c, m)
		})
	}
	if err == nil && q.more { // RFC 6578 §3.6
		m.Status(x.at.href(true), &StatusError{Status: http.StatusInsufficientStorage, Condition: davxml.DAV("number-of-matches-within-limits")})
	}
	m.Trailer(func(w *davxml.Writer) { w.Leaf(davxml.DAV("sync-token"), q.next.String()) })
	return m.Finish(err)
}

// parseSync reads the request (RFC 6578 §6.1). Early clients said Depth: 1 for
// DAV:sync-level 1.
func (x *Exchange) parseSync(body *davxml.Element) (*syncRequest, error) {
	q := &syncRequest{limit: syncMost, token: strings.TrimSpace(body.Child(davxml.DAV("sync-token")).Text()), base: []byte(x.at.href(true))}
	level := strings.TrimSpace(body.Child(davxml.DAV("sync-level")).Text())
	if level == "" {
		level = x.Request.Header.Get("Depth")
	}
	switch level {
	case "", "0", "1":
	case "infinite", "infinity":
		q.infinite = true
	default:
		return nil, Status(http.StatusBadRequest)
	}
	if l := body.Child(davxml.DAV("limit")); l != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(l.Child(davxml.DAV("nresults")).Text()), 10, 31)
		if err != nil || n == 0 {
			return nil, Status(http.StatusBadRequest)
		}
		q.limit = min(int(n), syncMost)
	}
	var err error
	q.want, err = ParseWant(body)
	return q, err
}

// start finds where to begin.
func (q *syncRequest) start(s *Scope) (Syncer, error) {
	c, err := q.target(s)
	if err != nil {
		return nil, err
	}
	if err := s.require(c, s.x.at.raw, PrivRead); err != nil {
		return nil, err
	}
	q.next = storage.SyncToken{Collection: c.SyncCollection()}
	if q.token != "" {
		q.next, err = s.Tx.ParseSyncToken(q.next.Collection, q.token)
	}
	return c, s.x.badToken(err)
}

// badToken is the answer to a token that leads nowhere. Thunderbird's address
// books begin again after a 400 only, and after anything else never sync again.
func (x *Exchange) badToken(err error) error {
	if !errors.Is(err, storage.ErrInvalid) && !errors.Is(err, storage.ErrFloor) {
		return err
	}
	e := Forbidden(davxml.DAV("valid-sync-token"))
	if strings.Contains(x.Request.UserAgent(), " Thunderbird/") {
		e.Status = http.StatusBadRequest
	}
	return e
}

func (q *syncRequest) target(s *Scope) (Syncer, error) {
	r, err := s.x.Target(s)
	if err != nil {
		return nil, err
	}
	c, ok := r.(Syncer)
	if !ok || c.SyncCollection() == 0 {
		return nil, Forbidden(davxml.DAV("supported-report"))
	}
	return c, nil
}

// page writes what one look at the log gives.
func (q *syncRequest) page(s *Scope, c Syncer, m *Multistatus) (err error) {
	href, base := q.base, len(q.base)
	q.next, q.more, err = c.Sync(s, q.next, min(syncPage, q.limit-m.count), q.infinite, func(path []string, r Resource) {
		href = href[:base]
		for i, name := range path {
			if i > 0 {
				href = append(href, '/')
			}
			href = appendSegment(href, name)
		}
		if r == nil {
			m.removed(href)
			return
		}
		if r.Kind().Collection {
			href = append(href, '/')
		}
		m.resource(s, href, r)
	})
	return s.x.badToken(err)
}

// removed writes the response for a member that is gone.
func (m *Multistatus) removed(href []byte) {
	m.count++
	m.w.Raw("<D:response><D:href>")
	m.w.TextBytes(href)
	m.w.Raw("</D:href>")
	writeStatus(&m.w, http.StatusNotFound)
	m.w.Raw("</D:response>")
}

// getSyncToken gives the token of now: what a client that has listed the members
// goes on with.
func getSyncToken(s *Scope, r Resource, w *davxml.Writer) error {
	token := syncToken(s, r)
	if token == "" {
		return storage.ErrNotFound
	}
	w.Text(token)
	return nil
}

// syncToken is the token of now, "" of what has none. It is a state token as well,
// that an If header can name (RFC 6578 §5).
func syncToken(s *Scope, r Resource) string {
	c, ok := r.(Syncer)
	if !ok || c.SyncCollection() == 0 {
		return ""
	}
	header, err := s.Tx.Collection(c.SyncCollection())
	if err != nil {
		return ""
	}
	return s.Tx.SyncToken(header).String()
}
