package imap

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

func TestStartTLSAndPrivacy(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Insecure = false })
	p := h.dial(t)
	if g := p.line(); !strings.Contains(g, " STARTTLS") || !strings.Contains(g, " LOGINDISABLED") || strings.Contains(g, "AUTH=PLAIN") {
		t.Fatal(g)
	}
	if _, l := p.cmd("a", "LOGIN zoe@coop.example secret"); !strings.HasPrefix(l, "a NO [PRIVACYREQUIRED]") {
		t.Fatal(l)
	}
	c := p.startTLS()
	if v := c.ConnectionState().Version; v < tls.VersionTLS12 {
		t.Fatal(v)
	}
	caps := p.ok("CAPABILITY")[0]
	if strings.Contains(caps, "STARTTLS") || strings.Contains(caps, "LOGINDISABLED") || !strings.Contains(caps, "AUTH=SCRAM-SHA-256-PLUS") {
		t.Fatal(caps)
	}
	if _, l := p.cmd("a", "STARTTLS"); !strings.HasPrefix(l, "a BAD") {
		t.Fatal(l)
	}
	p.ok("LOGIN zoe@coop.example secret")
	if caps := p.ok("CAPABILITY")[0]; strings.Contains(caps, "AUTH=") {
		t.Fatal(caps)
	}
}

// Commands in the clear behind STARTTLS never run, neither before nor after.
func TestStartTLSInjection(t *testing.T) {
	h := newHouse(t)
	p := h.dial(t)
	p.line()
	p.send("a STARTTLS\r\nb LOGIN zoe@coop.example secret\r\n")
	if l := p.line(); !strings.HasPrefix(l, "* BYE") {
		t.Fatal(l)
	}
	for l := p.line(); !strings.HasPrefix(l, "!"); l = p.line() {
		if strings.HasPrefix(l, "b ") {
			t.Fatal(l)
		}
	}
}

func TestStrangersAreBounded(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.PerIP = 2; s.Limits.LoginWithin = 2 * time.Second })
	a := h.dial(t)
	a.line()
	in := h.in(t, "INBOX") // a session that has logged in is not a stranger
	b := h.dial(t)
	b.line()
	c := h.dial(t)
	if l := c.line(); !strings.HasPrefix(l, "* BYE") {
		t.Fatal(l)
	}
	if l := a.line(); !strings.HasPrefix(l, "* BYE") { // did not log in
		t.Fatal(l)
	}
	in.ok("NOOP")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		l := h.dial(t).line()
		if strings.HasPrefix(l, "* OK") {
			break // their places are free when their connections are closed, a moment after BYE
		}
		if time.Now().After(end) {
			t.Fatal(l)
		}
	}
}

func TestBadCommandsBeforeLogin(t *testing.T) {
	h := newHouse(t)
	p := h.dial(t)
	p.line()
	p.send(strings.Repeat("GET / HTTP/1.1\r\n", 10))
	n := 0
	for l := p.line(); !strings.HasPrefix(l, "!"); l = p.line() {
		n++
	}
	if n > 7 {
		t.Fatal(n)
	}
}

// A line without end, a deep nest and a huge literal are refused early.
func TestHostileBeforeLogin(t *testing.T) {
	h := newHouse(t)
	for _, s := range []string{
		"a " + strings.Repeat("x", 70000) + "\r\n",
		"a ID " + strings.Repeat("(", 5000) + "\r\n",
		"a LOGIN {100000000}\r\n",
		"a LOGIN {100000000+}\r\nxxxx\r\n",
		"a LOGIN {4000+}\r\n" + strings.Repeat("x", 4000) + " {4000+}\r\n" + strings.Repeat("x", 4000) + " {4000+}\r\n",
		"\x00\xff\r\n",
		"\r\n",
	} {
		p := h.dial(t)
		p.line()
		p.send(s)
		if l := p.line(); !strings.Contains(l, "BAD") && !strings.HasPrefix(l, "* BYE") && !strings.HasPrefix(l, "!") && !strings.Contains(l, "NO [") {
			t.Errorf("%.20q: %s", s, l)
		}
		p.nc.Close()
	}
}

// Pipelined commands are answered in order, and in few writes.
func TestPipelining(t *testing.T) {
	h := newHouse(t)
	p := h.dial(t)
	p.line()
	var b strings.Builder
	b.WriteString("l LOGIN zoe@coop.example secret\r\ns SELECT INBOX\r\n")
	for range 500 {
		b.WriteString("n NOOP\r\n")
	}
	b.WriteString("z STATUS INBOX (MESSAGES)\r\n")
	p.send(b.String())
	n := 0
	for l := p.line(); !strings.HasPrefix(l, "z "); l = p.line() {
		if strings.HasPrefix(l, "!") {
			t.Fatal(l)
		}
		if strings.HasPrefix(l, "n OK") {
			n++
		}
	}
	if n != 500 {
		t.Fatal(n)
	}
}

func TestPushIntoIdle(t *testing.T) {
	h := newHouse(t)
	p := h.in(t, "INBOX")
	p.send("i IDLE\r\n")
	if l := p.line(); l != "+ idling" {
		t.Fatal(l)
	}
	for i := range 20 {
		start := time.Now()
		h.deliver(t, "INBOX", hello)
		l := p.line()
		if want := "* " + itoa(i+1) + " EXISTS"; l != want {
			t.Fatalf("want %s got %s", want, l)
		}
		if d := time.Since(start); d > time.Second {
			t.Error("push took", d)
		}
	}
	// flags and expunges of another session
	must(t, h.db.Update(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, h.zoe, "INBOX")
		if err != nil {
			return err
		}
		_, _, err = mailbox.SetFlags(tx, b, []storage.Range{{From: 3, To: 4}}, mailbox.FlagChange{Op: mailbox.Add, Flags: []string{`\Seen`}, May: mailbox.AllFlags})
		return err
	}))
	if l := p.line(); l != `* 3 FETCH (UID 3 FLAGS (\Seen))` {
		t.Fatal(l)
	}
	if l := p.line(); l != `* 4 FETCH (UID 4 FLAGS (\Seen))` {
		t.Fatal(l)
	}
	h.expunge(t, 2, 3)
	if a, b := p.line(), p.line(); a != "* 3 EXPUNGE" || b != "* 2 EXPUNGE" {
		t.Fatal(a, b)
	}
	// a change in another mailbox says nothing
	h.deliver(t, "Sent", hello)
	p.send("DONE\r\n")
	if l := p.line(); !strings.HasPrefix(l, "i OK") {
		t.Fatal(l)
	}
}

// expunge removes messages of INBOX behind the server's back.
func (h *house) expunge(t testing.TB, from, to storage.ItemID) {
	t.Helper()
	must(t, h.db.Update(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, h.zoe, "INBOX")
		if err != nil {
			return err
		}
		if _, _, err := mailbox.SetFlags(tx, b, []storage.Range{{From: from, To: to}}, mailbox.FlagChange{Op: mailbox.Add, Flags: []string{`\Deleted`}, May: mailbox.AllFlags}); err != nil {
			return err
		}
		_, err = mailbox.Expunge(tx, b, []storage.Range{{From: from, To: to}})
		return err
	}))
}

// News that come before IDLE has parked, or between commands, are not lost.
func TestNewsBetweenCommands(t *testing.T) {
	h := newHouse(t)
	p := h.in(t, "INBOX")
	for i := range 50 {
		p.send("i IDLE\r\n")
		go h.deliver(t, "INBOX", hello)
		seen := false
		for !seen {
			l := p.line()
			if strings.HasPrefix(l, "!") {
				t.Fatal(i, l)
			}
			seen = l == "* "+itoa(i+1)+" EXISTS"
		}
		p.send("DONE\r\n")
		for l := p.line(); !strings.HasPrefix(l, "i OK"); l = p.line() {
			if l != "+ idling" {
				t.Fatal(l)
			}
		}
	}
}

func TestDeletedUnderUs(t *testing.T) {
	h := newHouse(t)
	a, b := h.in(t, ""), h.in(t, "")
	a.ok("CREATE Gone")
	b.ok("SELECT Gone")
	a.ok("DELETE Gone")
	b.send("n NOOP\r\n")
	if l := b.line(); !strings.HasPrefix(l, "* BYE") {
		t.Fatal(l)
	}
}

// A client that does not read is cut off and holds nobody up.
func TestSlowClient(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Limits.Write = 300 * time.Millisecond })
	slow, quick := h.in(t, "INBOX"), h.in(t, "INBOX")
	slow.nc.(*net.TCPConn).SetReadBuffer(4096)
	go func() {
		for range 200 {
			if _, err := slow.nc.Write([]byte(strings.Repeat("x LIST \"\" *\r\n", 1000))); err != nil {
				return
			}
		}
	}()
	start := time.Now()
	for range 20 {
		h.deliver(t, "INBOX", hello)
		quick.ok("NOOP")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Error(d)
	}
	for end := time.Now().Add(10 * time.Second); h.srv.Counters.Open.Load() > 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the slow client is still there")
		}
	}
}

func TestShutdownSaysBye(t *testing.T) {
	h := newHouse(t)
	a, b := h.in(t, "INBOX"), h.in(t, "INBOX")
	b.send("i IDLE\r\n")
	b.line()
	ctx := t.Context()
	must(t, h.srv.Shutdown(ctx))
	if l := a.line(); !strings.HasPrefix(l, "* BYE") {
		t.Error(l)
	}
	if l := b.line(); !strings.HasPrefix(l, "* BYE") {
		t.Error(l)
	}
}

func TestKeepalive(t *testing.T) {
	defer func(d time.Duration) { keepalive = d }(keepalive)
	keepalive = 100 * time.Millisecond
	h := newHouse(t)
	p := h.in(t, "INBOX")
	p.send("i IDLE\r\n")
	p.line()
	for range 3 {
		if l := p.line(); l != "* OK Still here" {
			t.Fatal(l)
		}
	}
	h.deliver(t, "INBOX", hello)
	for l := p.line(); l != "* 1 EXISTS"; l = p.line() {
		if l != "* OK Still here" {
			t.Fatal(l)
		}
	}
	p.send("DONE\r\n")
	for l := p.line(); !strings.HasPrefix(l, "i OK"); l = p.line() {
		if l != "* OK Still here" {
			t.Fatal(l)
		}
	}
}

// A session between commands parks after a while, and goes on.
func TestParkBetweenCommands(t *testing.T) {
	defer func(d time.Duration) { grace = d }(grace)
	grace = 20 * time.Millisecond
	h := newHouse(t)
	p := h.in(t, "INBOX")
	for range 3 {
		time.Sleep(60 * time.Millisecond)
		h.deliver(t, "INBOX", hello)
		p.send("n NO")
		time.Sleep(60 * time.Millisecond)
		p.send("OP\r\n")
		if l := p.line(); !strings.HasSuffix(l, " EXISTS") {
			t.Fatal(l)
		}
		if l := p.line(); !strings.HasPrefix(l, "n OK") {
			t.Fatal(l)
		}
	}
}
