// Package davtest is what the WebDAV engine and its trees are tested with: a
// house with a real store and a few people in it, transcripts of what a client
// says and is answered, and a toy tree that does all an engine can ask for.
//
// What it promises: the store is checked as a whole when the test ends, and
// nothing of it is left behind.
package davtest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/locks"
)

// A House is a store with three members, anna, ben and cleo @coop.example, and
// the group garden@coop.example that anna and ben are in. Ben's quota is small.
type House struct {
	TB        testing.TB
	DB        *storage.DB
	Engine    *dav.Engine
	Directory *accounts.Directory
	Accounts  map[string]storage.AccountID // by the part before the @
	Address   string                       // of the listening server
	Now       time.Time                    // what the engine takes for now
	Hooks     []storage.CheckHook          // of the rooms whose trees are mounted
}

// BenQuota is what ben's household may use, in bytes.
const BenQuota = 20_000

// New opens a house. Whom a request is from is the User field of its
// header, or the name of its Basic credentials.
func New(tb testing.TB) *House {
	tb.Helper()
	db, err := storage.Open(tb.TempDir(), storage.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	h := &House{TB: tb, DB: db, Accounts: map[string]storage.AccountID{}, Hooks: []storage.CheckHook{accounts.Check, locks.Check}, Now: time.Date(2027, 3, 14, 15, 9, 26, 0, time.UTC)}
	h.Update(h.people)
	h.Directory = accounts.NewDirectory(db)
	h.Engine = dav.New(dav.Options{
		DB: db, Directory: h.Directory, Now: func() time.Time { return h.Now },
		User: func(r *http.Request) storage.AccountID {
			if name, _, ok := r.BasicAuth(); ok {
				return h.Accounts[name]
			}
			return h.Accounts[r.Header.Get("User")]
		},
	})
	server := httptest.NewServer(h.Engine)
	h.Address = server.Listener.Addr().String()
	tb.Cleanup(func() {
		server.Close()
		r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: h.Hooks})
		if err != nil || !r.Clean() {
			tb.Errorf("check: %v %q", err, r.Problems)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

func (h *House) people(tx *storage.Tx) error {
	if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
		return err
	}
	for _, n := range []accounts.NewAccount{
		{Address: "anna@coop.example", Name: "Anna Aster"}, {Address: "ben@coop.example", Name: "Ben Birch", Quota: BenQuota},
		{Address: "cleo@coop.example", Name: "Cleo Clover"}, {Address: "garden@coop.example", Name: "The garden", Group: true},
	} {
		a, err := accounts.Create(tx, n, h.Now)
		if err != nil {
			return err
		}
		h.Accounts[n.Address[:len(n.Address)-len("@coop.example")]] = a.ID
	}
	for _, m := range []string{"anna@coop.example", "ben@coop.example"} {
		if err := accounts.AddMember(tx, h.Accounts["garden"], m); err != nil {
			return err
		}
	}
	return nil
}

// Update runs fn in a transaction that must succeed.
func (h *House) Update(fn func(*storage.Tx) error) {
	h.TB.Helper()
	if err := h.DB.Update(fn); err != nil {
		h.TB.Fatal(err)
	}
}

// View runs fn in a transaction that must succeed.
func (h *House) View(fn func(*storage.Tx) error) {
	h.TB.Helper()
	if err := h.DB.View(fn); err != nil {
		h.TB.Fatal(err)
	}
}

// Dial connects to the server; the connection ends with the test.
func (h *House) Dial() net.Conn {
	h.TB.Helper()
	c, err := net.Dial("tcp", h.Address)
	if err != nil {
		h.TB.Fatal(err)
	}
	h.TB.Cleanup(func() { c.Close() })
	return c
}
