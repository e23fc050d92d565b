package page

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func testRouter(t *testing.T, routes ...Route) http.Handler {
	t.Helper()
	set, err := New(fstest.MapFS{
		"hello.html": {Data: []byte(`{{define "main"}}hello {{.User}}{{end}}`)},
	}, Words{"done.saved": T("Saved", "Enregistré", "Opgeslagen"), "hello.title": T("Hello", "Bonjour", "Dag")})
	if err != nil {
		t.Fatal(err)
	}
	m := &Router{Logger: slog.New(slog.DiscardHandler), Secure: true, SignIn: "/signin", Prove: "/prove",
		Coop: func(context.Context) string { return "Voisins" },
		Identify: func(_ *http.Request, token string) (Identity, error) {
			who := map[string]Identity{
				"member": {Account: 1, Name: "Bram", Lang: "nl", Token: token}, "proved": {Account: 1, Name: "Bram", Proved: true},
				"admin": {Account: 2, Name: "Amélie", Admin: true}, "adminproved": {Account: 2, Name: "Amélie", Admin: true, Proved: true},
			}
			if token == "broken" {
				return Identity{}, errors.New("the store is away")
			}
			return who[token], nil
		}}
	m.Layout()
	m.Add(Room{Set: set, Routes: routes})
	return m.Handler()
}

func ask(h http.Handler, method, target, token string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://coop.example"+target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: token})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func hello(x *Request) error { return x.Page("hello", "hello.title", nil) }

func TestAccess(t *testing.T) {
	h := testRouter(t, Route{Pattern: "GET /a", Access: Anyone, Do: hello}, Route{Pattern: "GET /m", Access: Member, Do: hello},
		Route{Pattern: "GET /p", Access: Proved, Do: hello}, Route{Pattern: "GET /x", Access: Admin, Do: hello})
	for _, c := range []struct {
		path, token string
		status      int
		to          string
	}{
		{"/a", "", 200, ""}, {"/m", "", 303, "/signin?to=/m"}, {"/p", "", 303, "/signin?to=/p"}, {"/x", "", 303, "/signin?to=/x"},
		{"/m", "unknown", 303, "/signin?to=/m"}, {"/m", "member", 200, ""}, {"/p", "member", 303, "/prove?to=/p"}, {"/x", "member", 403, ""},
		{"/p", "proved", 200, ""}, {"/x", "proved", 403, ""}, {"/x", "admin", 303, "/prove?to=/x"}, {"/x", "adminproved", 200, ""},
		{"/nowhere", "adminproved", 404, ""}, {"/m", "broken", 500, ""},
	} {
		w := ask(h, "GET", c.path, c.token, nil)
		if w.Code != c.status || w.Header().Get("Location") != c.to {
			t.Errorf("%s as %q: %d to %q, want %d to %q", c.path, c.token, w.Code, w.Header().Get("Location"), c.status, c.to)
		}
		if w.Header().Get("Content-Security-Policy") != Policy {
			t.Errorf("%s as %q: no policy", c.path, c.token)
		}
	}
	if body := ask(h, "GET", "/m", "broken", nil).Body.String(); strings.Contains(body, "the store is away") {
		t.Error("an internal error is told to the reader")
	}
}

func TestUndeclaredRoutePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a route without access was taken")
		}
	}()
	testRouter(t, Route{Pattern: "GET /a", Do: hello})
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	done := 0
	h := testRouter(t, Route{Pattern: "POST /do", Access: Member, Do: func(x *Request) error { done++; x.Redirect("/"); return nil }})
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		if w := ask(h, "POST", "/do", "member", url.Values{}, headers...); w.Code != 403 || done != 0 {
			t.Errorf("%v: %d, done %d", headers, w.Code, done)
		}
	}
	if w := ask(h, "POST", "/do", "member", url.Values{}, "Sec-Fetch-Site", "same-origin"); w.Code != 303 || done != 1 {
		t.Errorf("from here: %d", w.Code)
	}
}

func TestFormsAndProblems(t *testing.T) {
	h := testRouter(t,
		Route{Pattern: "POST /do", Access: Anyone, Do: func(x *Request) error {
			if x.Form("name") == "" {
				return x.Again("hello", "hello.title", nil, Problem{Word: "wrong.slow"})
			}
			x.SetSession("fresh", time.Hour)
			x.Redirect("/hello?done=saved")
			return nil
		}},
		Route{Pattern: "POST /big", Access: Anyone, Body: 100, Do: func(x *Request) error { return x.R.ParseForm() }},
		Route{Pattern: "GET /hello", Access: Anyone, Do: hello},
		Route{Pattern: "GET /gone", Access: Anyone, Do: func(*Request) error { return Problem{Word: "wrong.notfound"} }})
	if w := ask(h, "POST", "/do", "", url.Values{"name": {"  "}}); w.Code != 422 || !strings.Contains(w.Body.String(), `role="alert"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := ask(h, "POST", "/do", "", url.Values{"name": {" x "}})
	if c := w.Header().Get("Set-Cookie"); w.Code != 303 || !strings.HasPrefix(c, "__Host-essaim=fresh; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("%d %q", w.Code, c)
	}
	if w := ask(h, "GET", "/hello?done=saved", "member", nil); !strings.Contains(w.Body.String(), "Opgeslagen") {
		t.Error(w.Body)
	}
	if w := ask(h, "GET", "/hello?done=<script>", "", nil); strings.Contains(w.Body.String(), "script>") && strings.Contains(w.Body.String(), "&lt;script") {
		t.Error(w.Body)
	}
	if w := ask(h, "POST", "/big", "", url.Values{"name": {strings.Repeat("x", 200)}}); w.Code != 413 {
		t.Errorf("a form beyond its bound: %d", w.Code)
	}
	if w := ask(h, "GET", "/gone", "", nil); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

func TestLanguageChoiceComesBack(t *testing.T) {
	h := testRouter(t)
	w := ask(h, "POST", "/language", "", url.Values{"lang": {"fr"}, "back": {"/devices"}})
	if w.Code != 303 || w.Header().Get("Location") != "/devices" || !strings.HasPrefix(w.Header().Get("Set-Cookie"), "lang=fr;") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := ask(h, "POST", "/language", "", url.Values{"lang": {"xx"}}); w.Header().Get("Set-Cookie") != "" {
		t.Error("an unknown language was kept")
	}
}

func TestBackPath(t *testing.T) {
	for in, want := range map[string]string{
		"/devices": "/devices", "/a?b=c#d": "/a", "https://coop.example/devices?x": "/devices", "https://coop.example": "/",
		"//evil.example/": "/", "https://evil.example//evil.example": "/", "/\\evil.example": "/", "javascript:alert(1)": "/", "": "/",
		"/a\r\nSet-Cookie: x": "/", "/" + strings.Repeat("a", 300): "/",
	} {
		if got := BackPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A path can be a secret: an invitation's, a new device's.
func TestAnErrorIsLoggedWithoutItsPath(t *testing.T) {
	var log bytes.Buffer
	m := &Router{Logger: slog.New(slog.NewTextHandler(&log, nil)), Coop: func(context.Context) string { return "" }}
	m.Add(Room{Set: plain, Routes: []Route{{Pattern: "GET /join/{code}", Access: Anyone, Do: func(*Request) error { return errors.New("broken") }}}})
	ask(m.Handler(), "GET", "/join/canary", "", nil)
	if s := log.String(); strings.Contains(s, "canary") || !strings.Contains(s, "/join/{code}") {
		t.Error(s)
	}
}

// A form whose proof was too old leads back to its page, whatever that is called.
func TestTheWayBackFromAForm(t *testing.T) {
	h := testRouter(t, Route{Pattern: "POST /do", Access: Proved, Do: hello}, Route{Pattern: "GET /a/{x}", Access: Proved, Do: hello})
	w := ask(h, "POST", "/do", "member", url.Values{}, "Referer", "https://coop.example/devices?done=x")
	if to := w.Header().Get("Location"); to != "/prove?to=/devices" || w.Header().Get("Referrer-Policy") != "same-origin" {
		t.Errorf("%s, referrers %s", to, w.Header().Get("Referrer-Policy"))
	}
	w = ask(h, "GET", "/a/b%26to=%2Fc", "member", nil)
	if u, err := url.Parse(w.Header().Get("Location")); err != nil || BackPath(u.Query().Get("to")) != "/a/b&to=/c" {
		t.Errorf("%v %v", u, err)
	}
}
