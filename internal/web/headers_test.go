package web

import (
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestUserContentCannotRun(t *testing.T) {
	for _, c := range []struct {
		kind string
		show bool
		want string
	}{
		{"text/html", true, "attachment"}, {"image/svg+xml", true, "attachment"}, {"application/pdf", true, "attachment"},
		{"image/png", true, "inline"}, {"image/png", false, "attachment"}, {"text/plain; charset=utf-8", true, "inline"},
		{"nonsense", true, "attachment"}, {"", true, "attachment"},
	} {
		h := http.Header{}
		UserContent(h, "a.b", c.kind, c.show)
		got, _, err := mime.ParseMediaType(h.Get("Content-Disposition"))
		if got != c.want || err != nil || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Type") == "" {
			t.Errorf("%q: %v", c.kind, h)
		}
	}
}

func TestDispositionCarriesEveryName(t *testing.T) {
	for _, name := range []string{"plan.txt", "Überblick (v2).pdf", `a"b\c.txt`, "100%.txt", "naïve + 'x'.txt", "日本.txt"} {
		v := Disposition("attachment", name)
		if _, params, err := mime.ParseMediaType(v); err != nil || params["filename"] != name {
			t.Errorf("%s: %q, %v", v, params["filename"], err)
		}
	}
	if v := Disposition("attachment", "x\r\nSet-Cookie: a"); v != `attachment; filename="x__Set-Cookie: a"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a` {
		t.Errorf("%s", v)
	}
}

func TestCORSOnlyForWhoIsNamed(t *testing.T) {
	s := &Server{CORS: []CORS{{Paths: []string{"/dav/"}, Origins: []string{"https://app.example"}}, {Paths: []string{"/public/"}, Origins: []string{"*"}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })}
	s.once.Do(s.build)
	for _, c := range []struct {
		path, origin string
		allowed      bool
	}{
		{"/dav/x", "https://app.example", true}, {"/dav/x", "https://evil.example", false}, {"/dav/x", "", false},
		{"/admin/", "https://app.example", false}, {"/public/x", "https://anyone.example", true},
	} {
		for _, preflight := range []bool{false, true} {
			r := httptest.NewRequest("PROPFIND", c.path, nil)
			if preflight {
				r.Method = "OPTIONS"
				r.Header.Set("Access-Control-Request-Method", "PROPFIND")
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			s.http.Handler.ServeHTTP(w, r)
			status := http.StatusTeapot
			if preflight && c.allowed {
				status = http.StatusNoContent
			}
			if allowed := w.Header().Get("Access-Control-Allow-Origin") == c.origin && c.origin != ""; allowed != c.allowed || w.Code != status {
				t.Errorf("%s from %q, preflight %v: %d %v", c.path, c.origin, preflight, w.Code, w.Header())
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("cookies would be sent along")
			}
		}
	}
}

func TestMuxPassesPathsOnAsTheyAre(t *testing.T) {
	var m Mux
	for _, p := range []string{"/dav/", "/dav/files/", "/exact", "/"} {
		m.Handle(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, p, " ", r.URL.EscapedPath()) }))
	}
	for path, want := range map[string]string{
		"/dav/x": "/dav/", "/dav": "/dav/", "/dav/files/a": "/dav/files/", "/dav/files": "/dav/files/", "/dav/filesx": "/dav/",
		"/exact": "/exact", "/exact/": "/", "/dav//x/../y": "/dav/", "/dav/a%2Fb": "/dav/", "/": "/",
	} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Body.String(); got != want+" "+path {
			t.Errorf("%s: %q", path, got)
		}
	}
	w := httptest.NewRecorder()
	(&Mux{}).ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("an empty one: %d", w.Code)
	}
}
