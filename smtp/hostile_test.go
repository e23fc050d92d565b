package smtp

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// neighbour is a session that must not be disturbed: when the test ends it
// hands a message in.
func neighbour(t *testing.T, sh *shelf, addr string) {
	t.Helper()
	p := dial(t, addr)
	p.say("EHLO neighbour", "250")
	t.Cleanup(func() {
		_ = p.SetDeadline(time.Now().Add(60 * time.Second))
		transcript(t, p, "MAIL FROM:<n@b.test>", "250", "RCPT TO:<c@d.test>", "250", "DATA", "354", head+".", "250")
		sh.mu.Lock()
		defer sh.mu.Unlock()
		if n := len(sh.mail); n == 0 || sh.mail[n-1] != head {
			t.Errorf("the neighbour's message is not among %d", n)
		}
	})
}

// forever writes text again and again until the other side has had enough.
func forever(c net.Conn, text string) {
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// drip writes a byte at a time, far more often than a silent client is cut.
func drip(c net.Conn, every time.Duration) {
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(every)
	}
}

// A message that is too large is refused, announced (RFC 1870 §6.1), unannounced
// (§6.3) and announced as small, and the session goes on.
func TestTooLargeIsToldAndTheSessionGoesOn(t *testing.T) {
	sh, addr := serve(t, MX)
	neighbour(t, sh, addr)
	large := "From: a@b.test\r\n\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 20) + "."
	p := dial(t, addr)
	transcript(t, p, "EHLO me", "250", "MAIL FROM:<> SIZE=10001", "552 5.3.4", "RCPT TO:<a@b.test>", "503",
		"MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354", large, "552 5.3.4",
		"MAIL FROM:<> SIZE=10", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354", large, "552 5.3.4",
		"MAIL FROM:<> SIZE=10000", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354", head+".", "250")
	if len(sh.mail) != 1 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

// What does not end is cut with a word, wherever it is sent.
func TestWithoutEnd(t *testing.T) {
	var srv *Server
	sh, addr := serve(t, MX, func(s *Server) { srv = s })
	neighbour(t, sh, addr)
	line := strings.Repeat("x", 997)
	for name, c := range map[string]struct {
		data       bool
		text, want string
	}{
		"a command":           {false, line, "421 4.7.0"},
		"a message of lines":  {true, line + "\r\n", "552 5.3.4"},
		"a message's line":    {true, line, "552 5.3.4"},
		"a message's bare LF": {true, line + "\n", "55"},
		"a message of dots":   {true, "....\r\n", "552 5.3.4"},
	} {
		t.Run(name, func(t *testing.T) {
			p := dial(t, addr)
			if p.say("EHLO me", "250"); c.data {
				transcript(t, p, "MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354")
			}
			go forever(p.Conn, c.text)
			if got, err := p.r.ReadString('\n'); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q, %v", got, err)
			}
			if rest, _ := io.ReadAll(p.r); len(rest) != 0 {
				t.Errorf("the session goes on: %q", rest)
			}
		})
	}
	if n := srv.inFlight.Load(); n != 0 || len(sh.mail) != 0 {
		t.Errorf("%d bytes are held, %d messages stored", n, len(sh.mail))
	}
}

// A client that speaks a byte at a time has no longer than one that is silent.
func TestSlowClients(t *testing.T) {
	short := 300 * time.Millisecond
	_, lines := serve(t, MX, func(s *Server) { s.Limits.Read = short })
	sh, addr := serve(t, MX, func(s *Server) { s.Limits.Transfer, s.Limits.Handshake = short, short })
	quick := dial(t, addr)
	quick.say("EHLO quick", "250")
	for name, c := range map[string]struct{ addr, say, code, want string }{
		"a command":   {lines, "EHLO me\r\n", "250", "421 4.4.2"},
		"DATA":        {addr, "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", "354", "421 4.4.2"},
		"a chunk":     {addr, "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT 9000\r\n", "250", "421 4.4.2"},
		"a handshake": {addr, "EHLO me\r\nSTARTTLS\r\n\x16\x03\x01\x02\x00", "220", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := dial(t, c.addr)
			fmt.Fprint(p, c.say)
			go drip(p.Conn, 10*time.Millisecond)
			all, err := io.ReadAll(p.r)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatalf("it goes on: %q", all)
			}
			i := strings.LastIndex(strings.TrimSuffix(string(all), "\r\n"), "\n") + 1
			if last := string(all[i:]); !strings.Contains(string(all), c.code) || !strings.HasPrefix(last, c.want) {
				t.Errorf("%q, then %v", all, err)
			}
			quick.say("NOOP", "250")
		})
	}
	transcript(t, quick, "MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250")
	if len(sh.mail) != 0 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

// A client may end TLS its way once it has said everything (RFC 8446 §6.1): it
// is answered; what it has said half of is not stored.
func TestHalfClosedTLS(t *testing.T) {
	sh, addr := serve(t, MX)
	neighbour(t, sh, addr)
	for say, want := range map[string]string{
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" + head + ".\r\n":                                   "250 2.0.0 Accepted",
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" + head:                                             "354",
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT " + fmt.Sprint(len(head)+1) + " LAST\r\n" + head:        "250",
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT " + fmt.Sprint(len(head)) + " LAST\r\n" + head + "QUIT": "250 2.0.0 Accepted",
	} {
		p := dial(t, addr)
		transcript(t, p, "EHLO me", "250", "STARTTLS", "220")
		c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
		if _, err := io.WriteString(c, say); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatalf("%q: the server waits for more", say)
		}
		lines := strings.Split(strings.TrimSpace(string(all)), "\r\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, want) {
			t.Errorf("%q: %q", say, all)
		}
	}
	if len(sh.mail) != 2 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

// Who is one too many, of an address or of all, hears so; who is not is served.
func TestConnectionsBeyondTheLimits(t *testing.T) {
	sh, addr := serve(t, MX, func(s *Server) { s.Limits.TrustLoopback, s.Limits.PerIP, s.Limits.Conns = false, 3, 41 })
	neighbour(t, sh, addr)
	from := func(ip string) string {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Skipf("no connection from %s: %v", ip, err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
		l, _ := bufio.NewReader(c).ReadString('\n')
		return l[:min(3, len(l))]
	}
	var got [4]string
	for i := range 40 {
		got[i%4] = from(fmt.Sprintf("127.7.%d.1", i/4))
		if i%4 == 3 && got != [4]string{"220", "220", "220", "421"} {
			t.Fatalf("of one address: %q", got)
		}
	}
	for i := range 10 { // 1 and 30 are there
		if l := from(fmt.Sprintf("127.8.%d.1", i)); l != "220" {
			t.Fatalf("connection %d of all: %s", 32+i, l)
		}
	}
	if l := from("127.9.0.1"); l != "421" {
		t.Errorf("one more than all: %s", l)
	}
}
