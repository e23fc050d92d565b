package main

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/internal/web"
)

func webApp(t *testing.T, cfg Config) *App {
	t.Helper()
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler), rings: map[string]*trace.Ring{"http": trace.NewRing("http")}}
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
	if err := (&App{cfg: Config{Proxies: []string{"proxy.example"}}, rings: a.rings}).buildWeb(&tls.Config{}); err == nil {
		t.Error("a name is no address")
	}
}
