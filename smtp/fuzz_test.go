package smtp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

// frail is a Backend with a mistake in it.
type frail struct{ Backend }

func (f frail) Sender(ctx context.Context, e *Envelope) error {
	if strings.HasPrefix(e.From, "crash") {
		panic("a mistake")
	}
	return f.Backend.Sender(ctx, e)
}

// script is a connection on which a client says something and then nothing.
type script struct {
	in  []byte
	n   int // bytes given in one read
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.in)
	s.in = s.in[n:]
	return n, nil
}
func (s *script) Write(p []byte) (int, error)    { return s.out.Write(p) }
func (*script) Close() error                     { return nil }
func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// converse runs a session over what a client says, n bytes at a time.
func converse(kind Kind, said []byte, n int) (*shelf, string) {
	sh := &shelf{}
	srv := &Server{Kind: kind, Hostname: "mx.test", Backend: sh, Logger: slog.New(slog.DiscardHandler), Limits: Limits{Message: 10_000, Pause: 1}}
	srv.once.Do(srv.init)
	s := &script{in: said, n: n}
	srv.newSession(newConn(s, &srv.Limits)).run()
	return sh, s.out.String()
}

var dialogues = []string{
	"EHLO me\r\nMAIL FROM:<a@b.test> SIZE=10\r\nRCPT TO:<c@d.test>\r\nDATA\r\n" + head + "..\r\n.\r\nQUIT\r\n",
	"EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 5\r\nab\r\ncBDAT 3 LAST\r\n\r\nxQUIT\r\n",
	"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<\"q>\\\"\"@d.test> NOTIFY=NEVER ORCPT=utf-8;\\x{e9}@x\r\nDATA\r\na\n.\r\n.\r\n",
	"HELO me\r\nVRFY x\r\nHELP\r\nRSET\r\nAUTH PLAIN\r\nSTARTTLS\r\nQUIT\r\n",
	"EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n\r\n.\r\r\n.\r\n",
}

// However a dialogue is cut into packets, it is answered alike; every reply is
// one; what is stored has CR and LF in pairs only.
func FuzzDialogue(f *testing.F) {
	for i, d := range dialogues {
		f.Add([]byte(d), i+1, i == 0)
	}
	f.Fuzz(func(t *testing.T, said []byte, n int, lmtp bool) {
		kind := MX
		if lmtp {
			kind, said = LMTP, bytes.ReplaceAll(said, []byte("EHLO"), []byte("LHLO"))
		}
		a, out := converse(kind, said, 1+n&63)
		b, whole := converse(kind, said, len(said)+1)
		if mask(out) != mask(whole) || strings.Join(a.mail, "|") != strings.Join(b.mail, "|") {
			t.Fatalf("in pieces of %d:\n%s\nin one:\n%s", 1+n&63, out, whole)
		}
		for _, m := range a.mail {
			if rest := strings.ReplaceAll(m, "\r\n", ""); strings.ContainsAny(rest, "\r\n\x00") || len(m) > 10_000 {
				t.Fatalf("stored %q", m)
			}
		}
		for line := range strings.Lines(out) {
			if len(line) > 512 || len(line) < 5 || !strings.HasSuffix(line, "\r\n") || line[0] < '2' || line[0] > '5' || line[3] != ' ' && line[3] != '-' {
				t.Fatalf("reply %q", line)
			}
		}
	})
}

// mask hides the session's number, and which of several faults of a message was
// met first.
func mask(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if i := strings.Index(line, " as s"); i > 0 {
			line = line[:i]
		}
		if strings.HasPrefix(line, "55") && strings.Contains(line, " 5.6.") {
			line = "unacceptable\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\r\n"), 3)
	f.Add([]byte("a\rb"), 1)
	f.Add([]byte("a\r\n\n\r"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		l := &lines{limit: 1 << 20}
		var err error
		for rest := b; len(rest) > 0 && err == nil; {
			k := min(1+n&7, len(rest))
			err = l.check(rest[:k])
			rest = rest[k:]
		}
		if err == nil {
			err = l.end()
		}
		stripped := bytes.ReplaceAll(b, []byte("\r\n"), nil)
		if clean := !bytes.ContainsAny(stripped, "\r\n\x00"); clean != (err == nil) {
			t.Fatalf("%q: %v", b, err)
		}
	})
}

// emersion is another server's session that keeps what it gets.
type emersion struct {
	*shelf
	env Envelope
}

func (e *emersion) Reset()        { e.env = Envelope{} }
func (e *emersion) Logout() error { return nil }
func (e *emersion) Mail(from string, _ *gosmtp.MailOptions) error {
	e.env.From = from
	return nil
}
func (e *emersion) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &gosmtp.SMTPError{Code: 550, Message: "no"}
	}
	e.env.To = append(e.env.To, Rcpt{Addr: to})
	return nil
}
func (e *emersion) Data(r io.Reader) error { return e.Deliver(context.Background(), &e.env, r) }

// Where emersion/go-smtp is right, we answer with the same codes and keep the
// same bytes. Where it is not (bare CR and LF, RFC 5321 §2.3.8) protocol_test.go
// says what we do.
func TestLikeAnotherServer(t *testing.T) {
	sh := &shelf{}
	other := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &emersion{shelf: sh}, nil }))
	other.Domain, other.MaxMessageBytes, other.EnableSMTPUTF8, other.EnableDSN = "mx.test", 10_000, true, true
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = other.Serve(ln) }()
	defer func() { other.Close(); <-done }()
	for _, said := range []string{
		"EHLO me\r\nMAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<nobody@d.test>\r\nRCPT TO:<e@d.test> NOTIFY=NEVER\r\nDATA\r\n" + head + "..\r\n...x\r\n\r\n.\r\nQUIT\r\n",
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\nBDAT 5\r\nab\r\ncBDAT 4 LAST\r\n\r\n.xNOOP\r\nQUIT\r\n",
		"EHLO me\r\nMAIL FROM:<\"a b\"@b.test>\r\nRSET\r\nMAIL FROM:<é@b.test> SMTPUTF8\r\nRCPT TO:<é@d.test>\r\nDATA\r\n.\r\nQUIT\r\n",
		"MAIL FROM:<a@b.test>\r\nEHLO me\r\nRCPT TO:<c@d.test>\r\nDATA\r\nMAIL FROM:<a@b.test> SIZE=20000\r\nVRFY x\r\nHELO me\r\nQUIT\r\n",
		"EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n" + head + ".\r\nMAIL FROM:<b@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
	} {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		before := len(sh.mail)
		_, _ = io.WriteString(c, said)
		theirs := strings.ReplaceAll(codes(t, c), "502", "503") // out of order is 503 (RFC 5321 §4.1.4)
		c.Close()
		mine, out := converse(MX, []byte(said), 1<<20)
		if ours := codes(t, strings.NewReader(out)); ours != theirs {
			t.Errorf("%q:\nours   %s\ntheirs %s", said, ours, theirs)
		}
		if got := sh.mail[before:]; strings.Join(mine.mail, "|") != strings.Join(got, "|") {
			t.Errorf("%q:\nours   %q\ntheirs %q", said, mine.mail, got)
		}
	}
}

// codes reads replies to the end.
func codes(t *testing.T, r io.Reader) string {
	t.Helper()
	var out []string
	for tp := textproto.NewReader(bufio.NewReader(r)); ; {
		code, _, err := tp.ReadResponse(0)
		if code == 0 {
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			return strings.Join(out, " ")
		}
		out = append(out, string([]byte{'0' + byte(code/100), '0' + byte(code/10%10), '0' + byte(code%10)}))
	}
}
