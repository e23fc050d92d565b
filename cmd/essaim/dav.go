package main

import (
	"net/http"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/caldav"
	"essaim.coop/essaim/dav/carddav"
	"essaim.coop/essaim/dav/webfs"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// davRoot is where clients find their way from (RFC 6764 §5).
const davRoot = "/dav/"

// davScopes are what an app password must be good for below a path. Outside of
// these, where clients look for their way, any of them will do.
var davScopes = []struct {
	prefix string
	scope  accounts.Scope
}{
	{webfs.Prefix, accounts.ScopeFiles},
	{webfs.TrashPrefix, accounts.ScopeFiles},
	{webfs.VersionsPrefix, accounts.ScopeFiles},
	{caldav.Prefix, accounts.ScopeCalendar},
	{carddav.Prefix, accounts.ScopeContacts},
}

// mountDAV puts the one engine, with all trees, behind /dav/ and returns it.
func (a *App) mountDAV(mux *web.Mux) http.Handler {
	engine := dav.New(dav.Options{DB: a.db, Directory: a.auth.Directory(), User: davUser, Sees: davSees, Log: a.log, Hosts: []string{a.cfg.Hostname}})
	webfs.Mount(engine)
	caldav.Mount(engine)
	carddav.Mount(engine)
	door := &web.Guard{
		By:   []web.Authenticator{&web.Basic{Realm: "essaim", Passwords: a.auth.For(accounts.ScopeDAV), Gate: a.gate}},
		May:  func(r *http.Request, l sasl.Login) bool { return goodFor(l, r.URL.Path) },
		Next: webfs.Mounting(engine, a.db, a.auth.Directory(), davUser), Log: a.log,
	}
	mux.Handle(davRoot, door)
	mux.Handle("/.well-known/caldav", http.HandlerFunc(dav.WellKnown))
	mux.Handle("/.well-known/carddav", http.HandlerFunc(dav.WellKnown))
	return door
}

// walksDown reports whether a request asks for the way from the root down, as
// Windows does before it mounts a folder.
func walksDown(r *http.Request) bool {
	return r.URL.Path == "/" && (r.Method == http.MethodOptions || r.Method == "PROPFIND")
}

func davUser(r *http.Request) storage.AccountID {
	l, _ := web.User(r.Context())
	return storage.AccountID(l.Account)
}

// davSees keeps what a password is not good for out of answers about something
// else, such as an expand-property of a principal.
func davSees(r *http.Request, prefix string) bool {
	l, _ := web.User(r.Context())
	return goodFor(l, prefix)
}

func goodFor(l sasl.Login, path string) bool { return accounts.Scope(l.Scope)&davScope(path) != 0 }

func davScope(path string) accounts.Scope {
	for _, t := range davScopes {
		if strings.HasPrefix(path+"/", t.prefix) {
			return t.scope
		}
	}
	return accounts.ScopeDAV
}
