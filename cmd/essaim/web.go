package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/web"
)

// buildWeb makes the two listeners of the web: the one with TLS, behind which
// the doors are, and the one without, which only sends there.
func (a *App) buildWeb(conf *tls.Config) error {
	mux := &web.Mux{}
	if err := a.mountPages(mux, conf, a.mountDAV(mux)); err != nil {
		return err
	}
	https, err := a.webServer(mux)
	if err != nil {
		return err
	}
	elsewhere := http.Handler(http.HandlerFunc(a.toHTTPS))
	if a.acme != nil {
		elsewhere = a.acme.Challenges(elsewhere)
	}
	plain, err := a.webServer(elsewhere)
	if err != nil {
		return err
	}
	if a.cfg.PlainHTTP {
		plain.Handler = mux
	}
	https.TLS = conf.Clone()
	if a.acme != nil {
		https.TLS.NextProtos = []string{"h2", "http/1.1", certs.ALPNProto}
	}
	// A browser would not forgive a throwaway certificate; while the authority's
	// is awaited, it does not listen (RFC 6797 §8.1).
	https.HSTS = a.cfg.hasCertificate()
	a.metrics.web = map[string]*web.Server{"https": https, "http": plain}
	a.servers = append(a.servers,
		service{"https", a.cfg.Listen.HTTPS, https.Serve, https.Shutdown},
		service{"http", a.cfg.Listen.HTTP, plain.Serve, plain.Shutdown})
	return nil
}

func (a *App) webServer(h http.Handler) (*web.Server, error) {
	s := &web.Server{Handler: h, Log: a.log, NewTrace: a.rings["http"].New, Trusted: a.trusted, Private: secretPaths}
	if len(a.cfg.Origins) > 0 {
		s.CORS = []web.CORS{{Paths: []string{davRoot, "/.well-known/"}, Origins: a.cfg.Origins}}
	}
	for _, text := range a.cfg.Proxies {
		p, err := netip.ParsePrefix(text)
		if one, bad := netip.ParseAddr(text); bad == nil {
			p, err = one.Prefix(one.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("http_proxies: %w", err)
		}
		s.Proxies = append(s.Proxies, p)
	}
	return s, nil
}

// trusted is who is not slowed down: in a demo, this machine.
func (a *App) trusted(client netip.Addr) bool { return a.cfg.TrustLocal && client.IsLoopback() }

// toHTTPS sends to the same place over TLS; 308 keeps the method and the body
// (RFC 9110 §15.4.9).
func (a *App) toHTTPS(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "" || strings.ContainsAny(host, "/\\@?#") {
		host = a.cfg.Hostname
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
}
