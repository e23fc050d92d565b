package smtpclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
)

// A bad host plays a script: a line "> word" waits for a command that begins
// so, "drain" takes a message up to its dot, "chunk" takes a BDAT, "tls" shakes
// hands, "hang" waits until the client has gone, "drip" gives bytes one by one;
// any other line is said as it is, with CR LF behind it. At the end it closes.
type badHost struct {
	t       *testing.T
	conf    *tls.Config
	scripts [][]string // of one connection after the other; the last again and again
	got     []string   // what was taken, once stopped
	stop    func()
}

func (b *badHost) serve() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.play(c, b.scripts[min(i, len(b.scripts)-1)])
			c.Close()
		}
	}()
	b.stop = func() { ln.Close(); <-done }
	b.t.Cleanup(b.stop)
	return ln.Addr().String()
}

func (b *badHost) play(c net.Conn, script []string) {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	for _, line := range script {
		switch verb, arg, _ := strings.Cut(line, " "); verb {
		case ">":
			got, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if !strings.HasPrefix(got, arg) {
				b.t.Errorf("the client says %q, not %s", got, arg)
				return
			}
		case "drain":
			var all strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				all.WriteString(l)
			}
			b.got = append(b.got, all.String())
		case "chunk":
			l, err := r.ReadString('\n')
			f := strings.Fields(l)
			if err != nil || len(f) < 2 || f[0] != "BDAT" {
				b.t.Errorf("the client says %q, not BDAT", l)
				return
			}
			n, _ := strconv.Atoi(f[1])
			p := make([]byte, n)
			if _, err := io.ReadFull(r, p); err != nil {
				return
			}
			b.got = append(b.got, string(p))
		case "tls":
			t := tls.Server(c, b.conf)
			if t.Handshake() != nil {
				return
			}
			c, r = t, bufio.NewReader(t)
		case "hang":
			_, _ = io.Copy(io.Discard, r)
			return
		case "drip":
			for i := range 3000 {
				if _, err := fmt.Fprintf(c, "%c", "250-"[i%4]); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		default:
			if _, err := io.WriteString(c, strings.ReplaceAll(line, "|", "\r\n")+"\r\n"); err != nil {
				return
			}
		}
	}
}

func host(t *testing.T, scripts ...[]string) (*badHost, *Client) {
	t.Helper()
	dir := t.TempDir()
	cert, err := certs.Throwaway(dir, []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	b := &badHost{t: t, conf: &tls.Config{GetCertificate: cert.Get}, scripts: scripts}
	return b, &Client{Hostname: "me", Host: "localhost", Addr: b.serve(), RootCAs: roots, Timeouts: Timeouts{Reply: 10 * time.Second, Final: 10 * time.Second}}
}

func letter(to ...string) *Message {
	const text = "Subject: x\r\n\r\n.dot\nhello"
	m := &Message{From: "a@b.test", Body: strings.NewReader(text), Size: int64(len(text))}
	for _, a := range to {
		m.To = append(m.To, Rcpt{Addr: a})
	}
	return m
}

// outcome is the results of one attempt in short: a letter of each status.
func outcome(t *testing.T, c *Client, m *Message) (string, []Result) {
	t.Helper()
	conn, err := c.Dial(context.Background())
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		return "no " + e.Status.String() + " " + e.Step, nil
	}
	defer conn.Close()
	results := conn.Send(m)
	var b strings.Builder
	for _, r := range results {
		b.WriteByte(r.Status.String()[0])
		if r.Text == "" || len(strings.Split(r.Enhanced, ".")) != 3 {
			t.Errorf("a result without reason: %+v", r)
		}
	}
	return b.String(), results
}

var (
	hello = []string{"220 bad", "> EHLO", "250-bad|250 PIPELINING"}
	plain = []string{"220 bad", "> EHLO", "250 bad"}
	bdat  = []string{"220 bad", "> EHLO", "250-bad|250-PIPELINING|250 CHUNKING"}
)

func with(start []string, more ...string) []string {
	return append(append([]string{}, start...), more...)
}

// Whatever a host does, at whatever point, is told apart for each recipient; t
// is temporary, s sent, p permanent, u unknown.
func TestBadHosts(t *testing.T) {
	two := []string{"> MAIL", "> RCPT", "> RCPT"}
	for name, c := range map[string]struct {
		script []string
		want   string
	}{
		"closes at once":             {nil, "no temporary greeting"},
		"no mail here":               {[]string{"521 no mail here"}, "no permanent greeting"},
		"refuses us":                 {[]string{"554 go away"}, "no temporary greeting"},
		"busy":                       {[]string{"421 busy"}, "no temporary greeting"},
		"greets with a web page":     {[]string{"HTTP/1.1 400 Bad Request"}, "no temporary greeting"},
		"greets for ever":            {[]string{strings.Repeat("220-hello|", 300) + "220 at last"}, "no temporary greeting"},
		"greets in one endless line": {[]string{"220 " + strings.Repeat("x", 100_000)}, "no temporary greeting"},
		"codes differ":               {[]string{"220-a|250 b"}, "no temporary greeting"},
		"closes behind EHLO":         {[]string{"220 bad", "> EHLO"}, "no temporary EHLO"},
		"knows HELO only":            {[]string{"220 bad", "> EHLO", "500 what", "> HELO", "250 bad", "> MAIL", "250 ok", "> RCPT", "250 ok", "> RCPT", "250 ok", "> DATA", "354 go", "drain", "250 done"}, "ss"},
		"sends":                      {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "354 go", "drain", "250 2.0.0 done")...), "ss"},
		"sends, a line each":         {with(plain, "> MAIL", "250 ok", "> RCPT", "550 no", "> RCPT", "250 ok", "> DATA", "354 go", "drain", "250 done"), "ps"},
		"closes behind MAIL":         {with(hello, "> MAIL"), "tt"},
		"refuses MAIL and closes":    {with(hello, "> MAIL", "550 5.7.1 not you"), "pp"},
		"refuses MAIL":               {with(hello, append(two, "550 not you", "503 what", "503 what", "> QUIT")...), "pp"},
		"421 to MAIL":                {with(hello, "> MAIL", "421 enough"), "tt"},
		"closes between RCPTs":       {with(hello, append(two, "250 ok", "550 no")...), "pt"},
		"421 between RCPTs":          {with(hello, append(two, "250 ok", "250 ok", "421 enough")...), "tt"},
		"garbage between RCPTs":      {with(hello, append(two, "250 ok", "550 no", "what?")...), "pt"},
		"354 to RCPT":                {with(hello, append(two, "250 ok", "354 go", "250 ok")...), "tt"},
		"refuses all":                {with(hello, append(two, "250 ok", "550 no", "450 later", "> QUIT")...), "pt"},
		"full":                       {with(hello, append(two, "250 ok", "452 4.5.3 too many", "552 too many", "> QUIT")...), "tt"},
		"250 to DATA":                {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "250 ok")...), "tt"},
		"refuses DATA":               {with(hello, append(two, "250 ok", "250 ok", "550 no", "> DATA", "451 later")...), "tp"},
		"closes behind DATA":         {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA")...), "tt"},
		"closes behind the message":  {with(hello, append(two, "250 ok", "250 ok", "550 no", "> DATA", "354 go", "drain")...), "up"},
		"garbage behind the message": {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "354 go", "drain", "ok!")...), "uu"},
		"354 behind the message":     {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "354 go", "drain", "354 go")...), "uu"},
		"421 behind the message":     {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "354 go", "drain", "421 no")...), "tt"},
		"refuses the message":        {with(hello, append(two, "250 ok", "250 ok", "250 ok", "> DATA", "354 go", "drain", "554 5.6.0 no")...), "pp"},
		"chunks":                     {with(bdat, append(two, "250 ok", "250 ok", "250 ok", "chunk", "250 done")...), "ss"},
		"refuses a chunk":            {with(bdat, append(two, "250 ok", "250 ok", "250 ok", "chunk", "552 5.3.4 no")...), "pp"},
		"closes behind a chunk":      {with(bdat, append(two, "250 ok", "250 ok", "250 ok", "chunk")...), "uu"},
		"354 to a chunk":             {with(bdat, append(two, "250 ok", "250 ok", "250 ok", "chunk", "354 go")...), "uu"},
	} {
		t.Run(name, func(t *testing.T) {
			b, client := host(t, c.script)
			got, _ := outcome(t, client, letter("x@c.test", "y@c.test"))
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			b.stop()
			for _, m := range b.got {
				if want := "Subject: x\r\n\r\n.dot\r\nhello\r\n"; strings.ReplaceAll(m, "..", ".") != want {
					t.Errorf("it got %q", m)
				}
			}
		})
	}
}

// Every phase has its own timeout.
func TestHangingHosts(t *testing.T) {
	for name, c := range map[string]struct {
		script []string
		short  func(*Timeouts)
		want   string
	}{
		"greeting": {[]string{"hang"}, func(t *Timeouts) { t.Reply = 50 * time.Millisecond }, "no temporary greeting"},
		"drip":     {[]string{"drip"}, func(t *Timeouts) { t.Reply = 100 * time.Millisecond }, "no temporary greeting"},
		"DATA":     {with(hello, "> MAIL", "> RCPT", "250 ok", "250 ok", "> DATA", "hang"), func(t *Timeouts) { t.DataInit = 50 * time.Millisecond }, "t"},
		"message":  {with(hello, "> MAIL", "> RCPT", "250 ok", "250 ok", "> DATA", "354 go", "drain", "hang"), func(t *Timeouts) { t.Final = 50 * time.Millisecond }, "u"},
		"TLS":      {[]string{"220 bad", "> EHLO", "250-bad|250 STARTTLS", "> STARTTLS", "220 go", "hang"}, func(t *Timeouts) { t.TLS = 50 * time.Millisecond }, "no temporary STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := host(t, c.script)
			client.Security.Required = name == "TLS"
			c.short(&client.Timeouts)
			if got, _ := outcome(t, client, letter("x@c.test")); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestTLSPolicy(t *testing.T) {
	starttls := []string{"220 bad", "> EHLO", "250-bad|250 STARTTLS", "> STARTTLS"}
	inClear := with(plain, "> MAIL", "250 ok", "> RCPT", "250 ok", "> DATA", "354 go", "drain", "250 done")
	inTLS := with(starttls, "220 go", "tls", "> EHLO", "250 bad", "> MAIL", "250 ok", "> RCPT", "250 ok", "> DATA", "354 go", "drain", "250 done")
	refuse := func(tls.ConnectionState) error { return errors.New("not this certificate") }
	for name, c := range map[string]struct {
		first    []string
		security Security
		want     string
	}{
		"TLS":                    {inTLS, Security{}, "s"},
		"required":               {inTLS, Security{Required: true}, "s"},
		"not offered":            {inClear, Security{}, "s"},
		"required, not offered":  {inClear, Security{Required: true}, "no temporary STARTTLS"},
		"refused":                {with(starttls, "454 not now"), Security{}, "s"},
		"required, refused":      {with(starttls, "454 not now"), Security{Required: true}, "no temporary STARTTLS"},
		"injection":              {with(starttls, "220 go|250-evil|250 PIPELINING"), Security{}, "s"},
		"required, injection":    {with(starttls, "220 go|250 evil"), Security{Required: true}, "no temporary STARTTLS"},
		"required, not verified": {inTLS, Security{Required: true, Verify: refuse}, "no temporary STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := host(t, c.first, inClear)
			client.Security = c.security
			if got, _ := outcome(t, client, letter("x@c.test")); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// A password goes to a host whose certificate verifies, in the way it offers,
// and to no other.
func TestAuth(t *testing.T) {
	start := []string{"220 relay", "> EHLO", "250-relay|250 STARTTLS", "> STARTTLS", "220 go", "tls", "> EHLO"}
	send := []string{"235 welcome", "> MAIL", "250 ok", "> RCPT", "250 ok", "> DATA", "354 go", "drain", "250 done"}
	for name, c := range map[string]struct {
		script []string
		want   string
	}{
		"PLAIN":        {with(with(start, "250-relay|250 AUTH LOGIN PLAIN", "> AUTH PLAIN AHpvZQBwYXNz\r\n"), send...), "s"},
		"LOGIN":        {with(with(start, "250-relay|250 AUTH LOGIN", "> AUTH LOGIN\r\n", "334 VXNlcm5hbWU6", "> em9l\r\n", "334 UGFzc3dvcmQ6", "> cGFzcw==\r\n"), send...), "s"},
		"refused":      {with(start, "250-relay|250 AUTH PLAIN", "> AUTH PLAIN", "535 5.7.8 no"), "no temporary AUTH"},
		"no challenge": {with(start, "250-relay|250 AUTH LOGIN", "> AUTH LOGIN", "504 what"), "no temporary AUTH"},
		"in the clear": {with(plain, "hang"), "no temporary STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := host(t, c.script)
			client.User, client.Password = "zoe", "pass"
			if got, _ := outcome(t, client, letter("x@c.test")); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			_, client = host(t, c.script)
			client.User, client.Password, client.RootCAs = "zoe", "pass", x509.NewCertPool()
			if got, _ := outcome(t, client, letter("x@c.test")); got != "no temporary STARTTLS" {
				t.Errorf("a stranger: %s", got)
			}
		})
	}
}

// What the other side offers is used, and what it does not is not asked for.
func TestParameters(t *testing.T) {
	m := letter("x@c.test")
	m.EightBit, m.Ret, m.EnvID = true, "HDRS", "a b"
	m.To[0].Notify, m.To[0].ORCPT = []string{"SUCCESS", "DELAY"}, "rfc822;x+y@c.test"
	end := []string{"> DATA", "354 go", "drain", "250 done"}
	_, client := host(t, append([]string{"220 good", "> EHLO", "250-good|250-SIZE 1000|250-8BITMIME|250-DSN|250 LIMITS RCPTMAX=2 MAILMAX=9",
		"> MAIL FROM:<a@b.test> SIZE=24 BODY=8BITMIME RET=HDRS ENVID=a+20b\r\n", "250 ok", "> RCPT TO:<x@c.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@c.test\r\n", "250 ok"}, end...))
	if got, r := outcome(t, client, m); got != "s" || !r[0].DSN {
		t.Errorf("%s %+v", got, r)
	}
	_, client = host(t, append(with(plain, "> MAIL FROM:<a@b.test>\r\n", "250 ok", "> RCPT TO:<x@c.test>\r\n", "250 ok"), end...))
	if got, r := outcome(t, client, m); got != "s" || r[0].DSN {
		t.Errorf("%s %+v", got, r)
	}
	_, client = host(t, []string{"220 small", "> EHLO", "250-small|250 SIZE 10", "> QUIT"})
	if got, r := outcome(t, client, m); got != "p" || r[0].Enhanced != "5.3.4" {
		t.Errorf("%s %+v", got, r)
	}
	m.UTF8 = true
	_, client = host(t, with(plain, "> QUIT"))
	if got, r := outcome(t, client, m); got != "p" || r[0].Enhanced != "5.6.7" {
		t.Errorf("%s %+v", got, r)
	}
	m.To[0].ORCPT = "utf-8;é@c.test"
	_, client = host(t, append([]string{"220 good", "> EHLO", "250-good|250-SMTPUTF8|250-8BITMIME|250 DSN",
		"> MAIL FROM:<a@b.test> BODY=8BITMIME SMTPUTF8 ", "250 ok", `> RCPT TO:<x@c.test> NOTIFY=SUCCESS,DELAY ORCPT=utf-8;\x{E9}@c.test`, "250 ok"}, end...))
	if got, _ := outcome(t, client, m); got != "s" {
		t.Error(got)
	}
}

// More recipients than a message may have go in several; one connection takes
// one message after the other, also behind one that was refused.
func TestSeveralMessages(t *testing.T) {
	start := []string{"220 good", "> EHLO", "250-good|250 LIMITS RCPTMAX=2"}
	one := []string{"> MAIL", "250 ok", "> RCPT", "250 ok", "> RCPT", "452 4.5.3 too many", "> DATA", "354 go", "drain", "250 done"}
	two := []string{"> MAIL", "250 ok", "> RCPT TO:<y@", "250 ok", "> RCPT TO:<z@", "250 ok", "> DATA", "354 go", "drain", "250 done"}
	refused := []string{"> MAIL", "250 ok", "> RCPT", "550 no", "> RSET", "250 ok"}
	_, client := host(t, append(append(append(append(start, one...), two...), refused...), append(append(one[:4:4], one[6:]...), "> QUIT", "221 bye")...))
	conn, err := client.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, to := range [][]string{{"x@c.test", "y@c.test", "z@c.test"}, {"nobody@c.test"}, {"x@c.test"}} {
		for _, r := range conn.Send(letter(to...)) {
			if want := i != 1; (r.Status == Sent) != want {
				t.Errorf("message %d: %+v", i, r)
			}
		}
		if !conn.Usable() {
			t.Errorf("behind message %d the connection is of no use", i)
		}
	}
	if conn.Used() != 3 {
		t.Errorf("%d messages", conn.Used())
	}
}

// A message that cannot be read is never taken for one that ends there.
func TestBrokenBody(t *testing.T) {
	b, client := host(t, with(hello, "> MAIL", "> RCPT", "250 ok", "250 ok", "> DATA", "354 go", "drain", "250 done"))
	m := letter("x@c.test")
	m.Size += 10
	got, _ := outcome(t, client, m)
	if b.stop(); got != "t" || len(b.got) != 0 {
		t.Errorf("%s, the host got %q", got, b.got)
	}
}

func TestCancelled(t *testing.T) {
	_, client := host(t, []string{"hang"})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := client.Dial(ctx); err == nil {
		t.Error("no error")
	}
}

func FuzzSource(f *testing.F) {
	f.Add([]byte("a\r\n.b\n\r.\r"), true, 3)
	f.Fuzz(func(t *testing.T, b []byte, dots bool, n int) {
		s := source{dots: dots}
		var got []byte
		for rest := b; len(rest) > 0; {
			k := min(1+n&7, len(rest))
			got = append(got, s.canonical(nil, rest[:k])...)
			rest = rest[k:]
		}
		if s.mid || s.cr {
			got = append(got, "\r\n"...)
		}
		text := bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		want := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		if dots {
			want = bytes.ReplaceAll(append([]byte("\r\n"), want...), []byte("\r\n."), []byte("\r\n.."))[2:]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q became %q, want %q", b, got, want)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add("250-a\r\n250 b\r\n")
	f.Add("550 5.1.1 no\n")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := read(bufio.NewReaderSize(strings.NewReader(s), maxReplyLine))
		if err == nil && (r.code < 200 || r.code > 599 || strings.ContainsAny(r.result().String(), "\r\n") || len(r.lines) > maxReplyLines) {
			t.Fatalf("%q is %+v", s, r)
		}
	})
}
