package imap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A neighbour is a session that must not be disturbed.
func (h *house) neighbour(t *testing.T) *peer {
	t.Helper()
	p := h.in(t, "INBOX")
	t.Cleanup(func() {
		if got := p.ok("UID SEARCH ALL"); len(got) == 0 || got[0] != "* SEARCH" {
			t.Errorf("the neighbour is disturbed: %q", got)
		}
	})
	return p
}

// ended reads to the end of a session, and returns what was said.
func (p *peer) ended() string {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(p.br)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("the session does not end: %q", b)
	}
	return string(b)
}

// What is malformed has a BAD, and the next command is understood.
func TestMalformedCommands(t *testing.T) {
	h := newHouse(t)
	h.neighbour(t)
	p := h.in(t, "INBOX")
	for _, c := range []string{
		"SELECT {", "SELECT {}", "SELECT {x}", "SELECT {-1}", "SELECT {+}", "SELECT {5", "SELECT {5+", "SELECT {99999999999999999999}", "SELECT {5}x", "SELECT {1+}\r\n\xff",
		`SELECT "open`, `SELECT "a\b"`, "SELECT", "SELECT INBOX (", "SELECT INBOX (X)", "SELECT a b", "NOOP x", "NOOP " + strings.Repeat("(", 4000),
		"FETCH", "FETCH 1", "FETCH 0 FLAGS", "FETCH 1:0 FLAGS", "FETCH 4294967296 FLAGS", "FETCH 1 (" + strings.Repeat("(", 3000), "FETCH 1 BODY[" + strings.Repeat("1.", 100) + "1]",
		"FETCH 1 (" + strings.Repeat("BODY.PEEK[] ", 200) + "UID)", "FETCH 1 BODY[]<0.0>", "STORE 1 FLAGS", `STORE 1 FLAGS (\)`, "SEARCH " + strings.Repeat("NOT ", 1000) + "ALL",
		"SEARCH " + strings.Repeat("(", 1000), "UID", "UID NOOP", "UID FETCH", "APPEND INBOX", "APPEND INBOX (\\Seen", `APPEND INBOX "1-Jan-2026" {1+}` + "\r\nx", "XYZZY", "LIST", `LIST "" (` + strings.Repeat("a ", 200) + "b)",
		`STATUS INBOX (X)`, "ENABLE", "SETACL INBOX x", "\x00", "\xff\xfe",
	} {
		if _, l := p.cmd("m", c); !strings.HasPrefix(l, "m BAD") && !strings.HasPrefix(l, "* BAD") {
			t.Errorf("%.60q: %s", c, l)
		}
	}
	for _, c := range []string{"SEARCH " + strings.Repeat("SEEN ", 600) + "ALL", "SEARCH " + strings.Repeat("TEXT abc ", 60) + "ALL"} {
		if _, l := p.cmd("m", c); !strings.HasPrefix(l, "m NO [LIMIT]") {
			t.Errorf("%.60q: %s", c, l)
		}
	}
	p.ok("NOOP")
}

// Lines and literals without end are cut, with a word.
func TestTooMuch(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.Message = 1 << 20 })
	h.neighbour(t)
	long := strings.Repeat("x", 70<<10)
	p := h.in(t, "")
	for _, c := range []string{"SELECT " + long, `SELECT "` + long + `"`, fmt.Sprintf("SELECT {%d+}\r\n%s", len(long), long), `LIST "" ` + strings.Repeat("*", 2000), "SEARCH " + long} {
		if _, l := p.cmd("l", c); !strings.HasPrefix(l, "l BAD [TOOBIG]") && !strings.HasPrefix(l, "l BAD no mailbox") {
			t.Errorf("%.60q: %s", c, l)
		}
	}
	if _, l := p.cmd("l", fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", 2<<20, strings.Repeat("y", 2<<20))); !strings.HasPrefix(l, "l NO [TOOBIG]") {
		t.Error(l)
	}
	if _, l := p.cmd("l", "APPEND INBOX {99999999999}"); !strings.HasPrefix(l, "l NO [TOOBIG]") {
		t.Error(l)
	}
	p.ok("NOOP")

	for name, text := range map[string]string{
		"a line":         "a SELECT ",
		"a quoted text":  `a SELECT "`,
		"a line's end":   "a NOOP x",
		"a line of tags": "",
	} {
		p := h.in(t, "")
		go func() { // the session ends before all of it is written
			io.WriteString(p.nc, text)
			for range 40 {
				if _, err := io.WriteString(p.nc, strings.Repeat("z", 64<<10)); err != nil {
					return
				}
			}
		}()
		if got := p.ended(); !strings.Contains(got, "BAD") || !strings.Contains(got, "* BYE") {
			t.Errorf("%s without end: %q", name, got)
		}
	}
	p = h.in(t, "")
	p.send("a APPEND INBOX {999999999+}\r\n")
	if got := p.ended(); !strings.Contains(got, "a NO [TOOBIG]") || !strings.Contains(got, "* BYE") {
		t.Errorf("a literal without end: %q", got)
	}
	stranger := h.dial(t)
	stranger.line()
	stranger.send("a LOGIN {9000}\r\n")
	if l := stranger.line(); !strings.HasPrefix(l, "a BAD [TOOBIG]") {
		t.Error(l)
	}
}

// Garbage that comes all at once is answered line by line after login, and ends
// the session soon before.
func TestPipelinedGarbage(t *testing.T) {
	h := newHouse(t)
	h.neighbour(t)
	const n = 5000
	p := h.in(t, "")
	go io.WriteString(p.nc, strings.Repeat("garbage\r\n", n/2)+strings.Repeat("g XYZZY {0}\r\n", n/2)+"z NOOP\r\n")
	bad := 0
	for l := p.line(); l != "z OK NOOP completed"; l = p.line() {
		if !strings.Contains(l, " BAD ") {
			t.Fatal(l)
		}
		bad++
	}
	if bad != n {
		t.Errorf("%d answers for %d lines", bad, n)
	}
	q := h.dial(t)
	go io.WriteString(q.nc, strings.Repeat("GET / HTTP/1.1\r\n", 1000))
	if got := q.ended(); strings.Count(got, "BAD") != 5 || !strings.Contains(got, "* BYE") {
		t.Errorf("%q", got)
	}
}

// A client that reads nothing, or leaves a command half said, is let go, and holds up nobody.
func TestSlowClients(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.Write, s.Limits.Read = 300*time.Millisecond, 300*time.Millisecond })
	h.deliver(t, "INBOX", hello+strings.Repeat("some words in a line\n", 40_000))
	p := h.in(t, "INBOX")
	p.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	p.send("f FETCH 1 (" + strings.Repeat("BODY.PEEK[] ", 90) + "UID)\r\n") // 75 MB that nobody reads
	q := h.in(t, "INBOX")
	q.send("a APPEND INBOX {100}\r\n")
	if l := q.line(); l != "+ " {
		t.Fatal(l)
	}
	q.send("half of ")
	n := h.in(t, "INBOX")
	for end := time.Now().Add(time.Minute); h.srv.Counters.Open.Load() > 1; time.Sleep(20 * time.Millisecond) {
		n.ok("FETCH 1 BODY.PEEK[HEADER]")
		if time.Now().After(end) {
			t.Fatalf("%d sessions hold on", h.srv.Counters.Open.Load())
		}
	}
	if got := n.ok("STATUS INBOX (MESSAGES)"); !strings.Contains(got[0], "MESSAGES 1)") {
		t.Errorf("half a message is there: %q", got)
	}
}

// A client that has said its last is answered before the connection ends, with
// TLS and without.
func TestHalfClosed(t *testing.T) {
	h := newHouse(t)
	h.neighbour(t)
	for name, p := range map[string]*peer{"TCP": h.dial(t), "TLS": h.dialTLS(t)} {
		p.line()
		p.ok("LOGIN zoe@coop.example secret")
		p.send("a NOOP\r\nb CAPABILITY\r\n")
		must(t, p.nc.(interface{ CloseWrite() error }).CloseWrite())
		if got := p.ended(); !strings.Contains(got, "a OK") || !strings.Contains(got, "b OK") {
			t.Errorf("%s: %q", name, got)
		}
	}
	nc, err := net.Dial("tcp", h.tls)
	must(t, err)
	io.WriteString(nc, "a LOGIN zoe@coop.example secret\r\n") // no TLS at all
	newPeer(t, nc).ended()
	nc, err = net.Dial("tcp", h.tls)
	must(t, err)
	nc.Close()
	c := h.dial(t)
	c.line()
	c.send("a STARTTLS\r\nb LOGIN zoe@coop.example secret\r\n") // injected before the handshake
	c.line()
	tc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err == nil {
		p := newPeer(t, tc)
		if _, l := p.cmd("c", "LIST \"\" *"); !strings.HasPrefix(l, "c BAD") {
			t.Error("what was said before TLS counts after it:", l)
		}
	}
}

// Thousands of sessions are served; one more than may be is told so.
func TestManyConnections(t *testing.T) {
	n := 2000
	if os.Getenv("ESSAIM_LONG") != "" {
		n = 10_000
	}
	var lim syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim))
	if lim.Cur < uint64(2*n+200) {
		lim.Cur = min(lim.Max, uint64(2*n+200))
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	}
	if n = min(n, (int(min(lim.Cur, 1<<30))-200)/2); n < 300 {
		t.Skipf("%d descriptors are too few", lim.Cur)
	}
	h := newHouse(t, func(s *Server) { s.Limits.Conns, s.Limits.PerAccount = n+1, n+1 })
	h.neighbour(t)
	peers := make([]*peer, n)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				nc, err := net.Dial("tcp", h.addr)
				if err != nil {
					t.Error(err)
					return
				}
				p := newPeer(t, nc)
				p.line()
				io.WriteString(nc, "a LOGIN zoe@coop.example secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
				for l := p.line(); !strings.HasPrefix(l, "+ "); l = p.line() {
					if l[0] == '!' {
						t.Error(i, l)
						return
					}
				}
				peers[i] = p
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	last := h.dial(t)
	if l := last.line(); !strings.HasPrefix(l, "* BYE [UNAVAILABLE]") {
		t.Error(l)
	}
	h.deliver(t, "INBOX", hello)
	for i, p := range peers {
		p.nc.SetReadDeadline(time.Now().Add(time.Minute))
		if l, err := p.br.ReadString('\n'); l != "* 1 EXISTS\r\n" {
			t.Fatalf("session %d: %q, %v", i, l, err)
		}
	}
}

// A client that speaks a byte at a time, or stops in the middle of a literal, has
// so long and no longer for a command; nothing of it is kept.
func TestDrippingClients(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.Command = 400 * time.Millisecond })
	n := h.in(t, "INBOX")
	for _, say := range []string{"a NOOP ", "a SELECT \"", "a SELECT {2000+}\r\n", "a APPEND INBOX {2000+}\r\n", "a UID FETCH (", "a XYZZY "} {
		p := h.in(t, "")
		p.send(say)
		go func() {
			for {
				if _, err := io.WriteString(p.nc, "x"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		if got := p.ended(); !strings.HasSuffix(got, "\r\n") || !strings.Contains(got, "* BYE ") {
			t.Errorf("%q: %q", say, got)
		}
		n.ok("NOOP")
	}
	if got := n.ok("STATUS INBOX (MESSAGES)"); !strings.Contains(got[0], "MESSAGES 0)") {
		t.Errorf("half a message is there: %q", got)
	}
}

// A literal that ends before it should, as the client has, is forgotten.
func TestTruncatedLiterals(t *testing.T) {
	h := newHouse(t)
	h.neighbour(t)
	for _, say := range []string{"a SELECT {5+}\r\nINB", "a APPEND INBOX {100+}\r\nSubject: x\r\n\r\nhalf", "a APPEND INBOX {10+}\r\nSubject: x", "a APPEND INBOX {99", "a LOGIN {3+}\r\nzoe {9+}\r\nsec"} {
		for name, p := range map[string]*peer{"TCP": h.in(t, ""), "TLS": h.dialTLS(t)} {
			if name == "TLS" {
				p.line()
				p.ok("LOGIN zoe@coop.example secret")
			}
			p.send(say)
			must(t, p.nc.(interface{ CloseWrite() error }).CloseWrite())
			if got := p.ended(); strings.Contains(got, "a OK") {
				t.Errorf("%s, %q: %q", name, say, got)
			}
		}
	}
	if got := h.in(t, "").ok("STATUS INBOX (MESSAGES)"); !strings.Contains(got[0], "MESSAGES 0)") {
		t.Errorf("half a message is there: %q", got)
	}
}
