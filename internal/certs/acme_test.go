package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// pebble starts an authority that validates on the given ports and finds every
// name on loopback.
func pebble(t *testing.T, httpPort, tlsPort int) (directory string, client *http.Client) {
	t.Helper()
	program, err := exec.LookPath("pebble")
	if err != nil {
		t.Skip("pebble is not installed")
	}
	dir := t.TempDir()
	if _, err := Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	api, management := freeAddr(t), freeAddr(t)
	config, _ := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management, "httpPort": httpPort, "tlsPort": tlsPort,
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
	}})
	path := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", path, "-dnsserver", loopbackDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 30 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	directory = "https://" + api + "/dir"
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(directory)
		if err == nil {
			resp.Body.Close()
			return directory, client
		}
		if time.Now().After(end) {
			t.Fatalf("the authority does not answer: %v", err)
		}
	}
}

func freeAddr(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// loopbackDNS answers 127.0.0.1 to every question for an address.
func loopbackDNS(t *testing.T) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.1")
			m.Answer = []dns.RR{rr}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { _ = srv.Shutdown() })
	return conn.LocalAddr().String()
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
		// The authority names its unusual port in Host, as it never does with port 80.
		bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Host, _, _ = net.SplitHostPort(r.Host)
			challenges.ServeHTTP(w, r)
		})
		go func() { _ = (&http.Server{Handler: bare, ErrorLog: quiet}).Serve(h) }()
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
