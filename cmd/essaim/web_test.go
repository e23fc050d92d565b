package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// webApp is an App whose web listeners are built, on a store of its own.
func webApp(t *testing.T, cfg Config) *App {
	t.Helper()
	cfg.Data = t.TempDir()
	a, err := openApp(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.buildWeb(&tls.Config{}); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPlainHTTPSendsToTLS(t *testing.T) {
	a := webApp(t, Config{Hostname: "mx.coop.example"})
	for host, want := range map[string]string{
		"cloud.coop.example":    "https://cloud.coop.example/dav/a%2Fb?x=y",
		"cloud.coop.example:80": "https://cloud.coop.example/dav/a%2Fb?x=y",
		"evil.example/@":        "https://mx.coop.example/dav/a%2Fb?x=y",
	} {
		r := httptest.NewRequest("PUT", "/dav/a%2Fb?x=y", nil)
		r.Host = host
		w := httptest.NewRecorder()
		a.metrics.web["http"].Handler.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != http.StatusPermanentRedirect || got != want {
			t.Errorf("%s: %d %s", host, w.Code, got)
		}
	}
}

func TestPlainHTTPOfADemoIsTheRealThing(t *testing.T) {
	a := webApp(t, Config{PlainHTTP: true})
	if _, ok := a.metrics.web["http"].Handler.(*web.Mux); !ok {
		t.Error("the doors are not behind the plain listener")
	}
}

func TestProxiesAreAddressesOrNetworks(t *testing.T) {
	a := webApp(t, Config{Proxies: []string{"10.0.0.0/8", "2001:db8::1"}})
	if got := a.metrics.web["https"].Proxies; len(got) != 2 || got[1].Bits() != 128 {
		t.Errorf("%v", got)
	}
	a.cfg.Proxies = []string{"proxy.example"}
	if err := a.buildWeb(&tls.Config{}); err == nil {
		t.Error("a name is no address")
	}
}

// serveWeb serves the doors without TLS and returns their URL.
func serveWeb(t *testing.T, a *App) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := a.metrics.web["http"]
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// An app password opens what it is for and is refused once it is revoked.
func TestDAVTakesAppPasswordsOnly(t *testing.T) {
	a := webApp(t, Config{PlainHTTP: true})
	now := time.Now()
	passwords := map[accounts.Scope]string{accounts.ScopeFiles: "for-files", accounts.ScopeMail: "for-mail"}
	var zoe storage.AccountID
	var files uint32
	if err := a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		m, err := join(tx, accounts.NewAccount{Address: "zoe@coop.example", Name: "Zoé"}, now)
		for scope, plain := range passwords {
			var id uint32
			if err == nil {
				id, err = accounts.SetAppPassword(tx, m.ID, "device", scope, plain, now)
			}
			if scope == accounts.ScopeFiles {
				files = id
			}
		}
		zoe = m.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	url := serveWeb(t, a) + "/dav/"
	if res, body := propfind(t, url, "for-files"); res.StatusCode != http.StatusMultiStatus || !strings.Contains(body, "/dav/principals/users/zoe@coop.example/") {
		t.Errorf("for files: %d %s", res.StatusCode, body)
	}
	if res, _ := propfind(t, url+"addressbooks/zoe@coop.example/", "for-files"); res.StatusCode != http.StatusForbidden {
		t.Errorf("the address books with the password for files: %d", res.StatusCode)
	}
	for _, plain := range []string{"", "for-mail", "wrong"} {
		if res, _ := propfind(t, url, plain); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", plain, res.StatusCode)
		}
	}
	if res, err := http.Get(strings.TrimSuffix(url, "/dav/") + "/.well-known/carddav"); err != nil || res.Request.URL.Path != "/dav/" {
		t.Errorf("well-known: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	if err := a.db.Update(func(tx *storage.Tx) error { return accounts.Revoke(tx, zoe, files) }); err != nil {
		t.Fatal(err)
	}
	if res, _ := propfind(t, url, "for-files"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("revoked: %d", res.StatusCode)
	}
}

func propfind(t *testing.T, url, password string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("PROPFIND", url, strings.NewReader(`<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Depth", "0")
	if password != "" {
		r.SetBasicAuth("zoe@coop.example", password)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestScopeOfAPath(t *testing.T) {
	for path, want := range map[string]accounts.Scope{
		"/dav/addressbooks/x": accounts.ScopeContacts, "/dav/addressbooks": accounts.ScopeContacts,
		"/dav/addressbooksx": accounts.ScopeDAV, "/dav/principals/": accounts.ScopeDAV, "/dav/": accounts.ScopeDAV,
	} {
		if got := davScope(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
