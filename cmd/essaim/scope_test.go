package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/smtp"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/storage/accounts"

	"github.com/emersion/go-imap/v2/imapclient"
)

// doors serves the services named on ports of their own and returns where.
func doors(t *testing.T, a *App, names ...string) map[string]string {
	t.Helper()
	at := map[string]string{}
	for _, s := range a.servers {
		for _, name := range names {
			if s.name != name {
				continue
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at[name] = ln.Addr().String()
			done := make(chan struct{})
			go func() { defer close(done); _ = s.serve(ln) }()
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				if s.shutdown == nil {
					_ = a.metrics.imap.Shutdown(ctx)
				} else if err := s.shutdown(ctx); err != nil {
					t.Error(name, err)
				}
				<-done
			})
		}
	}
	return at
}

// builtApp is a server with all its doors, none of them open yet.
func builtApp(t *testing.T) *App {
	t.Helper()
	files, err := certs.Throwaway(t.TempDir(), []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openApp(Config{Hostname: "localhost", PlainHTTP: true, TrustLocal: true, Data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	conf := &tls.Config{GetCertificate: files.Get}
	a.buildServices(conf)
	if err := a.buildWeb(conf); err != nil {
		t.Fatal(err)
	}
	return a
}

// A password that is for one thing opens that, by every protocol, and nothing
// else.
func TestAppPasswordsOpenWhatTheyAreFor(t *testing.T) {
	a := builtApp(t)
	scopes := map[string]accounts.Scope{"for-mail": accounts.ScopeMail, "for-files": accounts.ScopeFiles, "for-calendar": accounts.ScopeCalendar, "for-contacts": accounts.ScopeContacts}
	addMember(t, a, "zoe@coop.example", scopes)
	at := doors(t, a, "submissions", "imaps")
	dav := serveWeb(t, a) + "/dav/"
	client := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the throwaway certificate of this test
	tree := func(path string) func(string) bool {
		return func(plain string) bool {
			status, _ := ask(t, "PROPFIND", dav+path+"/zoe@coop.example/", plain, whoAmI)
			return status == http.StatusMultiStatus
		}
	}
	for _, door := range []struct {
		name  string
		scope accounts.Scope
		opens func(plain string) bool
	}{
		{"SMTP", accounts.ScopeSMTP, func(plain string) bool {
			conn, err := tls.Dial("tcp", at["submissions"], client)
			if err != nil {
				t.Fatal(err)
			}
			c, err := smtp.NewClient(conn, "localhost")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			return c.Auth(smtp.PlainAuth("", "zoe@coop.example", plain, "localhost")) == nil
		}},
		{"IMAP", accounts.ScopeIMAP, func(plain string) bool {
			c, err := imapclient.DialTLS(at["imaps"], &imapclient.Options{TLSConfig: client})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			return c.Login("zoe@coop.example", plain).Wait() == nil
		}},
		{"files", accounts.ScopeFiles, tree("files")},
		{"calendars", accounts.ScopeCalendar, tree("calendars")},
		{"address books", accounts.ScopeContacts, tree("addressbooks")},
	} {
		for plain, scope := range scopes {
			if got, want := door.opens(plain), scope&door.scope != 0; got != want {
				t.Errorf("%s with the password %s: %v", door.name, plain, got)
			}
		}
	}
	for _, plain := range []string{"for-mail", "for-files"} { // the one for files is no main password, either
		if a, err := a.auth.CheckMainPassword(t.Context(), "zoe@coop.example", plain); err == nil {
			t.Errorf("%s signs %s in on the web", plain, a.Address)
		}
	}
}
