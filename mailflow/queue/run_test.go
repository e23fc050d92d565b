package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A peer is another host's mail server. By the local part of an address it
// refuses for good (nobody), for now (later), or takes what comes.
type peer struct {
	mu      sync.Mutex
	asked   map[string]int // RCPT
	got     map[string]int // messages by their recipient
	conns   map[string]int // messages by the client's port
	deliver func(e *smtp.Envelope) error
	srv     *smtp.Server
	addr    string
}

func (p *peer) Sender(context.Context, *smtp.Envelope) error { return nil }

func (p *peer) Recipient(_ context.Context, _ *smtp.Envelope, r smtp.Rcpt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.Addr]++
	switch {
	case strings.HasPrefix(r.Addr, "nobody"):
		return &smtp.Error{Code: 550, Enhanced: "5.1.1", Text: "never heard of them"}
	case strings.HasPrefix(r.Addr, "later") && p.asked[r.Addr] == 1:
		return &smtp.Error{Code: 450, Enhanced: "4.2.0", Text: "not now"}
	}
	return nil
}

func (p *peer) Deliver(_ context.Context, e *smtp.Envelope, body io.Reader) error {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if p.deliver != nil {
		if err := p.deliver(e); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[e.Session.Addr.String()]++
	for _, r := range e.To {
		p.got[r.Addr]++
	}
	return nil
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{asked: map[string]int{}, got: map[string]int{}, conns: map[string]int{}, addr: ln.Addr().String()}
	p.srv = &smtp.Server{Hostname: "peer.test", Backend: p, Logger: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() { defer close(done); _ = p.srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = p.srv.Shutdown(ctx)
		<-done
	})
	return p
}

// A bench is a queue over a real store, whose hosts are where the test says.
type bench struct {
	*Queue
	t       *testing.T
	reports []string
	mu      sync.Mutex
	stop    func()
}

// newBench makes a queue that finds a host at each address of hosts.
func newBench(t *testing.T, z zone, hosts map[string]string) *bench {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t}
	b.Queue = &Queue{DB: db, Hostname: "mx.coop.test", Log: slog.New(slog.DiscardHandler), Resolver: z, Return: b.keep, Grace: 100 * time.Millisecond}
	b.dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if hosts[addr] == "" {
			return nil, errors.New("connection refused")
		}
		return (&net.Dialer{}).DialContext(ctx, network, hosts[addr])
	}
	t.Cleanup(func() {
		if b.stop != nil {
			b.stop()
		}
		r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: []storage.CheckHook{Check}})
		if err != nil || !r.Clean() {
			t.Errorf("the store: %v %v", r, err)
		}
		db.Close()
	})
	return b
}

// keep is Return: the reports, as text.
func (b *bench) keep(_ *storage.Tx, to string, in *mailbox.Incoming, _ time.Time) error {
	r, err := in.Staged.Reader()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.NewSectionReader(r, 0, in.Staged.Size))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, "to "+to+"\n"+string(text))
	return err
}

// put queues a message for some recipients of one domain, as of a time.
func (b *bench) put(at time.Time, change func(*Entry), to ...string) (id uint64) {
	b.t.Helper()
	w := b.DB.Stage()
	text := "Subject: to " + strings.Join(to, " ") + "\r\n\r\nhello\r\n"
	_, _ = io.WriteString(w, text)
	s, err := w.Finish()
	if err != nil {
		b.t.Fatal(err)
	}
	in, err := mailbox.Prepare(s)
	if err != nil {
		b.t.Fatal(err)
	}
	_, domain, _ := strings.Cut(to[0], "@")
	e := Entry{Domain: domain, Sender: "zoe@coop.test", Size: int64(len(text)), Header: len(text) - 7}
	for _, a := range to {
		e.Recipients = append(e.Recipients, Recipient{Addr: a})
	}
	if change != nil {
		change(&e)
	}
	b.update(func(tx *storage.Tx) (err error) {
		e.Blob = in.Body(tx)
		tx.Retain(e.Blob)
		id, err = Put(tx, e, at)
		in.Settle(tx)
		return err
	})
	b.Wake()
	return id
}

func (b *bench) update(fn func(*storage.Tx) error) {
	b.t.Helper()
	if err := b.DB.Update(fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
		b.stop = nil
	}
}

func (b *bench) entries() (out []Entry) {
	b.t.Helper()
	if err := b.DB.View(func(tx *storage.Tx) error {
		return List(tx, func(e *Entry) bool { out = append(out, *e); return true })
	}); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// until waits for something to become true.
func (b *bench) until(what string, fn func() bool) {
	b.t.Helper()
	for range 3000 {
		if fn() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("never: %s; the queue is %+v", what, b.entries())
}

func (b *bench) idle() bool { return len(b.entries()) == 0 }

func at(ip string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(ip)} }

func TestManyMessagesShareFewConnections(t *testing.T) {
	p := newPeer(t)
	b := newBench(t, zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}, map[string]string{"192.0.2.1:25": p.addr})
	const n = 130
	for i := range n {
		b.put(time.Now(), nil, fmt.Sprintf("x%d@a.test", i))
	}
	b.start()
	b.until("all are sent", b.idle)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) != n || len(p.conns) > n/10 {
		t.Errorf("%d messages over %d connections", len(p.got), len(p.conns))
	}
	for a, times := range p.got {
		if times != 1 {
			t.Errorf("%s got it %d times", a, times)
		}
	}
}

// Who was refused for good is reported and not asked for again; who has it, too.
func TestEveryRecipientHasItsOwnFate(t *testing.T) {
	p := newPeer(t)
	b := newBench(t, zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}, map[string]string{"192.0.2.1:25": p.addr})
	id := b.put(time.Now(), nil, "x@a.test", "nobody@a.test", "later@a.test")
	b.start()
	b.until("one is left", func() bool { e := b.entries(); return len(e) == 1 && len(e[0].Recipients) == 1 })
	e := b.entries()[0]
	if r := e.Recipients[0]; r.Addr != "later@a.test" || r.LastError != "450 4.2.0 not now" || e.Attempts != 1 || !e.Due.After(time.Now()) || e.Host != "a.test" {
		t.Errorf("%+v", e)
	}
	if len(b.reports) != 1 || !strings.HasPrefix(b.reports[0], "to zoe@coop.test\n") || !strings.Contains(b.reports[0], "Final-Recipient: rfc822; nobody@a.test\r\nAction: failed\r\nStatus: 5.1.1") {
		t.Errorf("%q", b.reports)
	}
	b.update(func(tx *storage.Tx) error { return Retry(tx, id, time.Now()) })
	b.Wake()
	b.until("all are done", b.idle)
	if c := &b.Counters; c.Sent.Load() != 2 || c.Returned.Load() != 1 || c.Deferred.Load() != 1 || c.Unknown.Load() != 0 {
		t.Errorf("counted %d %d %d", c.Sent.Load(), c.Returned.Load(), c.Deferred.Load())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked["x@a.test"] != 1 || p.asked["nobody@a.test"] != 1 || p.asked["later@a.test"] != 2 || p.got["x@a.test"] != 1 || p.got["later@a.test"] != 1 {
		t.Errorf("asked %v, got %v", p.asked, p.got)
	}
}

// A host that is down, or sends us away, leaves the message to the next.
func TestNextHost(t *testing.T) {
	good := newPeer(t)
	tired, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tired.Close()
	go func() {
		for {
			c, err := tired.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 hello\r\n250 hello\r\n421 enough for today\r\n")
			_, _ = io.CopyN(io.Discard, c, 30)
			c.Close()
		}
	}()
	z := zone{
		mx: map[string][]*net.MX{"a.test": {{Host: "down.test.", Pref: 1}, {Host: "tired.test.", Pref: 2}, {Host: "good.test.", Pref: 3}}},
		ip: map[string][]netip.Addr{"down.test": at("192.0.2.1"), "tired.test": at("192.0.2.2"), "good.test": at("192.0.2.3")},
	}
	b := newBench(t, z, map[string]string{"192.0.2.2:25": tired.Addr().String(), "192.0.2.3:25": good.addr})
	b.put(time.Now(), nil, "x@a.test")
	b.start()
	b.until("it is sent", b.idle)
	if good.got["x@a.test"] != 1 {
		t.Error("but not to who takes it")
	}
}

func TestUnreachable(t *testing.T) {
	z := zone{mx: map[string][]*net.MX{"null.test": {{Host: "."}}}, ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}
	b := newBench(t, z, nil)
	b.put(time.Now(), nil, "x@nowhere.test")
	b.put(time.Now(), nil, "x@null.test")
	b.put(time.Now(), func(e *Entry) { e.Sender = "" }, "x@nowhere2.test")
	b.put(time.Now(), nil, "x@a.test")
	b.start()
	b.until("three are given up", func() bool { e := b.entries(); return len(e) == 1 && e[0].Attempts == 1 })
	if e := b.entries()[0]; e.Domain != "a.test" || !strings.Contains(e.LastError, "refused") {
		t.Errorf("%+v", e)
	}
	if all := strings.Join(b.reports, ""); len(b.reports) != 2 || !strings.Contains(all, "Status: 5.1.2") || !strings.Contains(all, "Status: 5.1.10") {
		t.Errorf("%q", b.reports)
	}
}

// What the sender asked to hear, and when.
func TestReports(t *testing.T) {
	p := newPeer(t)
	b := newBench(t, zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1"), "old.test": at("192.0.2.2")}}, map[string]string{"192.0.2.1:25": p.addr})
	old := time.Now().Add(-giveUpAfter - time.Hour)
	ask := func(notify ...string) func(*Entry) { return func(e *Entry) { e.Recipients[0].Notify = notify } }
	b.put(time.Now(), ask("NEVER"), "nobody1@a.test")
	b.put(time.Now(), ask("DELAY"), "nobody2@a.test")
	b.put(time.Now(), func(e *Entry) { e.Ret, e.EnvID = "FULL", "env" }, "nobody3@a.test")
	b.put(time.Now(), ask("SUCCESS"), "x@a.test") // whose host takes that over
	b.put(old, nil, "expired@old.test")
	b.put(time.Now().Add(-warnAfter-time.Hour), nil, "slow@old.test")
	b.start()
	b.until("one waits", func() bool { e := b.entries(); return len(e) == 1 && e[0].Attempts == 1 })
	if e := b.entries()[0]; e.Recipients[0].Addr != "slow@old.test" || !e.Warned {
		t.Errorf("%+v", e)
	}
	slices.Sort(b.reports)
	all := strings.Join(b.reports, "\n===\n")
	for _, want := range []string{"nobody3@a.test\r\nAction: failed", "Original-Envelope-Id: env", "message/rfc822", "\r\n\r\nhello\r\n", "expired@old.test\r\nAction: failed", "slow@old.test\r\nAction: delayed", "Will-Retry-Until"} {
		if !strings.Contains(all, want) {
			t.Errorf("no report says %q", want)
		}
	}
	if len(b.reports) != 3 {
		t.Errorf("%d reports:\n%s", len(b.reports), all)
	}
}

func TestJudgeRelayed(t *testing.T) {
	q := &Queue{}
	e := &Entry{Sender: "zoe@coop.test", Recipients: []Recipient{{Addr: "a", Notify: []string{"SUCCESS"}}, {Addr: "b"}}, Created: time.Now()}
	sent := smtpclient.Result{Status: smtpclient.Sent, Code: 250}
	o := q.judge(e, "h", []smtpclient.Result{sent, sent}, time.Now())
	if got := o.reports["relayed"]; len(got) != 1 || got[0].Addr != "a" || len(o.left) != 0 {
		t.Errorf("%+v", o)
	}
	sent.DSN = true
	if o := q.judge(e, "h", []smtpclient.Result{sent, sent}, time.Now()); len(o.reports) != 0 {
		t.Errorf("%+v", o)
	}
}

// A stop lets a conversation end, and cuts one that hangs: its entry stays due.
func TestStop(t *testing.T) {
	p := newPeer(t)
	under := make(chan struct{}, 2)
	let := make(chan struct{})
	p.deliver = func(e *smtp.Envelope) error {
		under <- struct{}{}
		if e.To[0].Addr == "slow@a.test" {
			<-let
		}
		return nil
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	z := zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1"), "b.test": at("192.0.2.2")}}
	b := newBench(t, z, map[string]string{"192.0.2.1:25": p.addr, "192.0.2.2:25": silent.Addr().String()})
	b.Grace = 2 * time.Second
	b.put(time.Now(), nil, "slow@a.test")
	b.put(time.Now(), nil, "x@b.test")
	b.start()
	<-under
	c := <-accepted
	defer c.Close()
	time.AfterFunc(50*time.Millisecond, func() { close(let) })
	b.stop()
	e := b.entries()
	if len(e) != 1 || e[0].Domain != "b.test" || e[0].Attempts != 0 || e[0].Due.After(time.Now()) {
		t.Errorf("left: %+v", e)
	}
}

// What an operator does while a message is on its way counts.
func TestChangedUnderWay(t *testing.T) {
	p := newPeer(t)
	z := zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}
	b := newBench(t, z, map[string]string{"192.0.2.1:25": p.addr})
	var ids []uint64
	b.PerDestination = 1
	p.deliver = func(e *smtp.Envelope) error {
		err := b.DB.Update(func(tx *storage.Tx) error {
			if e.To[0].Addr == "drop@a.test" {
				return Drop(tx, ids[0])
			}
			return Hold(tx, ids[1])
		})
		if err != nil {
			t.Error(err)
		}
		return &smtp.Error{Code: 451, Enhanced: "4.3.0", Text: "no"}
	}
	ids = append(ids, b.put(time.Now(), nil, "drop@a.test"), b.put(time.Now(), nil, "hold@a.test"))
	b.start()
	b.until("one is held", func() bool { e := b.entries(); return len(e) == 1 && e[0].Hold && e[0].Attempts == 1 })
}

// An entry that cannot be read does not keep others from going.
func TestUnreadableEntry(t *testing.T) {
	p := newPeer(t)
	b := newBench(t, zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}, map[string]string{"192.0.2.1:25": p.addr})
	now := time.Now()
	b.update(func(tx *storage.Tx) error {
		tx.Put(entryKey(77), []byte{99})
		tx.Put(dueKey(now, 77), []byte("a.test"))
		return nil
	})
	b.put(now, nil, "x@a.test")
	b.start()
	b.until("the other is sent", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.got["x@a.test"] == 1 })
	b.until("it is set aside", func() bool {
		n := 0
		_ = b.DB.View(func(tx *storage.Tx) error {
			due(tx, time.Now(), func(uint64, string) bool { n++; return true })
			return nil
		})
		return n == 0
	})
	b.stop()
	r, err := b.DB.Check(context.Background(), storage.CheckOptions{Hooks: []storage.CheckHook{Check}})
	if err != nil || r.Clean() {
		t.Error("the check does not see it")
	}
	b.update(func(tx *storage.Tx) error { tx.Delete(entryKey(77)); return nil })
}

// A report that cannot be brought does not have the message sent again.
func TestReportThatFails(t *testing.T) {
	p := newPeer(t)
	b := newBench(t, zone{ip: map[string][]netip.Addr{"a.test": at("192.0.2.1")}}, map[string]string{"192.0.2.1:25": p.addr})
	b.Return = func(*storage.Tx, string, *mailbox.Incoming, time.Time) error { return storage.ErrInvalid }
	id := b.put(time.Now(), nil, "x@a.test", "nobody@a.test", "later@a.test")
	b.start()
	b.until("it is settled", func() bool { e := b.entries(); return len(e) == 1 && len(e[0].Recipients) == 1 })
	b.update(func(tx *storage.Tx) error { return Retry(tx, id, time.Now()) })
	b.Wake()
	b.until("the rest is sent", b.idle)
	b.stop()
	if p.got["x@a.test"] != 1 {
		t.Errorf("sent %d times", p.got["x@a.test"])
	}
}
