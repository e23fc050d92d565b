package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/trace"
)

const patience = 30 * time.Second // of what must happen in the end

// serve starts a server on a free port and returns its address.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// withTLS gives a server a certificate and returns a client that trusts it.
func withTLS(t *testing.T, s *Server, h2 bool) *http.Client {
	t.Helper()
	dir := t.TempDir()
	files, err := certs.Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{GetCertificate: files.Get, MinVersion: tls.VersionTLS12}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res, string(b)
}

// raw sends text on a new connection.
func raw(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBothVersionsOverTLS(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		s := &Server{HSTS: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })}
		c := withTLS(t, s, h2)
		res, text := get(t, c, "https://"+serve(t, s))
		if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]; text != want {
			t.Errorf("answered by %s, want %s", text, want)
		}
		for _, h := range []string{"Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Request-Id"} {
			if res.Header.Get(h) == "" {
				t.Errorf("%s: no %s", text, h)
			}
		}
	}
}

func TestNoHSTSWithoutTLS(t *testing.T) {
	s := &Server{HSTS: true, Handler: http.NotFoundHandler()}
	if res, _ := get(t, http.DefaultClient, "http://"+serve(t, s)); res.Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS over cleartext (RFC 6797 §7.2)")
	}
}

// A header that does not end, a handshake that does not begin: the connection
// is closed.
func TestSlowHeaderIsCutOff(t *testing.T) {
	plain := &Server{Handler: http.NotFoundHandler(), Limits: Limits{Header: 100 * time.Millisecond}}
	over := &Server{Handler: http.NotFoundHandler(), Limits: Limits{Header: 100 * time.Millisecond}}
	withTLS(t, over, false)
	for _, c := range []net.Conn{raw(t, serve(t, plain), "GET / HTTP/1.1\r\nHost: x\r\nX-"), raw(t, serve(t, over), "")} {
		_, err := io.Copy(io.Discard, c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection is still open")
		}
	}
}

func TestLargeHeaderIsRefused(t *testing.T) {
	s := &Server{Handler: http.NotFoundHandler(), Limits: Limits{HeaderBytes: 4096}}
	c := raw(t, serve(t, s), "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 16<<10)+"\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v", res, err)
	}
}

// A body that stops coming ends its request with ErrSlow, whatever the version.
func TestSlowBodyIsCutOff(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		got := make(chan error, 1)
		s := &Server{Limits: Limits{Read: 100 * time.Millisecond}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			got <- err
			w.WriteHeader(http.StatusRequestTimeout)
		})}
		c := withTLS(t, s, h2)
		r, w := io.Pipe()
		go func() { _, _ = io.WriteString(w, "beginning") }()
		res, err := c.Post("https://"+serve(t, s), "text/plain", r)
		if err == nil {
			res.Body.Close()
		}
		w.Close()
		if err := <-got; !errors.Is(err, ErrSlow) {
			t.Errorf("h2 %v: %v", h2, err)
		}
	}
}

// A transfer goes on for much longer than any limit as long as it goes on.
func TestLongTransfersAreNotCut(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		s := &Server{Limits: Limits{Header: 150 * time.Millisecond, Idle: 150 * time.Millisecond, Read: patience, Write: patience}}
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			for range 5 {
				time.Sleep(60 * time.Millisecond)
				fmt.Fprintf(w, "%d %v ", n, err)
				w.(http.Flusher).Flush()
			}
		})
		c := withTLS(t, s, h2)
		r, w := io.Pipe()
		go func() {
			for range 5 {
				time.Sleep(60 * time.Millisecond)
				_, _ = io.WriteString(w, "piece")
			}
			w.Close()
		}()
		res, err := c.Post("https://"+serve(t, s), "text/plain", r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(b) != strings.Repeat("25 <nil> ", 5) {
			t.Errorf("h2 %v: %q, %v", h2, b, err)
		}
	}
}

// A client that does not read its answer loses it, whatever the version.
func TestUnreadAnswerIsCutOff(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		got := make(chan error, 1)
		s := &Server{Limits: Limits{Write: 100 * time.Millisecond}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var err error
			for piece := make([]byte, 256<<10); err == nil; {
				_, err = w.Write(piece)
			}
			got <- err
		})}
		c, scheme := http.DefaultClient, "http://" // crypto/tls tries for 5 s to say goodbye
		if h2 {
			c, scheme = withTLS(t, s, h2), "https://"
		}
		res, err := c.Get(scheme + serve(t, s))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-got:
		case <-time.After(patience):
			t.Errorf("h2 %v: the handler still writes", h2)
		}
		res.Body.Close()
	}
}

// A timer that fires late touches neither the next step nor, after its end, the
// request.
func TestWatchdogBitesOnlyItsStep(t *testing.T) {
	bites := 0
	d := watchdog{limit: time.Hour, bite: func(time.Time) error { bites++; return nil }}
	d.start()
	d.fire() // too early: of an older step
	d.stop()
	d.fire()
	d.start()
	d.end()
	d.until = time.Unix(1, 0)
	d.fire()
	d.start()
	if bites != 0 || !d.until.Equal(time.Unix(1, 0)) {
		t.Errorf("%d bites", bites)
	}
	d = watchdog{limit: time.Nanosecond, bite: d.bite, until: time.Unix(1, 0)}
	if d.fire(); bites != 1 {
		t.Error("no bite when the time has come")
	}
}

// The average speed counts after a while, by the clock.
func TestTricklingBodyIsCutOff(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	b := &body{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 1000))), started: clock, rate: 256,
		now: func() time.Time { return clock }, dog: watchdog{limit: patience, bite: func(time.Time) error { return nil }}}
	one := make([]byte, 1)
	for i, step := range []time.Duration{0, grace, time.Second / 256, time.Second} {
		clock = clock.Add(step)
		if _, err := b.Read(one); errors.Is(err, ErrSlow) != (i == 3) {
			t.Errorf("read %d: %v", i, err)
		}
	}
}

// What a handler leaves of a body is read before the answer, and the connection
// serves on; a background read of net/http does not end a long answer.
func TestUnreadBodyKeepsTheConnection(t *testing.T) {
	s := &Server{Limits: Limits{Read: 150 * time.Millisecond}}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1))
		for range 4 {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		if r.Context().Err() != nil {
			t.Error("the request was cancelled")
		}
	})
	c := raw(t, serve(t, s), strings.Repeat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", 2))
	r := bufio.NewReader(c)
	for range 2 {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "xxxx" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
}

// A body that is announced and never sent does not hold its handler.
func TestAnnouncedBodyThatNeverComes(t *testing.T) {
	s := &Server{Limits: Limits{Read: 100 * time.Millisecond}, Handler: http.NotFoundHandler()}
	c := raw(t, serve(t, s), "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusNotFound || !res.Close {
		t.Errorf("%v, %v", res, err)
	}
}

// With Expect an early answer comes before any of the body (RFC 9110 §10.1.1).
func TestEarlyAnswerToExpect(t *testing.T) {
	s := &Server{Handler: http.NotFoundHandler()}
	c := raw(t, serve(t, s), "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", res, err)
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := &Server{Handler: http.NotFoundHandler(), Limits: Limits{PerAddress: 2},
			Trusted: func(a netip.Addr) bool { return trusted && a.IsLoopback() }}
		addr := serve(t, s)
		answered := func() bool {
			c := raw(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, err := http.ReadResponse(bufio.NewReader(c), nil)
			return err == nil
		}
		for i := range 3 {
			if got := answered(); got != (i < 2 || trusted) {
				t.Errorf("trusted %v, connection %d: answered %v", trusted, i+1, got)
			}
		}
	}
}

func TestClosedConnectionsAreNotCounted(t *testing.T) {
	c := counter{total: 3, each: 2, open: map[netip.Prefix]int{}}
	a, b := network(netip.MustParseAddr("2001:db8::1")), network(netip.MustParseAddr("192.0.2.1"))
	if a != network(netip.MustParseAddr("2001:db8::ffff")) || !c.add(a, false) || !c.add(a, false) || c.add(a, false) {
		t.Error("a /64 has two")
	}
	if c.add(b, false) {
		t.Error("more than in all")
	}
	for range 3 {
		c.done(a)
	}
	if c.done(b); c.count != 0 || len(c.open) != 0 {
		t.Errorf("left: %+v", c.open)
	}
}

func TestPanicIsAnsweredWithANumber(t *testing.T) {
	var log bytes.Buffer
	ring := trace.NewRing("https")
	s := &Server{Log: slog.New(slog.NewTextHandler(&log, nil)), NewTrace: ring.New, Private: []string{"/s/"}}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("begun") {
			fmt.Fprint(w, "begun")
			w.(http.Flusher).Flush()
		}
		panic("an accident")
	})
	base := "http://" + serve(t, s)
	res, text := get(t, http.DefaultClient, base+"/s/secret")
	id := res.Header.Get("X-Request-Id")
	if res.StatusCode != 500 || id == "" || !strings.Contains(text, id) || strings.Contains(text, "accident") {
		t.Errorf("%d %q %q", res.StatusCode, id, text)
	}
	if !strings.Contains(log.String(), "an accident") || !strings.Contains(log.String(), id) || strings.Contains(log.String(), "secret") {
		t.Errorf("log: %s", log.String())
	}
	if told := ring.Recent()[0].String(); !strings.Contains(told, "status=500") || strings.Contains(told, "secret") {
		t.Errorf("trace: %s", told)
	}
	res, err := http.Get(base + "/?begun")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("an answer cut off by a panic looks whole")
	}
}

func TestShutdownLetsRequestsEnd(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-goOn
		fmt.Fprint(w, "whole")
	})}
	addr := serve(t, s)
	text := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + addr)
		if err != nil {
			text <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		text <- string(b)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	close(goOn)
	if got, err := <-text, <-stopped; got != "whole" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestProxiesAreBelievedAndOthersNot(t *testing.T) {
	s := &Server{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:1", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "nonsense", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "2001:db8::1", "2001:db8::1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
		if got := s.client(r, nil).String(); got != c.want {
			t.Errorf("%s for %q is %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
