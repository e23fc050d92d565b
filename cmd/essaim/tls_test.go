package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/certs/certstest"
)

// loopbackConfig has every service on a free loopback port.
func loopbackConfig(t *testing.T) Config {
	t.Helper()
	free := func() []string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return []string{ln.Addr().String()}
	}
	c := defaultConfig()
	c.Data, c.Hostname, c.MetricsAddr, c.Web = filepath.Join(t.TempDir(), "data"), "mail.coop.example", "", ""
	c.Listen = Listen{SMTP: free(), Submission: free(), Submissions: free(), IMAP: free(), IMAPS: free(), HTTPS: free(), HTTP: free()}
	return c
}

func portOf(t *testing.T, addresses []string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

// withAuthority configures certificates from a test authority that validates
// on the ports given.
func withAuthority(t *testing.T, c *Config, httpPort, tlsPort int) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	directory, _ := certstest.Pebble(t, dir, httpPort, tlsPort)
	c.TLS = TLS{ACME: true, Email: "help@coop.example", Directory: directory, Roots: filepath.Join(dir, "ca.pem"), Names: []string{"mta-sts.coop.example"}}
}

// serveApp runs the whole house until the test ends.
func serveApp(t *testing.T, c Config) *App {
	t.Helper()
	a, err := openApp(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.run(ctx, func() error { close(up); return nil }) }()
	select {
	case <-up:
	case err := <-done:
		cancel()
		t.Fatalf("the house did not come up: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a
}

func leafAt(address, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: roots, InsecureSkipVerify: roots == nil})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// awaitCertificate waits until a listener shows what the authority has signed
// for a name.
func awaitCertificate(t *testing.T, address, name string) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		leaf, err := leafAt(address, name, nil)
		if err == nil && leaf.Issuer.CommonName != "essaim throwaway authority" && leaf.VerifyHostname(name) == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no certificate of the authority at %s: %v", address, err)
		}
	}
}

// A server without a certificate serves a throwaway, gets one by either
// challenge, and then shows it on every listener.
func TestStoryCertificate(t *testing.T) {
	const noPort = 9 // discard: nothing of ours answers there
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			c := loopbackConfig(t)
			httpPort, tlsPort := portOf(t, c.Listen.HTTP), noPort
			if challenge == "tls-alpn-01" {
				httpPort, tlsPort = noPort, portOf(t, c.Listen.HTTPS)
			}
			withAuthority(t, &c, httpPort, tlsPort)
			a := serveApp(t, c)
			if !a.metrics.web["https"].HSTS {
				t.Error("browsers are not told to come by TLS only")
			}
			for _, name := range c.names() {
				for _, address := range []string{c.Listen.HTTPS[0], c.Listen.IMAPS[0], c.Listen.Submissions[0]} {
					awaitCertificate(t, address, name)
				}
			}
			if failed := a.acme.Failed(); len(failed) > 0 {
				t.Error(failed)
			}
			if err := a.leaf().VerifyHostname(c.Hostname); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is not understood is refused at the start, not at the first handshake.
func TestCertificateSettingsThatCannotBe(t *testing.T) {
	for name, bad := range map[string]TLS{
		"files and authority": {Cert: "x.pem", Key: "x.pem", ACME: true},
		"no such roots":       {ACME: true, Roots: "/nonexistent"},
		"no such files":       {Cert: "/nonexistent", Key: "/nonexistent"},
	} {
		a := webApp(t, Config{Hostname: "mail.coop.example"})
		a.cfg.TLS = bad
		if _, err := a.tlsConfig(); err == nil {
			t.Error(fmt.Sprint(name, " is taken"))
		}
	}
}
