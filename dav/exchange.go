package dav

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// An Exchange is one request and its answer.
type Exchange struct {
	Request *http.Request
	Answer  http.ResponseWriter
	User    storage.AccountID
	Now     time.Time

	engine     *Engine
	at         location
	identities []storage.AccountID
	self       accounts.Account
	people     map[storage.AccountID]string // hrefs of principals that were looked up
	reserved   int64                        // of the budget
}

// DB is the store.
func (x *Exchange) DB() *storage.DB { return x.engine.DB }

// View runs fn on the newest durable state. Nothing may be written to the
// network in it.
func (x *Exchange) View(fn func(*Scope) error) error {
	return x.engine.DB.View(func(tx *storage.Tx) error { return fn(x.scope(tx)) })
}

// Update runs fn alone; it returns when what fn did is durable, and then has set
// the header fields in Scope.Answer.
func (x *Exchange) Update(fn func(*Scope) error) error {
	var s *Scope
	err := x.engine.DB.Update(func(tx *storage.Tx) error {
		s = x.scope(tx)
		s.Answer = http.Header{}
		return fn(s)
	})
	if err == nil {
		maps.Copy(x.Answer.Header(), s.Answer)
	}
	return err
}

func (x *Exchange) scope(tx *storage.Tx) *Scope {
	return &Scope{Tx: tx, User: x.User, Identities: x.identities, Now: x.Now, Header: x.Request.Header, x: x}
}

// Target finds the resource of the request.
func (x *Exchange) Target(s *Scope) (Resource, error) { return s.find(x.at) }

// Path returns the decoded segments of the request's path below the tree.
func (x *Exchange) Path() []string {
	_, rest := x.engine.mountOf(x.at.segments)
	return rest
}

// Href returns the path of the request as it was sent, with a slash at the end
// for a collection: what its multistatus answers begin with.
func (x *Exchange) Href(collection bool) string { return x.at.href(collection) }

func (l location) href(collection bool) string {
	if collection && l.raw != "/" {
		return l.raw + "/"
	}
	return l.raw
}

// Find finds the resource a DAV:href of a request names: a path or an absolute
// URL of this server. A reference that is none is storage.ErrNotFound.
func (x *Exchange) Find(s *Scope, ref string) (Resource, error) {
	l, err := parseRef(strings.TrimSpace(ref), x.engine.ours(x.Request))
	if err != nil {
		return nil, storage.ErrNotFound
	}
	return s.find(l)
}

// Find is Exchange.Find within a transaction.
func (s *Scope) Find(ref string) (Resource, error) { return s.x.Find(s, ref) }

// find resolves a location. A resource that is no collection is not found
// under a path that ends in a slash.
func (s *Scope) find(l location) (Resource, error) {
	r, err := s.resolve(l.segments)
	if err == nil && l.slash && !r.Kind().Collection {
		return nil, storage.ErrNotFound
	}
	return r, err
}

func (s *Scope) resolve(segments []string) (Resource, error) {
	if m, rest := s.x.engine.mountOf(segments); m != nil {
		if !s.x.sees(m) {
			return nil, storage.ErrNotFound
		}
		return m.tree.Resolve(s, rest)
	}
	if v := s.x.engine.above(segments); v != nil {
		return v, nil
	}
	return nil, storage.ErrNotFound
}

// Lookup finds an account by one of its addresses. The user's own, which is what
// nearly every path begins with, is not read again for each request.
func (s *Scope) Lookup(address string) (accounts.Account, error) {
	if self := s.x.self; self.ID == s.User && address == self.Address {
		return self, nil
	}
	return accounts.Lookup(s.Tx, address)
}

func (x *Exchange) sees(m *mount) bool {
	return x.engine.Sees == nil || x.engine.Sees(x.Request, "/"+strings.Join(m.prefix, "/")+"/")
}

// Sees reports whether the credentials of the request are good for the tree that
// is mounted at prefix, so that no property leads to where they are not.
func (s *Scope) Sees(prefix string) bool {
	return s.x.engine.Sees == nil || s.x.engine.Sees(s.x.Request, prefix)
}

// parent resolves the collection a location is in, which may itself not be
// there. A parent that is missing or no collection is a 409 (RFC 4918 §9.3.1,
// 9.7.1, 9.8.5).
func (s *Scope) parent(l location) (Collection, string, error) {
	n := len(l.segments)
	if m, rest := s.x.engine.mountOf(l.segments); n == 0 || m == nil || len(rest) == 0 {
		return nil, "", Status(http.StatusForbidden)
	}
	r, err := s.resolve(l.segments[:n-1])
	if errors.Is(err, storage.ErrNotFound) {
		return nil, "", Status(http.StatusConflict)
	}
	if err != nil {
		return nil, "", err
	}
	c, ok := r.(Collection)
	if !ok {
		return nil, "", Status(http.StatusConflict)
	}
	return c, l.segments[n-1], nil
}

// require is nil when the user may do all of p with r, at the path href.
func (s *Scope) require(r Resource, href string, p Privileges) error {
	if missing := p &^ r.Allowed(s); missing != 0 {
		return needs(href, missing)
	}
	return nil
}

// Require is nil when the user may do all of p with r, the resource of the
// request; otherwise the 403 that names what is missing.
func (s *Scope) Require(r Resource, p Privileges) error { return s.require(r, s.x.at.raw, p) }
