package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs/certstest"
)

// pebble starts an authority that trusts and finds every name on loopback.
func pebble(t *testing.T, httpPort, tlsPort int) (directory string, client *http.Client) {
	t.Helper()
	dir := t.TempDir()
	if _, err := Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	return certstest.Pebble(t, dir, httpPort, tlsPort)
}

// newTestACME has an authority, both challenge listeners and a fallback.
func newTestACME(t *testing.T, withHTTP, withTLS bool) *ACME {
	t.Helper()
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln
	}
	h, s := listen(), listen()
	directory, client := pebble(t, h.Addr().(*net.TCPAddr).Port, s.Addr().(*net.TCPAddr).Port)
	fallback, err := Throwaway(t.TempDir(), []string{"mail.coop.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := NewACME(ACMEOptions{Names: []string{"mail.coop.example", "mta-sts.coop.example"}, Directory: directory, Cache: filepath.Join(t.TempDir(), "acme"),
		Client: client, Fallback: fallback, Logger: slog.New(slog.DiscardHandler)})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	challenges := a.Challenges(nil)
	if withHTTP {
		go func() { _ = (&http.Server{Handler: challenges, ErrorLog: quiet}).Serve(h) }()
	} else {
		h.Close()
	}
	if !withTLS {
		s.Close()
	} else {
		ln := tls.NewListener(s, &tls.Config{GetCertificate: a.Get, NextProtos: []string{"h2", "http/1.1", ALPNProto}})
		go func() { _ = (&http.Server{Handler: http.NotFoundHandler(), ErrorLog: quiet}).Serve(ln) }()
	}
	return a
}

func serving(t *testing.T, a *ACME, name string) *x509.Certificate {
	t.Helper()
	c, err := a.Get(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestACMEByEitherChallenge(t *testing.T) {
	for _, c := range []struct {
		name      string
		http, tls bool
	}{{"http-01", true, false}, {"tls-alpn-01", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			a := newTestACME(t, c.http, c.tls)
			if leaf := serving(t, a, "mail.coop.example"); !leaf.Equal(a.opt.Fallback.Leaf()) {
				t.Fatal("something other than the fallback is served before the first round")
			}
			if next := a.round(t.Context()); next == 0 {
				t.Fatalf("no certificate: %v", a.Failed())
			}
			for _, name := range a.opt.Names {
				if err := serving(t, a, name).VerifyHostname(name); err != nil {
					t.Error(err)
				}
			}
			// Whoever names nobody, or somebody else, gets the machine's own.
			for _, name := range []string{"", "elsewhere.example"} {
				if err := serving(t, a, name).VerifyHostname("mail.coop.example"); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestACMEFailureKeepsTheFallback(t *testing.T) {
	a := newTestACME(t, false, false)
	if next := a.round(t.Context()); next != 0 || len(a.Failed()) == 0 {
		t.Fatalf("a round without challenge listeners: next %v, failures %v", next, a.Failed())
	}
	if !a.Leaf().Equal(a.opt.Fallback.Leaf()) {
		t.Error("the fallback is not in service")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.Run(ctx); close(done) }()
	cancel()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal(fmt.Errorf("Run goes on after its context ended"))
	}
}

// A name that leads nowhere is not asked for, and does not keep the others
// from their certificates; once it is published, a nudge is enough.
func TestACMEWaitsForNames(t *testing.T) {
	a := newTestACME(t, true, false)
	published := make(chan struct{})
	a.opt.Resolves = func(_ context.Context, name string) error {
		select {
		case <-published:
			return nil
		default:
		}
		if name == "mta-sts.coop.example" {
			return errors.New("no such host")
		}
		return nil
	}
	a.Nudge() // nothing is missing yet
	if next := a.round(t.Context()); next != 0 || a.Failed()["mta-sts.coop.example"] == nil || len(a.Failed()) != 1 {
		t.Fatalf("next %v, failures %v", next, a.Failed())
	}
	if err := serving(t, a, "mail.coop.example").VerifyHostname("mail.coop.example"); err != nil {
		t.Error(err)
	}
	if a.patience(longPause) != missingPause {
		t.Error("a name that is missing is looked for no more than one that was refused")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	close(published)
	go func() { a.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	for end := time.Now().Add(60 * time.Second); len(a.Failed()) > 0; time.Sleep(20 * time.Millisecond) {
		a.Nudge()
		if time.Now().After(end) {
			t.Fatal(a.Failed())
		}
	}
	if err := serving(t, a, "mta-sts.coop.example").VerifyHostname("mta-sts.coop.example"); err != nil {
		t.Error(err)
	}
	opt := a.opt // after a restart, the resolver being away
	opt.Resolves = func(context.Context, string) error { return errors.New("no resolver") }
	again := NewACME(opt)
	if next := again.round(t.Context()); next == 0 {
		t.Errorf("what was there is lost: %v", again.Failed())
	}
}
