package smtp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/smtp/smtpclient"
)

// shelf keeps what was delivered.
type shelf struct {
	mu   sync.Mutex
	mail []string
	envs []Envelope
}

func (s *shelf) Sender(context.Context, *Envelope) error { return nil }

func (s *shelf) Recipient(_ context.Context, _ *Envelope, r Rcpt) error {
	if strings.HasPrefix(r.Addr, "nobody") {
		return &Error{550, "5.1.1", "No such address here"}
	}
	if strings.HasPrefix(r.Addr, "panic") {
		return fmt.Errorf("secret detail")
	}
	return nil
}

func (s *shelf) Deliver(_ context.Context, e *Envelope, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail, s.envs = append(s.mail, string(b)), append(s.envs, *e)
	return nil
}

type oneMember struct{}

func (oneMember) Password(name, password string) (sasl.Login, error) {
	if name == "zoe" && password == "pass" {
		return sasl.Login{Account: 1, Address: "zoe"}, nil
	}
	return sasl.Login{}, sasl.ErrCredentials
}

func (oneMember) SCRAM(string) (sasl.Credentials, error) { return sasl.Credentials{}, nil }
func (oneMember) Holds(sasl.Login) bool                  { return true }
func (oneMember) Watch(func()) (stop func())             { return func() {} }

func serve(t *testing.T, kind Kind, change ...func(*Server)) (*shelf, string) {
	t.Helper()
	cert, err := certs.Throwaway(t.TempDir(), []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sh := &shelf{}
	srv := &Server{Kind: kind, Hostname: "mx.test", Backend: sh, Auth: oneMember{}, TLS: &tls.Config{GetCertificate: cert.Get},
		Logger: slog.New(slog.DiscardHandler), Limits: Limits{TrustLoopback: true, Message: 10_000}}
	for _, f := range change {
		f(srv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sh, ln.Addr().String()
}

// A peer speaks SMTP line by line.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	p := &peer{t, c, bufio.NewReader(c)}
	p.expect("220")
	return p
}

// expect reads a reply and returns it.
func (p *peer) expect(code string) string {
	p.t.Helper()
	var all string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", code, err)
		}
		all += line
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, code) {
			p.t.Fatalf("got %q, want %s", line, code)
		}
		return all
	}
}

func (p *peer) say(line, code string) string {
	p.t.Helper()
	fmt.Fprint(p, line+"\r\n")
	return p.expect(code)
}

func (p *peer) envelope() {
	p.t.Helper()
	p.say("EHLO me", "250")
	p.say("MAIL FROM:<a@b.test>", "250")
	p.say("RCPT TO:<c@d.test>", "250")
}

const head = "From: a@b.test\r\n\r\nhello\r\n"

// What another server could take for the end of data, or for a line end, is
// never stored and never ends our data.
func TestSmugglingIsRefused(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n", "\r\r\n.\r\r\n", "\n\n.\r\n", "\r\n.\x00\r\n.\n", "\x00\n.\n"} {
		sh, addr := serve(t, MX)
		p := dial(t, addr)
		p.envelope()
		p.say("DATA", "354")
		fmt.Fprintf(p, "%sx%sMAIL FROM:<evil@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n%s\r\n.\r\n", head, end, head)
		p.expect("55")
		p.say("NOOP", "250")
		if len(sh.mail) != 0 {
			t.Errorf("%q: %d messages stored", end, len(sh.mail))
		}
		p.envelope()
		chunk := head + "x" + end
		fmt.Fprintf(p, "BDAT %d LAST\r\n%s", len(chunk), chunk)
		p.expect("55")
		if len(sh.mail) != 0 {
			t.Errorf("%q: BDAT stored it", end)
		}
	}
}

func TestBytesArriveAsSent(t *testing.T) {
	sh, addr := serve(t, MX)
	p := dial(t, addr)
	p.envelope()
	p.say("DATA", "354")
	fmt.Fprint(p, head+"..dot\r\n...\r\ncaf\xc3\xa9\r\n.\r\n")
	p.expect("250")
	if want := head + ".dot\r\n..\r\ncaf\xc3\xa9\r\n"; len(sh.mail) != 1 || sh.mail[0] != want {
		t.Errorf("stored %q", sh.mail)
	}
}

func TestSizeLimitIsExact(t *testing.T) {
	sh, addr := serve(t, MX)
	for size, code := range map[int]string{10_000: "250", 10_001: "552"} {
		p := dial(t, addr)
		p.envelope()
		p.say("DATA", "354")
		body := head + strings.Repeat("x", size-len(head)-2) + "\r\n"
		for i := 900; i < len(body)-3; i += 902 {
			body = body[:i] + "\r\n" + body[i+2:]
		}
		fmt.Fprint(p, body+".\r\n")
		p.expect(code)
	}
	p := dial(t, addr)
	p.say("EHLO me", "250")
	p.say("MAIL FROM:<a@b.test> SIZE=10001", "552")
	if len(sh.mail) != 1 || len(sh.mail[0]) != 10_000 {
		t.Errorf("%d messages", len(sh.mail))
	}
}

func TestRecipientIsRefusedInTheDialogue(t *testing.T) {
	_, addr := serve(t, MX)
	p := dial(t, addr)
	p.say("EHLO me", "250")
	p.say("MAIL FROM:<a@b.test>", "250")
	p.say("RCPT TO:<nobody@d.test>", "550")
	if r := p.say("RCPT TO:<panic@d.test>", "451"); strings.Contains(r, "secret") {
		t.Errorf("an internal error leaks: %q", r)
	}
	p.say("RCPT TO:<c@d.test>", "250")
}

func TestNothingInTheClearBehindSTARTTLS(t *testing.T) {
	sh, addr := serve(t, Submission)
	p := dial(t, addr)
	if r := p.say("EHLO me", "250"); strings.Contains(r, "AUTH") {
		t.Errorf("AUTH is offered in the clear: %q", r)
	}
	p.say("MAIL FROM:<a@b.test>", "530")
	fmt.Fprint(p, "STARTTLS\r\nMAIL FROM:<evil@b.test>\r\n")
	p.expect("220")
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	q := &peer{t, c, bufio.NewReader(c)}
	if r := q.say("EHLO me", "250"); !strings.Contains(r, "SCRAM-SHA-256-PLUS") {
		t.Errorf("no SCRAM over TLS: %q", r)
	}
	q.say("MAIL FROM:<a@b.test>", "530")
	q.say("AUTH PLAIN AHpvZQB3cm9uZw==", "535")
	q.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
	q.say("em9l", "334 UGFzc3dvcmQ6")
	q.say("cGFzcw==", "235")
	q.say("MAIL FROM:<a@b.test>", "250")
	q.say("RCPT TO:<c@d.test>", "250")
	q.say("DATA", "354")
	fmt.Fprint(q, head+".\r\n")
	q.expect("250")
	if l := sh.envs[0].Session; l.Login == nil || l.Protocol(false) != "ESMTPSA" || l.Protocol(true) != "UTF8SMTPSA" {
		t.Errorf("session %+v", l)
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	_, addr := serve(t, MX, func(s *Server) { s.Limits.TrustLoopback, s.Limits.PerIP = false, 3 })
	for range 3 {
		dial(t, addr)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "421") {
		t.Errorf("the fourth got %q", line)
	}
}

func TestSilentClientIsCut(t *testing.T) {
	_, addr := serve(t, MX, func(s *Server) { s.Limits.Read = 100 * time.Millisecond })
	p := dial(t, addr)
	p.expect("421")
}

// send dials and hands over one message.
func send(t *testing.T, c *smtpclient.Client, m *smtpclient.Message) ([]smtpclient.Result, error) {
	t.Helper()
	conn, err := c.Dial(context.Background())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Send(m), nil
}

// Our client hands a message to our server unchanged, with dots and without a
// last line end.
func TestClientAgainstServer(t *testing.T) {
	sh, addr := serve(t, MX)
	body := []byte(head + ".dot\r\n.\r\nbare\nline end")
	c := &smtpclient.Client{Hostname: "me", Host: "localhost", Addr: addr}
	got, err := send(t, c, &smtpclient.Message{From: "a@b.test", To: []smtpclient.Rcpt{{Addr: "c@d.test"}, {Addr: "nobody@d.test"}},
		Body: bytes.NewReader(body), Size: int64(len(body))})
	if err != nil || got[0].Status != smtpclient.Sent || got[1].Code != 550 || got[1].Enhanced != "5.1.1" || got[1].Status != smtpclient.Permanent {
		t.Fatalf("%+v, %v", got, err)
	}
	want := head + ".dot\r\n.\r\nbare\r\nline end\r\n"
	if len(sh.mail) != 1 || sh.mail[0] != want || sh.envs[0].Session.TLS == nil {
		t.Errorf("stored %q", sh.mail)
	}
}

func TestLMTP(t *testing.T) {
	sh, addr := serve(t, LMTP)
	p := dial(t, addr)
	p.say("LHLO me", "250")
	p.say("MAIL FROM:<a@b.test>", "250")
	p.say("RCPT TO:<c@d.test>", "250")
	p.say("RCPT TO:<e@d.test>", "250")
	p.say("DATA", "354")
	fmt.Fprint(p, head+".\r\n")
	p.expect("250")
	p.expect("250")
	if len(sh.envs) != 1 || len(sh.envs[0].To) != 2 {
		t.Errorf("%+v", sh.envs)
	}
}

// A host that offers TLS it cannot speak gets the message in the clear; a
// password never goes to one that cannot show its certificate.
func TestClientTLSPolicy(t *testing.T) {
	sh, addr := serve(t, MX, func(s *Server) {
		s.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, io.EOF }}
	})
	m := &smtpclient.Message{From: "a@b.test", To: []smtpclient.Rcpt{{Addr: "c@d.test"}}, Body: strings.NewReader(head), Size: int64(len(head))}
	got, err := send(t, &smtpclient.Client{Hostname: "me", Host: "localhost", Addr: addr}, m)
	if err != nil || got[0].Status != smtpclient.Sent || len(sh.mail) != 1 || sh.envs[0].Session.TLS != nil {
		t.Errorf("broken TLS: %+v, %v", got, err)
	}
	_, addr = serve(t, Submission)
	if got, err := send(t, &smtpclient.Client{Hostname: "me", Host: "localhost", Addr: addr, User: "zoe", Password: "pass"}, m); err == nil {
		t.Errorf("a password went to a stranger: %+v", got)
	}
}

// A stop waits for the message that is coming in.
func TestShutdownLetsAMessageFinish(t *testing.T) {
	var srv *Server
	sh, addr := serve(t, MX, func(s *Server) { srv = s })
	p := dial(t, addr)
	p.envelope()
	p.say("DATA", "354")
	fmt.Fprint(p, head)
	time.Sleep(50 * time.Millisecond)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		done <- srv.Shutdown(ctx)
	}()
	time.Sleep(50 * time.Millisecond)
	fmt.Fprint(p, "more\r\n.\r\n")
	p.expect("250")
	if err := <-done; err != nil || len(sh.mail) != 1 {
		t.Errorf("%d messages, %v", len(sh.mail), err)
	}
}
