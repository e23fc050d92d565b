package smtp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A transcript is what the client says and how the reply begins; "" as reply
// means that none is waited for.
func transcript(t *testing.T, p *peer, lines ...string) {
	t.Helper()
	for i := 0; i+1 < len(lines); i += 2 {
		if lines[i] != "" {
			fmt.Fprint(p, lines[i]+"\r\n")
		}
		if want := lines[i+1]; want != "" {
			if got := p.expect(want[:3]); !strings.HasPrefix(got, want) {
				t.Errorf("%.80q: got %q, want %q", lines[i], got, want)
			}
		}
	}
}

func TestCommands(t *testing.T) {
	_, addr := serve(t, MX, func(s *Server) { s.Limits.Pause = time.Millisecond })
	long := strings.Repeat("a", 65)
	for name, lines := range map[string][]string{
		"order": {"MAIL FROM:<a@b.test>", "503 5.5.1", "EHLO", "501", "EHLO me", "250", "RCPT TO:<c@d.test>", "503", "DATA", "503", "BDAT 3 LAST", "",
			"abcNOOP", "503", "", "250", "MAIL FROM:<a@b.test>", "250 2.1.0", "MAIL FROM:<a@b.test>", "503", "DATA", "554 5.5.1", "DATA x", "501", "RSET", "250", "DATA", "503"},
		"paths": {"EHLO me", "250", "MAIL FROM:a@b.test", "501", "MAIL FROM:<a@b.test", "501", "MAIL FROM:<a@b.test>x", "501", "MAIL TO:<a@b.test>", "501",
			"MAIL FROM:<" + long + "@b.test>", "553", "MAIL FROM:<a b@c.test>", "553", "MAIL FROM:<a@b..test>", "553", "MAIL FROM:<@a>", "501", "MAIL FROM:<é@b.test>", "550 5.6.7",
			"MAIL FROM: <@relay.test:\"a b>\\\"\"@b.test>", "250", "RCPT TO:<>", "553", "RCPT TO:<c>", "553", "RCPT TO:<c@[192.0.2.1]>", "250", "RCPT TO:<c@[IPv6:2001:db8::1]>", "250",
			"RCPT TO:<Postmaster>", "250", "RCPT TO:<é@d.test>", "553 5.6.7", "RSET", "250", "mail from:<é@b.test> smtputf8", "250", "rcpt to:<é@d.test>", "250", "RSET", "250", "MAIL FROM:<>", "250"},
		"parameters": {"EHLO me", "250", "MAIL FROM:<> SIZE=x", "501", "MAIL FROM:<> SIZE=99999999999999999999", "552 5.3.4", "MAIL FROM:<> BODY=BINARYMIME", "501", "MAIL FROM:<> RET=SOME", "501",
			"MAIL FROM:<> ENVID=+zz", "501", "MAIL FROM:<> ENVID=+0A", "501", "MAIL FROM:<> FOO=1", "555", "MAIL FROM:<> REQUIRETLS", "555", "MAIL FROM:<> RET=HDRS RET=FULL", "501",
			"MAIL FROM:<> SIZE=10 BODY=8bitmime RET=hdrs ENVID=a+2Bb AUTH=<>", "250", "RCPT TO:<c@d.test> NOTIFY=NEVER,DELAY", "501", "RCPT TO:<c@d.test> NOTIFY=SOON", "501",
			"RCPT TO:<c@d.test> ORCPT=rfc822", "501", "RCPT TO:<c@d.test> X=1", "555", "RCPT TO:<c@d.test> NOTIFY=success,failure ORCPT=rfc822;x+2By@d.test", "250"},
		"others": {"HELP", "214", "NOOP anything", "250", "VRFY", "501", "VRFY c", "252", "EXPN c", "502", "STARTTLS x", "501", "AUTH PLAIN AA==", "502", "LHLO me", "500", "SOMETHING", "500 5.5.2",
			"", "", "HELO me", "250 mx.test", "QUIT", "221 2.0.0"},
	} {
		t.Run(name, func(t *testing.T) { transcript(t, dial(t, addr), lines...) })
	}
}

func TestParametersArrive(t *testing.T) {
	sh, addr := serve(t, MX)
	p := dial(t, addr)
	transcript(t, p, "EHLO me", "250", "MAIL FROM:<é@b.test> SIZE=10 SMTPUTF8 RET=HDRS ENVID=a+2Bb", "250", `RCPT TO:<c@d.test> NOTIFY=SUCCESS,DELAY ORCPT=utf-8;\x{E9}+@d.test`, "250", "DATA", "354",
		head+".", "250")
	e := sh.envs[0]
	if e.Size != 10 || !e.UTF8 || e.Ret != "HDRS" || e.EnvID != "a+b" || e.To[0].ORCPT != "utf-8;é+@d.test" || strings.Join(e.To[0].Notify, ",") != "SUCCESS,DELAY" {
		t.Errorf("%+v", e)
	}
}

// Everything in one packet is answered in one, and nothing is taken out of turn.
func TestPipelining(t *testing.T) {
	sh, addr := serve(t, MX)
	p := dial(t, addr)
	fmt.Fprint(p, "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<nobody@d.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"+head+".\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@d.test>\r\nDATA\r\nQUIT\r\n")
	for _, code := range []string{"250", "250", "550", "250", "354", "250", "250", "550", "554", "221"} {
		p.expect(code)
	}
	if len(sh.mail) != 1 || sh.mail[0] != head || len(sh.envs[0].To) != 1 {
		t.Errorf("%q to %+v", sh.mail, sh.envs)
	}
}

func TestChunks(t *testing.T) {
	sh, addr := serve(t, MX)
	p := dial(t, addr)
	p.envelope()
	fmt.Fprintf(p, "BDAT %d\r\n%sBDAT 1\r\n\rNOOP\r\nBDAT 0\r\nBDAT 5 LAST\r\n\n.\r\nx", len(head), head)
	for range 4 {
		p.expect("250")
	}
	p.expect("250 2.0.0 Accepted")
	if want := head + "\r\n.\r\nx"; len(sh.mail) != 1 || sh.mail[0] != want {
		t.Errorf("stored %q", sh.mail)
	}
	p.say("MAIL FROM:<a@b.test>", "250")
	transcript(t, p, "RCPT TO:<c@d.test>", "250", "BDAT 3", "", "abcRSET", "250", "", "250", "MAIL FROM:<a@b.test>", "250", "BDAT 3 LAST", "", "abcRCPT TO:<c@d.test>", "554", "", "250", "DATA", "354", head+".", "250",
		"MAIL FROM:<a@b.test>", "250", "RCPT TO:<c@d.test>", "250", "BDAT 2", "", "a\nBDAT 6 LAST", "550 5.6.11", "more", "503")
	fmt.Fprint(p, "BDAT x\r\n")
	p.expect("501")
	if _, err := p.r.ReadByte(); err == nil {
		t.Error("the session goes on behind a chunk of unknown length")
	}
	if len(sh.mail) != 2 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

func TestChunksBeyondTheSize(t *testing.T) {
	sh, addr := serve(t, MX)
	p := dial(t, addr)
	p.envelope()
	fmt.Fprint(p, "BDAT 9000\r\n", strings.Repeat("x", 9000), "BDAT 9000 LAST\r\n", strings.Repeat("x", 9000), "NOOP\r\n")
	p.expect("250")
	p.expect("552 5.3.4")
	p.expect("250")
	p.envelope()
	fmt.Fprint(p, "BDAT 9999999999999\r\n", strings.Repeat("x", 30_000))
	p.expect("552")
	if len(sh.mail) != 0 {
		t.Error("it was stored")
	}
}

// How many messages one connection may bring is a limit for strangers, who are
// told it (RFC 9422 §4.1); a relay of the house is neither told nor cut.
func TestMailsOfAConnection(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		trusted  bool
		stranger bool
	}{{MX, false, true}, {MX, true, false}, {LMTP, false, false}} {
		sh, addr := serve(t, c.kind, func(s *Server) { s.Limits.Mails, s.Limits.TrustLoopback = 2, c.trusted })
		p := dial(t, addr)
		hello := p.say(map[Kind]string{MX: "EHLO me", LMTP: "LHLO me"}[c.kind], "250")
		if strings.Contains(hello, "LIMITS MAILMAX=2 RCPTMAX=1000") != c.stranger || !strings.Contains(hello, "RCPTMAX=1000") {
			t.Errorf("%+v: %q", c, hello)
		}
		want := 5
		if c.stranger {
			want = 2
		}
		for range want {
			transcript(t, p, "MAIL FROM:<a@b.test>", "250", "RCPT TO:<c@d.test>", "250", "DATA", "354", head+".", "250")
		}
		if c.stranger {
			p.say("MAIL FROM:<a@b.test>", "421 4.7.0")
			if _, err := p.r.ReadByte(); err == nil {
				t.Error("the session goes on")
			}
		}
		if len(sh.mail) != want {
			t.Errorf("%+v: %d messages", c, len(sh.mail))
		}
	}
}

func TestLMTPAnswersForEveryRecipient(t *testing.T) {
	sh, addr := serve(t, LMTP)
	p := dial(t, addr)
	transcript(t, p, "EHLO me", "500", "LHLO me", "250", "MAIL FROM:<a@b.test>", "250", "RCPT TO:<c@d.test>", "250", "RCPT TO:<nobody@d.test>", "550", "RCPT TO:<e@d.test>", "250", "DATA", "354",
		head+".", "250 2.0.0 <c@d.test>", "", "250 2.0.0 <e@d.test>", "MAIL FROM:<a@b.test>", "250", "RCPT TO:<c@d.test>", "250", "RCPT TO:<e@d.test>", "250", "DATA", "354",
		"bare\n.\r\n.", "550", "", "550", "QUIT", "221")
	if len(sh.mail) != 1 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

func TestAuthExchange(t *testing.T) {
	_, addr := serve(t, Submission, func(s *Server) { s.ImplicitTLS, s.Limits.Pause = true, time.Millisecond })
	for _, lines := range [][]string{
		{"AUTH PLAIN AA==", "503", "EHLO me", "250", "AUTH NONE", "504", "AUTH PLAIN !", "501", "AUTH PLAIN", "334 ", "*", "501", "AUTH PLAIN =", "535 5.7.8", "AUTH PLAIN AHpvZQBwYXNz", "235 2.7.0", "AUTH PLAIN", "503",
			"MAIL FROM:<a@b.test>", "250"},
		{"EHLO me", "250", "AUTH LOGIN em9l", "334 UGFzc3dvcmQ6", "cGFzcw==", "235"},
		{"EHLO me", "250", "AUTH PLAIN", "334", strings.Repeat("A", 13_000), "500 5.5.6", "NOOP", "250"},
		{"EHLO me", "250", "AUTH PLAIN AHpvZQBx", "535", "AUTH PLAIN AHpvZQBx", "535", "AUTH PLAIN AHpvZQBx", "535"},
	} {
		p := secure(t, addr, &tls.Config{InsecureSkipVerify: true})
		transcript(t, p, lines...)
		if lines[len(lines)-1] == "535" {
			if _, err := p.r.ReadByte(); err == nil {
				t.Error("guessing goes on")
			}
		}
	}
}

func TestLimitsOfASession(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Limits)
		lines  []string
	}{
		"recipients": {func(l *Limits) { l.Recipients = 2 }, []string{"EHLO me", "250", "MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250", "RCPT TO:<b@b.test>", "250", "RCPT TO:<c@b.test>", "452 4.5.3", "DATA", "354", head + ".", "250"}},
		"commands":   {func(l *Limits) { l.Commands = 3 }, []string{"EHLO me", "250", "NOOP", "250", "NOOP", "250", "NOOP", "421 4.7.0"}},
		"errors":     {func(l *Limits) { l.Errors = 2 }, []string{"BAD", "500", "BAD", "500", "BAD", "421 4.7.0"}},
		"long line":  {func(*Limits) {}, []string{"EHLO me", "250", "NOOP " + strings.Repeat("x", 3000), "500 5.5.6", "NOOP", "250", "NOOP " + strings.Repeat("x", 100_000), "500 5.5.6", "NOOP", "250"}},
		"web page":   {func(*Limits) {}, []string{"GET / HTTP/1.1", "421"}},
		"line":       {func(l *Limits) { l.Line = 100 }, []string{"EHLO me", "250", "MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354", head + strings.Repeat("x", 99) + "\r\n.", "554 5.6.0", "NOOP", "250"}},
		"memory":     {func(l *Limits) { l.InFlight = 10 }, []string{"EHLO me", "250", "MAIL FROM:<>", "250", "RCPT TO:<a@b.test>", "250", "DATA", "354", head + ".", "452 4.3.2", "NOOP", "250"}},
		"controls":   {func(*Limits) {}, []string{"NOOP \x01", "500", "NOOP \x00", "500", "NOOP\r", "500", "NOOP\nNOOP", "500", "", "250"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, MX, func(s *Server) { s.Limits.Pause = time.Millisecond; c.change(&s.Limits) })
			p := dial(t, addr)
			transcript(t, p, c.lines...)
			if strings.HasPrefix(c.lines[len(c.lines)-1], "421") {
				if _, err := p.r.ReadByte(); err == nil {
					t.Error("the session goes on")
				}
			}
		})
	}
}

// Many connections that do nothing leave room for one that does.
func TestManyConnections(t *testing.T) {
	n := 1000
	if os.Getenv("ESSAIM_LONG") != "" {
		n = 9500
	}
	sh, addr := serve(t, MX, func(s *Server) { s.Limits.Conns = 2 * n })
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Skipf("%d connections and no more: %v", i, err)
		}
		conns = append(conns, c)
		switch i % 4 { // some half-way through a command, a handshake, a message
		case 1:
			fmt.Fprint(c, "EHLO m")
		case 2:
			fmt.Fprint(c, "STARTTLS\r\n\x16\x03\x01")
		case 3:
			fmt.Fprint(c, "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nhalf a line")
		}
	}
	p := dial(t, addr)
	p.envelope()
	transcript(t, p, "DATA", "354", head+".", "250")
	if len(sh.mail) != 1 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

// A client that gives up in the middle of TLS, or of a message, is forgotten.
func TestHalfClosed(t *testing.T) {
	var srv *Server
	sh, addr := serve(t, MX, func(s *Server) { srv = s })
	for _, say := range []string{"", "STARTTLS\r\n", "STARTTLS\r\n\x16\x03", "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" + head, "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT 100 LAST\r\n" + head} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, say)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		r := bufio.NewReader(c)
		for _, err = r.ReadByte(); err == nil; _, err = r.ReadByte() {
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("%q: the server waits for more", say)
		}
		c.Close()
	}
	for range 3000 {
		srv.mu.Lock()
		n := len(srv.conns)
		srv.mu.Unlock()
		if n == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if len(srv.conns) != 0 || len(srv.perIP) != 0 || srv.inFlight.Load() != 0 || len(sh.mail) != 0 {
		t.Errorf("%d connections, %d addresses, %d bytes, %d messages left", len(srv.conns), len(srv.perIP), srv.inFlight.Load(), len(sh.mail))
	}
}

// A panic in the rooms behind ends one session.
func TestPanicEndsOneSession(t *testing.T) {
	_, addr := serve(t, MX, func(s *Server) { s.Backend = frail{s.Backend} })
	p := dial(t, addr)
	transcript(t, p, "EHLO me", "250", "MAIL FROM:<crash@b.test>", "421 4.3.0")
	transcript(t, dial(t, addr), "EHLO me", "250", "MAIL FROM:<a@b.test>", "250")
}

// Bytes one by one keep a connection from being silent, not from ending.
func TestDrippingClientIsCut(t *testing.T) {
	_, addr := serve(t, MX, func(s *Server) { s.Limits.Transfer = 200 * time.Millisecond })
	p := dial(t, addr)
	p.envelope()
	p.say("DATA", "354")
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				if _, err := p.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	}()
	p.expect("421 4.4.2")
}

// exhausted is a listener out of descriptors for a while.
type exhausted struct {
	net.Listener
	left int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.left > 0 {
		e.left--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return e.Listener.Accept()
}

func TestOutOfDescriptorsIsWaitedOut(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &Server{Hostname: "mx.test", Backend: &shelf{}, Logger: slog.New(slog.DiscardHandler)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(&exhausted{ln, 3}) }()
	transcript(t, dial(t, ln.Addr().String()), "EHLO me", "250")
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whatever is thrown at it in one go, a session answers for a while and ends.
func TestGarbage(t *testing.T) {
	sh, addr := serve(t, MX, func(s *Server) { s.Limits.Pause = time.Microsecond })
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	for name, say := range map[string][]byte{
		"noise": noise, "one line": bytes.Repeat([]byte("x"), 4<<20), "lines": bytes.Repeat([]byte("\r\n"), 1<<19),
		"NOOPs": bytes.Repeat([]byte("NOOP\r\n"), 1<<17), "TLS": append([]byte("EHLO me\r\nSTARTTLS\r\n"), noise...),
		"resets": bytes.Repeat([]byte("EHLO me\r\nMAIL FROM:<>\r\nRSET\r\n"), 1<<15), "empty chunks": append([]byte("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n"), bytes.Repeat([]byte("BDAT 0\r\n"), 1<<17)...),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			go func() {
				_, _ = c.Write(say)
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			var ne net.Error
			if n, err := io.Copy(io.Discard, c); errors.As(err, &ne) && ne.Timeout() || n > 1<<20 {
				t.Errorf("%d bytes of answers, %v", n, err)
			}
		})
	}
	transcript(t, dial(t, addr), "EHLO me", "250")
	if len(sh.mail) != 0 {
		t.Errorf("%d messages", len(sh.mail))
	}
}
