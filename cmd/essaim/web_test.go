package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/internal/zone"
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
	a.resolver = func() (zone.Resolver, error) { return nil, errors.New("a test asks nobody") }
	a.outbound = func(context.Context, zone.Resolver) error { return errors.New("a test asks nobody") }
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

func TestOriginsMayUseDAVOnly(t *testing.T) {
	url := serveWeb(t, webApp(t, Config{PlainHTTP: true, Origins: []string{"https://calendar.example"}}))
	for path, want := range map[string]string{"/dav/": "https://calendar.example", "/": ""} {
		r, err := http.NewRequest("OPTIONS", url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://calendar.example")
		r.Header.Set("Access-Control-Request-Method", "PROPFIND")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want || want != "" && res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d %q", path, res.StatusCode, got)
		}
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

// addMember makes a member with one app password for each scope.
func addMember(t *testing.T, a *App, address string, passwords map[string]accounts.Scope) (id storage.AccountID, ids map[string]uint32) {
	t.Helper()
	ids = map[string]uint32{}
	now := time.Now()
	if err := a.db.Update(func(tx *storage.Tx) error {
		if !accounts.LocalDomain(tx, "coop.example") {
			if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
				return err
			}
		}
		m, err := join(tx, accounts.NewAccount{Address: address}, now)
		for plain, scope := range passwords {
			if err == nil {
				ids[plain], err = accounts.SetAppPassword(tx, m.ID, "device", scope, plain, now)
			}
		}
		id = m.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return id, ids
}

// An app password opens what it is for and is refused once it is revoked.
func TestDAVTakesAppPasswordsOnly(t *testing.T) {
	a := webApp(t, Config{PlainHTTP: true})
	zoe, ids := addMember(t, a, "zoe@coop.example", map[string]accounts.Scope{"for-files": accounts.ScopeFiles, "for-mail": accounts.ScopeMail, "for-all": accounts.ScopeAll})
	url := serveWeb(t, a) + "/dav/"
	if status, body := ask(t, "PROPFIND", url, "for-files", whoAmI); status != http.StatusMultiStatus || !strings.Contains(body, "/dav/principals/users/zoe@coop.example/") {
		t.Errorf("for files: %d %s", status, body)
	}
	if status, _ := ask(t, "PROPFIND", url+"addressbooks/zoe@coop.example/", "for-files", whoAmI); status != http.StatusForbidden {
		t.Errorf("the address books with the password for files: %d", status)
	}
	expand := `<D:expand-property xmlns:D="DAV:"><D:property name="addressbook-home-set" namespace="urn:ietf:params:xml:ns:carddav">
		<D:property name="displayname"/></D:property></D:expand-property>`
	for _, c := range []struct{ method, path, depth, body, tells string }{
		{"PROPFIND", "", "1", whoAmI, "<D:href>/dav/addressbooks/</D:href>"},
		{"REPORT", "principals/users/zoe@coop.example/", "0", expand, "<D:displayname>"},
	} {
		for plain, told := range map[string]bool{"for-files": false, "for-all": true} {
			if status, answer := askDepth(t, c.method, url+c.path, c.depth, plain, c.body); status != http.StatusMultiStatus || strings.Contains(answer, c.tells) != told {
				t.Errorf("%s with the password %s: %d %s", c.method, plain, status, answer)
			}
		}
	}
	if status, body := askDepth(t, "PROPFIND", strings.TrimSuffix(url, "dav/"), "1", "for-files", whoAmI); status != http.StatusMultiStatus || !strings.Contains(body, "<D:href>/dav/</D:href>") {
		t.Errorf("from the root down: %d %s", status, body)
	}
	for _, plain := range []string{"", "for-mail", "wrong"} {
		if status, _ := ask(t, "PROPFIND", url, plain, whoAmI); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", plain, status)
		}
	}
	if err := a.db.Update(func(tx *storage.Tx) error { return accounts.Revoke(tx, zoe, ids["for-files"]) }); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, "PROPFIND", url, "for-files", whoAmI); status != http.StatusUnauthorized {
		t.Errorf("revoked: %d", status)
	}
}

func TestWellKnownLeadsToDAV(t *testing.T) {
	url := serveWeb(t, webApp(t, Config{PlainHTTP: true}))
	for _, service := range []string{"caldav", "carddav"} {
		res, err := http.Get(url + "/.well-known/" + service)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.Request.URL.Path != davRoot || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s leads to %s: %d", service, res.Request.URL.Path, res.StatusCode)
		}
	}
}

// A file is written, locked by a client that goes away, and set free by the
// administrator.
func TestStoryALockIsBroken(t *testing.T) {
	a := webApp(t, Config{PlainHTTP: true})
	addMember(t, a, "zoe@coop.example", map[string]accounts.Scope{"pass": accounts.ScopeAll})
	url := serveWeb(t, a) + "/dav/files/zoe@coop.example/plan.txt"
	want := func(status int, method, body string) string {
		t.Helper()
		got, answer := ask(t, method, url, "pass", body)
		if got != status {
			t.Errorf("%s: %d, want %d: %s", method, got, status, answer)
		}
		return answer
	}
	cli := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		if err := runInServer(context.Background(), a, append([]string{"--data", a.cfg.Data}, args...), &out); err != nil {
			t.Errorf("essaim %v: %v %s", args, err, out.String())
		}
		return out.String()
	}
	want(http.StatusCreated, "PUT", "first")
	want(http.StatusOK, "LOCK", `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`)
	want(http.StatusLocked, "PUT", "second")
	list := cli("lock", "list")
	token, rest, _ := strings.Cut(list, "\t")
	if !strings.HasPrefix(token, "urn:uuid:") || !strings.HasPrefix(rest, "zoe@coop.example\texclusive") || !strings.HasSuffix(rest, "plan.txt\n") {
		t.Errorf("lock list: %q", list)
	}
	cli("lock", "break", token)
	want(http.StatusNoContent, "PUT", "second")
	if got := want(http.StatusOK, "GET", ""); got != "second" {
		t.Errorf("GET: %q", got)
	}
	r, err := a.db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: checks})
	if err != nil || !r.Clean() {
		t.Errorf("check: %v %q", err, r.Problems)
	}
}

const whoAmI = `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`

// ask makes a request as Zoé.
func ask(t *testing.T, method, url, password, body string) (status int, answer string) {
	t.Helper()
	return askDepth(t, method, url, "0", password, body)
}

func askDepth(t *testing.T, method, url, depth, password, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Depth", depth)
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
	return res.StatusCode, string(b)
}

func TestScopeOfAPath(t *testing.T) {
	for path, want := range map[string]accounts.Scope{
		"/dav/addressbooks/x": accounts.ScopeContacts, "/dav/addressbooks": accounts.ScopeContacts, "/dav/trash/x": accounts.ScopeFiles,
		"/dav/addressbooksx": accounts.ScopeDAV, "/dav/principals/": accounts.ScopeDAV, "/dav/": accounts.ScopeDAV,
	} {
		if got := davScope(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
