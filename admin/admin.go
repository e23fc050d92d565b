// Package admin is the administrators' web: pages, and the JSON API behind them.
//
// What it promises: an administrator runs the cooperative from here (people,
// households and their payments, invitations, domains, addresses, groups and
// what they share, the queue, the backup) and can answer "what happened to that message?" and "is the machine
// well?". An administrator never sees what members write, keep or plan: what is
// shown of mail is what an envelope says. Everything that changes something is
// in the audit log, in the same transaction.
//
// Every operation is one method of Desk, from a value to a value. Pages and the
// API (api.go, described by /api/openapi.json) call the same ones, under the
// same rights.
package admin

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/audit"
)

// A Desk is where an administrator works. Set the fields, then call Room. Safe
// for concurrent use.
type Desk struct {
	DB       *storage.DB
	Logger   *slog.Logger
	Origin   string                         // of invitations' links
	Wake     func()                         // tells the queue that an entry is due
	Traces   func() []*trace.Trace          // newest first
	Health   func(context.Context) []Health // what the machine says of itself
	Site     func(domain string) zone.Site  // what a domain must publish
	Resolver func() (zone.Resolver, error)
	Done     func(domain string) []Health               // what the house has done for a domain by itself
	Outbound func(context.Context, zone.Resolver) error // whether mail can leave by port 25
	Backups  Backups
	Now      func() time.Time

	set *page.Set
}

//go:embed pages
var pages embed.FS

// Room returns the pages and the API for a router.
func (d *Desk) Room() (page.Room, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	folder, err := fs.Sub(pages, "pages")
	if err != nil {
		return page.Room{}, err
	}
	if d.set, err = page.New(folder, allWords); err != nil {
		return page.Room{}, err
	}
	return page.Room{Set: d.set, Nav: nav, Routes: append(d.pageRoutes(), d.apiRoutes()...)}, nil
}

func nav(page.Identity) []page.Link {
	return []page.Link{{Path: "/admin", Word: "overview.title"}, {Path: "/admin/people", Word: "people.title"}, {Path: "/admin/households", Word: "households.title"},
		{Path: "/admin/invitations", Word: "invitations.title"}, {Path: "/admin/groups", Word: "groups.title"}, {Path: "/admin/shared", Word: "shared.nav"}, {Path: "/admin/domains", Word: "domains.title"}, {Path: "/admin/start", Word: "start.title"},
		{Path: "/admin/queue", Word: "queue.title"}, {Path: "/admin/traces", Word: "traces.nav"}, {Path: "/admin/backup", Word: "backup.title"}, {Path: "/admin/log", Word: "log.title"},
		{Path: "/admin/coop", Word: "coop.title"}, {Path: "/", Word: "nav.mine"}}
}

func actor(x *page.Request) people.Actor {
	return people.Actor{Account: storage.AccountID(x.Who.Account), Client: web.Client(x.R).String()}
}

// note writes an entry of the audit log for what this room does itself.
func (d *Desk) note(tx *storage.Tx, by people.Actor, did string, about storage.AccountID, detail string) error {
	return audit.Append(tx, audit.Entry{At: d.Now(), By: by.Account, Client: by.Client, Did: did, About: about, Detail: detail})
}

// change runs what changes something; the operation notes it itself.
func (d *Desk) change(fn func(tx *storage.Tx, now time.Time) error) error {
	now := d.Now()
	return d.DB.Update(func(tx *storage.Tx) error { return fn(tx, now) })
}

// problem says an operation's error in the reader's words.
func problem(err error) error {
	if p := (page.Problem{}); errors.As(err, &p) {
		return err
	}
	for _, c := range []struct {
		is   error
		word string
	}{
		{storage.ErrNotFound, "wrong.notfound"}, {storage.ErrConflict, "admin.conflict"}, {storage.ErrInvalid, "admin.invalid"},
		{storage.ErrFull, "admin.full"}, {storage.ErrQuota, "admin.quota"}, {storage.ErrTemporary, "admin.later"},
	} {
		if errors.Is(err, c.is) {
			return page.Problem{Word: c.word, Args: nil, Err: err}
		}
	}
	return err
}
