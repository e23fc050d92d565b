package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestThrowawayIsTrustedThroughItsAuthority(t *testing.T) {
	dir := t.TempDir()
	f, err := Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Throwaway(dir, []string{"localhost"}, nil)
	if err != nil || !again.current.Leaf.Equal(f.current.Leaf) {
		t.Fatalf("a second call made another certificate (%v)", err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: f.Get})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestBrokenReplacementKeepsTheOldPair(t *testing.T) {
	dir := t.TempDir()
	f, err := Throwaway(dir, []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := f.Get(nil); err != nil || c == nil {
		t.Fatalf("Get after a broken replacement: %v, %v", c, err)
	}
}
