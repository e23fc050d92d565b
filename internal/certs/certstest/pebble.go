// Package certstest starts a certificate authority for tests: Debian's pebble.
//
// What it promises: the authority listens on loopback, finds every name there,
// and is gone when the test ends. Without the program the test is skipped.
package certstest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Pebble starts an authority that validates on the given ports. Its own
// certificate is cert.pem and key.pem of dir, signed by ca.pem there. The client
// trusts it.
func Pebble(t testing.TB, dir string, httpPort, tlsPort int) (directory string, client *http.Client) {
	t.Helper()
	program, err := exec.LookPath("pebble")
	if err != nil {
		t.Skip("pebble is not installed")
	}
	api, management := freeAddr(t), freeAddr(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management, "httpPort": httpPort, "tlsPort": tlsPort,
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
	}})
	if err != nil {
		t.Fatal(err)
	}
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
	client = trusting(t, filepath.Join(dir, "ca.pem"))
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

func trusting(t testing.TB, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 30 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// loopbackDNS answers 127.0.0.1 to every question for an address.
func loopbackDNS(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.1")
			if err == nil {
				m.Answer = []dns.RR{rr}
			}
		}
		_ = w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() { _ = srv.ActivateAndServe(); close(done) }()
	t.Cleanup(func() { _ = srv.Shutdown(); <-done })
	return conn.LocalAddr().String()
}
