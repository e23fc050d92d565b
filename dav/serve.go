package dav

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"essaim.coop/essaim/dav/davxml"
)

// methods is what the engine answers, each in a file of its own.
var methods = map[string]func(*Exchange) error{
	"OPTIONS": options, "GET": get, "HEAD": get, "PUT": put, "POST": post, "DELETE": del,
	"MKCOL": mkcol, "MKCALENDAR": mkcol, "COPY": carry, "MOVE": carry,
	"PROPFIND": propfind, "PROPPATCH": proppatch, "LOCK": lock, "UNLOCK": unlock,
	"REPORT": report, "ACL": acl, "SEARCH": search,
}

// challenge is for who comes without a Guard before the engine (RFC 7617 §2.1).
const challenge = `Basic realm="essaim", charset="UTF-8"`

// ServeHTTP answers one request.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{Request: r, Answer: w, User: e.User(r), Now: e.Now(), engine: e}
	if x.User == 0 {
		w.Header().Set("WWW-Authenticate", challenge)
		x.fail(Status(http.StatusUnauthorized))
		return
	}
	x.identities = e.Directory.Identities(x.User)
	x.self, _ = e.Directory.ByID(x.User)
	defer func() {
		if x.reserved > 0 {
			e.bodies.give(x.User, x.reserved)
		}
	}()
	if err := x.serve(); err != nil && !errors.Is(err, errAnswered) {
		x.fail(err)
	}
}

func (x *Exchange) serve() error {
	method := methods[x.Request.Method]
	if method == nil {
		return Status(http.StatusNotImplemented)
	}
	if x.Request.RequestURI == "*" {
		return options(x)
	}
	target, _, _ := strings.Cut(x.Request.RequestURI, "?")
	var err error
	if x.at, err = parseRef(target, x.engine.ours(x.Request)); err != nil {
		return err
	}
	return method(x)
}

// depths of the Depth header.
const infinity = -1

// depth reads the Depth header (RFC 4918 §10.2); what it does not allow is 400.
func (x *Exchange) depth(missing int, allowed ...int) (int, error) {
	d := missing
	switch v := strings.ToLower(strings.TrimSpace(x.Request.Header.Get("Depth"))); v {
	case "":
	case "0":
		d = 0
	case "1", noRoot1:
		d = 1
	case "infinity", noRootInfinity:
		d = infinity
	default:
		return 0, Status(http.StatusBadRequest)
	}
	for _, a := range allowed {
		if a == d {
			return d, nil
		}
	}
	return 0, Status(http.StatusBadRequest)
}

// prefers reports whether the client prefers something: a token of Prefer (RFC
// 7240), or how it was said before there was that (RFC 8144 appendix A).
func (x *Exchange) prefers(token string) bool {
	for _, line := range x.Request.Header.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			p, _, _ = strings.Cut(p, ";")
			if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(p), `"`, ""), token) {
				return true
			}
		}
	}
	switch token {
	case preferMinimal:
		return strings.EqualFold(x.Request.Header.Get("Brief"), "t")
	case preferNoRoot:
		d := x.Request.Header.Get("Depth")
		return strings.EqualFold(d, noRoot1) || strings.EqualFold(d, noRootInfinity)
	}
	return false
}

const (
	preferMinimal = "return=minimal"
	preferNoRoot  = "depth-noroot"

	noRoot1, noRootInfinity = "1,noroot", "infinity,noroot" // values of Depth
)

// applied tells the client that its preference was followed.
func (x *Exchange) applied(token string) {
	x.Answer.Header().Add("Preference-Applied", token)
	x.Answer.Header().Add("Vary", "Brief, Prefer")
}

// body reads the XML of a request, nil when there is none. A body that is no
// XML is 400; one too large is 413.
func (x *Exchange) body() (*davxml.Element, error) {
	if err := x.reserveParsed(); err != nil {
		return nil, err
	}
	e, err := davxml.Parse(x.Request.Body, davxml.Limits{Bytes: xmlMost})
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, io.EOF):
		return nil, nil
	case errors.Is(err, davxml.ErrLimit):
		return nil, &StatusError{Status: http.StatusRequestEntityTooLarge, Err: err}
	}
	return nil, &StatusError{Status: http.StatusBadRequest, Err: err}
}

// document is body for a method that needs one of a certain root.
func (x *Exchange) document(root davxml.Name) (*davxml.Element, error) {
	e, err := x.body()
	if err == nil && (e == nil || e.Name != root) {
		err = Status(http.StatusBadRequest)
	}
	return e, err
}

// lockPath is the canonical path that locks of a resource are on; of one that is
// not there, it is made from its parent's.
func lockPath(l location, r Resource, parent Collection) string {
	if c, ok := r.(Canonical); ok {
		return c.CanonicalPath()
	}
	if c, ok := parent.(Canonical); ok && r == nil {
		return string(appendSegment(append([]byte(c.CanonicalPath()), '/'), l.segments[len(l.segments)-1]))
	}
	return Path(l.segments...)
}

// target is the place a method changes: a resource, or the name for one.
type target struct {
	location
	parent Collection
	name   string
	r      Resource // nil: nothing there yet
	path   string   // canonical
}

// place finds what a method is to change, in the transaction that changes it.
// The root of a tree is no place: it cannot be made, replaced or removed.
func (s *Scope) place(l location) (t target, err error) {
	t.location = l
	if t.parent, t.name, err = s.parent(l); err != nil {
		return t, err
	}
	r, err := s.resolve(l.segments)
	switch {
	case err == nil:
		t.r = r
	case statusOf(err) == nil || statusOf(err).Status != http.StatusNotFound:
		return t, err
	}
	t.path = lockPath(l, t.r, t.parent)
	return t, nil
}

// parentHref is the path of the collection a location is in.
func (l location) parentHref() string { return l.raw[:strings.LastIndexByte(l.raw, '/')+1] }
