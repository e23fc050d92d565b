package imap

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A shy listener fails a few times before it accepts.
type shy struct {
	net.Listener
	fails int
}

func (l *shy) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAcceptSurvivesEMFILE(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- h.srv.Serve(&shy{l, 4}, false) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	if g := newPeer(t, nc).line(); !strings.HasPrefix(g, "* OK") {
		t.Fatal(g)
	}
	must(t, h.srv.Shutdown(t.Context()))
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestSessionsOfAnAccountAreBounded(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.PerAccount = 2 })
	a := h.in(t, "")
	h.in(t, "")
	c := h.dial(t)
	c.line()
	if _, l := c.cmd("x", "LOGIN zoe@coop.example secret"); !strings.HasPrefix(l, "x NO [LIMIT]") {
		t.Fatal(l)
	}
	a.ok("LOGOUT")
	for end := time.Now().Add(5 * time.Second); h.srv.Counters.Open.Load() > 2 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	c.ok("LOGIN zoe@coop.example secret")
}

func TestOldTLSIsRefused(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]*tls.Config{
		"TLS 1.1":  {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"CBC":      {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		"no ECDHE": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		c.InsecureSkipVerify = true
		if nc, err := tls.Dial("tcp", h.tls, c); err == nil {
			nc.Close()
			t.Error(name, "is accepted")
		}
	}
}

func TestGuessingIsSlowedAndCut(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.Failures = 3 })
	p := h.dial(t)
	p.line()
	start := time.Now()
	p.send(strings.Repeat("x LOGIN zoe@coop.example wrong\r\n", 10))
	n := 0
	for l := p.line(); !strings.HasPrefix(l, "!"); l = p.line() {
		if strings.HasPrefix(l, "x ") {
			n++
		}
	}
	if d := time.Since(start); n != 3 || d < time.Second {
		t.Error(n, d)
	}
}
