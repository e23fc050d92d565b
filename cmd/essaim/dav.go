package main

import (
	"net/http"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A davTree is a tree of the DAV engine and what an app password must be good
// for to go there.
type davTree struct {
	prefix string
	tree   dav.Tree
	scope  accounts.Scope
}

// mountDAV puts the one engine behind /dav/.
func (a *App) mountDAV(mux *web.Mux) {
	engine := dav.New(dav.Options{DB: a.db, Directory: a.auth.Directory(), User: davUser, Log: a.log, Hosts: []string{a.cfg.Hostname}})
	var trees []davTree
	for _, t := range trees {
		engine.Mount(t.prefix, t.tree)
	}
	mux.Handle("/dav/", &web.Guard{
		By: []web.Authenticator{&web.Basic{Realm: "essaim", Passwords: a.auth.For(accounts.ScopeDAV), Gate: a.gate}},
		May: func(r *http.Request, l sasl.Login) bool {
			return accounts.Scope(l.Scope)&scopeAt(trees, r.URL.Path) != 0
		},
		Next: engine, Log: a.log,
	})
}

func davUser(r *http.Request) storage.AccountID {
	l, _ := web.User(r.Context())
	return storage.AccountID(l.Account)
}

// scopeAt is what a password must be good for at a path: outside of the
// trees, where clients look for their way, any of them.
func scopeAt(trees []davTree, path string) accounts.Scope {
	for _, t := range trees {
		if strings.HasPrefix(path+"/", t.prefix) {
			return t.scope
		}
	}
	return accounts.ScopeDAV
}
