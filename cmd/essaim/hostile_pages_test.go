package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"

	"golang.org/x/net/html"
)

// payload would make an element, an attribute or a script of itself wherever
// it is written as it is.
const payload = `"'><canary a=1><script>b()</script>{{c}}`

// plant writes the payload into everything that somebody can name, and returns
// what stands for the braces in routes.
func plant(t *testing.T, a *App) map[string]string {
	t.Helper()
	ids, now := map[string]string{"{name}": "coop.example"}, time.Now()
	a.rings["smtp"].New(payload).Event(payload, payload, payload)
	err := a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		if err := register.SetCoop(tx, register.Coop{Name: payload, Domain: "coop.example", Where: payload, Contact: payload}); err != nil {
			return err
		}
		m, err := join(tx, accounts.NewAccount{Address: `o'"&b@coop.example`, Name: payload, Admin: true}, now)
		if err != nil {
			return err
		}
		ids["account"], ids["{id}"] = fmt.Sprint(m.ID), fmt.Sprint(m.Household)
		if _, err := register.Put(tx, register.Household{ID: m.Household, Name: payload, Note: payload, Paid: now.AddDate(0, -1, 0)}); err != nil {
			return err
		}
		g, err := join(tx, accounts.NewAccount{Address: `g'"&@coop.example`, Name: payload, Group: true}, now)
		if err != nil {
			return err
		}
		if err := accounts.AddMember(tx, g.ID, m.Address); err != nil {
			return err
		}
		if ids["{code}"], err = register.Invite(tx, register.Invitation{Note: payload, Domain: "coop.example", Uses: 1, Expires: now.AddDate(0, 0, 1)}, now); err != nil {
			return err
		}
		if ids["session"], err = signin.Begin(tx, m.ID, payload, now); err != nil {
			return err
		}
		if err := signin.PutPasskey(tx, m.ID, signin.Passkey{ID: []byte(payload), Name: payload}); err != nil {
			return err
		}
		w := a.db.Stage()
		_, _ = io.WriteString(w, "Subject: x\r\n\r\n")
		staged, err := w.Finish()
		if err != nil {
			return err
		}
		if _, err := queue.Put(tx, queue.Entry{Domain: "far.example", Sender: payload, Recipients: []queue.Recipient{{Addr: payload, LastError: payload}}, Blob: tx.Attach(staged), Created: now, LastError: payload}, now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: m.ID, About: m.ID, Did: "device.add", Detail: payload, Client: payload})
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// hostileDNS has the payload in every record.
type hostileDNS struct{}

func (hostileDNS) Lookup(context.Context, string, string) ([]string, error) {
	return []string{payload}, nil
}

// Whatever anybody calls anything, it is text on every page, and a page is
// framed by nobody.
func TestNamesAreTextOnEveryPage(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	a.resolver = func() (zone.Resolver, error) { return hostileDNS{}, nil }
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ids, h, told := plant(t, a), m.Handler(), 0
	made := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "https://mail.coop.example/devices", strings.NewReader(url.Values{"device": {payload}, "scope": {"mail", "files", "calendar", "contacts"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: ids["session"]})
	h.ServeHTTP(made, r)
	ids["{token}"] = strings.TrimPrefix(made.Header().Get("Location"), "/device/")
	for _, route := range m.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		if method != "GET" {
			continue
		}
		if strings.Contains(path, "/people/") {
			path = strings.ReplaceAll(path, "{id}", ids["account"])
		}
		for brace, id := range ids {
			path = strings.ReplaceAll(path, brace, id)
		}
		path = strings.TrimSuffix(path, "{$}")
		q := url.QueryEscape(payload)
		for _, query := range []string{"", "?check=yes&q=" + q + "&to=" + q + "&done=" + q + "&emailaddress=" + url.QueryEscape(payload+"@coop.example")} {
			w := visit(h, "GET", path+query, ids["session"])
			if w.Code >= 500 {
				t.Errorf("%s%s: %d", path, query, w.Code)
			}
			if kind := w.Header().Get("Content-Type"); strings.HasPrefix(kind, "text/html") {
				told += strings.Count(w.Body.String(), "&lt;canary")
				asText(t, path, w)
			} else if strings.Contains(kind, "html") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s is sent as %q", path, kind)
			}
		}
	}
	if told < 50 {
		t.Errorf("the payload was shown only %d times", told)
	}
}

// asText fails when a page has an element or an attribute that is the
// payload's, a script or a style of its own, or may be framed.
func asText(t *testing.T, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	if c := w.Header().Get("Content-Security-Policy"); c != page.Policy {
		t.Errorf("%s: policy %q", path, c)
	}
	for z := html.NewTokenizer(w.Body); z.Next() != html.ErrorToken; {
		token := z.Token()
		src := false
		for _, at := range token.Attr {
			value := strings.ToLower(strings.TrimSpace(at.Val))
			if strings.HasPrefix(at.Key, "on") || at.Key == "style" || at.Key == "a" || strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:text") {
				t.Errorf("%s: <%s %s=%q>", path, token.Data, at.Key, at.Val)
			}
			src = src || at.Key == "src"
		}
		if token.Type == html.StartTagToken && (token.Data == "canary" || token.Data == "script" && !src || token.Data == "style") {
			t.Errorf("%s has <%s>", path, token.Data)
		}
	}
}

// A browser that comes over the network, with a notebook for what must not be
// told.
type browser struct {
	t    *testing.T
	base string
	http http.Client
}

func (b *browser) post(path string, fields ...string) (at, body string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	res, err := b.http.PostForm(b.base+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.Request.URL.Path, string(text)
}

// notes is what a log wrote, safe to read while it writes on.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) { n.mu.Lock(); defer n.mu.Unlock(); return n.b.Write(p) }
func (n *notes) String() string              { n.mu.Lock(); defer n.mu.Unlock(); return n.b.String() }

// Passwords, codes, tokens and links are in no log line and no trace.
func TestSecretsAreInNoLog(t *testing.T) {
	log := &notes{}
	cfg := Config{Hostname: "mail.coop.example", PlainHTTP: true, Data: t.TempDir()}
	a, err := openApp(cfg, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.buildWeb(&tls.Config{}); err != nil {
		t.Fatal(err)
	}
	code := ""
	if err := a.db.Update(func(tx *storage.Tx) (err error) {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		code, err = register.Invite(tx, register.Invitation{Domain: "coop.example", Uses: 1, Expires: time.Now().AddDate(0, 0, 1)}, time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	b := &browser{t: t, base: serveWeb(t, a), http: http.Client{Jar: jar, Transport: http.DefaultTransport}}
	secrets := []string{code, "canary of a password", "canary of a wrong one", "canary-code", "canarytoken"}
	_, welcome := b.post("/join/"+code, "local", "bram", "name", "Bram", "password", "canary of a password")
	secrets = append(secrets, regexp.MustCompile(`\b[a-z2-9]{5}-[a-z2-9]{5}\b`).FindAllString(welcome, -1)...)
	at, device := b.post("/devices", "device", "phone", "scope", "mail", "scope", "files")
	app := regexp.MustCompile(`id="secret">([a-z2-9]+)<`).FindStringSubmatch(device)
	if app == nil || len(secrets) != 15 {
		t.Fatalf("%d secrets; %s", len(secrets), device)
	}
	u, _ := url.Parse(b.base)
	secrets = append(secrets, strings.TrimPrefix(at, "/device/"), app[1], jar.Cookies(u)[0].Value)
	b.post("/signin", "address", "bram@coop.example", "password", "canary of a wrong one")
	b.post("/recover", "address", "bram@coop.example", "code", "canary-code", "password", "canary of a password")
	b.post("/join/canarytoken")
	b.post("/passkey/enter?rite=canarytoken")
	_, _ = b.http.Get(b.base + "/device/canarytoken")
	ask(t, "PROPFIND", b.base+"/dav/", app[1], whoAmI)
	var told strings.Builder
	told.WriteString(log.String())
	for _, ring := range a.rings {
		for _, tr := range ring.Recent() {
			told.WriteString(tr.String())
		}
	}
	if told.Len() < 200 {
		t.Errorf("hardly anything was logged: %s", told.String())
	}
	for i, s := range secrets {
		if len(s) < 8 || strings.Contains(told.String(), s) {
			t.Errorf("secret %d, %q, is told", i, s)
		}
	}
}

// A member who is deleted has nothing that opens from the first moment, one who
// is suspended reads on, and both by the web and by DAV.
func TestWhatOpensToWhoIsSuspendedOrDeleted(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example", PlainHTTP: true})
	zoe, _ := addMember(t, a, "zoe@coop.example", map[string]accounts.Scope{"pass": accounts.ScopeAll})
	base, token := serveWeb(t, a), ""
	update := func(fn func(*storage.Tx) error) {
		t.Helper()
		if err := a.db.Update(fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *storage.Tx) (err error) { token, err = signin.Begin(tx, zoe, "", time.Now()); return err })
	opens := func() (web, dav int) {
		r, _ := http.NewRequest("GET", base+"/", nil)
		r.AddCookie(&http.Cookie{Name: "essaim", Value: token})
		c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		dav, _ = ask(t, "PROPFIND", base+"/dav/files/zoe@coop.example/", "pass", whoAmI)
		return res.StatusCode, dav
	}
	update(func(tx *storage.Tx) error { return people.Suspend(tx, zoe, people.Actor{}, time.Now()) })
	if web, dav := opens(); web != 200 || dav != http.StatusMultiStatus {
		t.Errorf("suspended: %d, %d", web, dav)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the first commit is made, the rest is still to be taken apart
	_ = people.Delete(ctx, a.db, zoe, people.Actor{}, time.Now())
	if web, dav := opens(); web != http.StatusSeeOther || dav != http.StatusUnauthorized {
		t.Errorf("being deleted: %d, %d", web, dav)
	}
}
