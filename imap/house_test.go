package imap

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// A house is a real store with one member, zoe@coop.example, and a server on it.
type house struct {
	db   *storage.DB
	srv  *Server
	addr string // plain with STARTTLS
	tls  string // implicit TLS
	zoe  storage.AccountID
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newHouse(t testing.TB, change ...func(*Server)) *house {
	t.Helper()
	return newHouseOn(t, storage.Options{}, change...)
}

func newHouseOn(t testing.TB, opt storage.Options, change ...func(*Server)) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var zoe storage.AccountID
	must(t, db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		a, err := accounts.Create(tx, accounts.NewAccount{Name: "Zoe", Address: "zoe@coop.example"}, now)
		if err != nil {
			return err
		}
		zoe = a.ID
		if _, err := accounts.SetAppPassword(tx, a.ID, "zoe's phone", accounts.ScopeIMAP, "secret", now); err != nil {
			return err
		}
		return mailbox.Ensure(tx, a.ID, now)
	}))
	h := serve(t, db, change...)
	h.zoe = zoe
	return h
}

// serve starts a server on a store; when the test ends, both are checked.
func serve(t testing.TB, db *storage.DB, change ...func(*Server)) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h := &house{db: db}
	cert, err := certs.Throwaway(t.TempDir(), []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	must(t, err)
	h.srv = &Server{DB: db, Auth: accounts.NewService(db, log).For(accounts.ScopeIMAP), TLS: &tls.Config{GetCertificate: cert.Get}, Insecure: true, Logger: log}
	for _, f := range change {
		f(h.srv)
	}
	h.addr, h.tls = h.listen(t, false), h.listen(t, true)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := h.srv.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if n := h.srv.Counters.Internal.Load() + h.srv.Counters.Panics.Load(); n != 0 {
			t.Error(n, "internal errors or panics")
		}
		report, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: []storage.CheckHook{accounts.Check, mailbox.Check}})
		if err != nil || !report.Clean() {
			t.Error("the store after the test:", err)
			report.WriteTo(t.Output())
		}
	})
	return h
}

func (h *house) listen(t testing.TB, implicit bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go h.srv.Serve(l, implicit)
	return l.Addr().String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) dial(t testing.TB) *peer {
	nc, err := net.Dial("tcp", h.addr)
	must(t, err)
	return newPeer(t, nc)
}

func (h *house) dialTLS(t testing.TB) *peer {
	nc, err := tls.Dial("tcp", h.tls, &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	return newPeer(t, nc)
}

// in dials, logs in and selects.
func (h *house) in(t testing.TB, box string) *peer {
	t.Helper()
	p := h.dial(t)
	p.line()
	p.ok("LOGIN zoe@coop.example secret")
	if box != "" {
		p.ok("SELECT " + box)
	}
	return p
}

// deliver appends a message to a mailbox of zoe's, behind the server's back.
func (h *house) deliver(t testing.TB, box, text string, flags ...string) {
	t.Helper()
	w := h.db.Stage()
	io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n"))
	staged, err := w.Finish()
	must(t, err)
	in, err := mailbox.Prepare(staged)
	must(t, err)
	must(t, h.db.Update(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, h.zoe, box)
		if err != nil {
			return err
		}
		_, err = mailbox.Append(tx, b, in, flags, now, now)
		return err
	}))
}

const hello = "From: a@example.net\nTo: zoe@coop.example\nSubject: hello\nMessage-ID: <1@example.net>\n\nhello\n"
