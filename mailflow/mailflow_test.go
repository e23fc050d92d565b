package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// A house is a store with members m1, m2, ….
type house struct {
	t  testing.TB
	db *storage.DB
	*Mail
	ids []storage.AccountID
}

func newHouse(t testing.TB, members int) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, Mail: &Mail{DB: db, Hostname: "mx.coop.test", Log: slog.New(slog.DiscardHandler), Wake: func() {}}}
	now := time.Now()
	h.update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.test", ""); err != nil {
			return err
		}
		for i := range members {
			a, err := accounts.Create(tx, accounts.NewAccount{Address: fmt.Sprintf("m%d@coop.test", i+1)}, now)
			if err != nil {
				return err
			}
			if err := mailbox.Ensure(tx, a.ID, now); err != nil {
				return err
			}
			h.ids = append(h.ids, a.ID)
		}
		return accounts.AddAddress(tx, "postmaster@coop.test", h.ids[0])
	})
	t.Cleanup(func() {
		r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: []storage.CheckHook{accounts.Check, mailbox.Check, queue.Check}})
		if err != nil || !r.Clean() {
			t.Errorf("the store: %+v, %v", r, err)
		}
		db.Close()
	})
	return h
}

func (h *house) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

func envelope(from string, to ...string) *smtp.Envelope {
	e := &smtp.Envelope{From: from, Session: smtp.Session{ID: "s1", HELO: "other.test", Addr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}}}
	for _, a := range to {
		e.To = append(e.To, smtp.Rcpt{Addr: a})
	}
	return e
}

func (h *house) member(i int, to ...string) *smtp.Envelope {
	e := envelope(fmt.Sprintf("m%d@coop.test", i), to...)
	e.Session.Login = &sasl.Login{Account: uint32(h.ids[i-1])}
	return e
}

// inbox returns the messages of a member.
func (h *house) inbox(i int) (out []string) {
	h.t.Helper()
	var ids []mailbox.MsgID
	err := h.db.View(func(tx *storage.Tx) error {
		box, err := mailbox.Open(tx, h.ids[i-1], "INBOX")
		if err != nil {
			return err
		}
		mailbox.Scan(tx, box, 1, ^storage.ItemID(0), func(m mailbox.Message) bool { ids = append(ids, m.Body); return true })
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, id := range ids {
		var c mailbox.Cold
		if err := h.db.View(func(tx *storage.Tx) error { return c.Read(tx, id, mailbox.JustPrefix) }); err != nil {
			h.t.Fatal(err)
		}
		b, err := mailbox.OpenBody(h.db, c.Prefix(), c.Blob)
		if err != nil {
			h.t.Fatal(err)
		}
		text, err := io.ReadAll(b.Reader())
		b.Close()
		if err != nil {
			h.t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

func (h *house) queued() (out []queue.Entry) {
	h.t.Helper()
	if err := h.db.View(func(tx *storage.Tx) error {
		return queue.List(tx, func(e *queue.Entry) bool { out = append(out, *e); return true })
	}); err != nil {
		h.t.Fatal(err)
	}
	return out
}

const letter = "From: <a@other.test>\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@other.test>\r\n\r\nhello\r\n"

func (h *house) deliver(e *smtp.Envelope, msg string) error {
	return Inbound{h.Mail}.Deliver(context.Background(), e, strings.NewReader(msg))
}

func (h *house) submit(e *smtp.Envelope, msg string) error {
	return Submission{h.Mail}.Deliver(context.Background(), e, strings.NewReader(msg))
}

func TestWhatIsRefused(t *testing.T) {
	h := newHouse(t, 2)
	loop := strings.Repeat("Received: from a by b; Sat, 28 Nov 2026 12:00:00 +0000\r\n", 101) + letter
	for name, c := range map[string]struct {
		msg, want string
		submit    bool
	}{
		"no From":        {"To: x@y.test\r\n\r\n", "5.6.0", false},
		"two From":       {"From: <evil@other.test>\r\n" + letter, "5.6.0", false},
		"a loop":         {loop, "5.4.6", false},
		"another's From": {letter, "5.7.1", true},
		"an empty From":  {"From: nobody\r\n\r\n", "5.6.0", true},
		"one of two":     {"From: <m1@coop.test>, <m2@coop.test>\r\n\r\n", "5.7.1", true},
	} {
		door := h.deliver
		if c.submit {
			door = h.submit
		}
		err := door(h.member(1, "m1@coop.test"), c.msg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(h.inbox(1)) != 0 {
		t.Error("something was delivered")
	}
}

func TestTraceFields(t *testing.T) {
	h := newHouse(t, 1)
	if err := h.deliver(envelope("a@other.test", "M1+tag@coop.test"), letter); err != nil {
		t.Fatal(err)
	}
	got := h.inbox(1)[0]
	want := "Return-Path: <a@other.test>\r\nReceived: from other.test ([IPv6:2001:db8::1])\r\n\tby mx.coop.test with ESMTP id s1\r\n\tfor <M1+tag@coop.test>; "
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, letter) {
		t.Errorf("%q", got)
	}
}

func TestSubmissionAddsWhatIsMissing(t *testing.T) {
	h := newHouse(t, 2)
	for i, head := range []string{"From: <m1@coop.test>\r\n", "From: <m1@coop.test>\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <x@coop.test>\r\n"} {
		if err := h.submit(h.member(1, "m2@coop.test"), head+"\r\nhello\r\n"); err != nil {
			t.Fatal(err)
		}
		got := h.inbox(2)[i]
		if strings.Count(got, "\r\nDate: ") != 1 || strings.Count(got, "\r\nMessage-ID: <") != 1 || !strings.HasSuffix(got, head+"\r\nhello\r\n") {
			t.Errorf("%q", got)
		}
	}
}

// What goes elsewhere is asked of the next host only as far as it needs it, and
// has no Return-Path.
func TestQueuedAsItIs(t *testing.T) {
	h := newHouse(t, 1)
	from := "From: <m1@coop.test>\r\n"
	for _, c := range []struct {
		to, msg     string
		utf8, eight bool
	}{
		{"x@ascii.test", from + "\r\nplain\r\n", false, false},
		{"x@eight.test", from + "\r\ncaf\xc3\xa9\r\n", false, true},
		{"x@\u00e9t\u00e9.test", from + "\r\nplain\r\n", false, false},
		{"\u00e9@local.test", from + "\r\nplain\r\n", true, false},
		{"x@header.test", from + "Subject: caf\xc3\xa9\r\n\r\nplain\r\n", true, true},
	} {
		e := h.member(1, c.to, c.to)
		e.UTF8 = true
		if err := h.submit(e, c.msg); err != nil {
			t.Fatal(err)
		}
		q := h.queued()
		got := q[len(q)-1]
		if got.UTF8 != c.utf8 || got.EightBit != c.eight || len(got.Recipients) != 1 || bytes.Contains(got.Prefix, []byte("Return-Path")) || !bytes.HasPrefix(got.Prefix, []byte("Received: ")) {
			t.Errorf("%s: %+v", c.to, got)
		}
	}
}

func TestRecipients(t *testing.T) {
	h := newHouse(t, 1)
	h.update(func(tx *storage.Tx) error { tx.SetQuota(tx.Household(h.ids[0]), 1000); return nil })
	for to, want := range map[string]string{"postmaster": "", "PostMaster@coop.test": "", "m1@coop.test": "", "m9@coop.test": "5.1.1", "x@other.test": "5.7.1"} {
		err := Inbound{h.Mail}.Recipient(context.Background(), envelope(""), smtp.Rcpt{Addr: to})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", to, err)
		}
	}
	big := envelope("")
	big.Size = 2000
	if err := (Inbound{h.Mail}).Recipient(context.Background(), big, smtp.Rcpt{Addr: "m1@coop.test"}); err == nil || !strings.Contains(err.Error(), "4.2.2") {
		t.Errorf("no room for it: %v", err)
	}
	if err := h.deliver(envelope("", "postmaster"), letter); err != nil || len(h.inbox(1)) != 1 {
		t.Errorf("to postmaster: %v", err)
	}
}

// A message to fifty members is one commit with one sync.
func TestOneSyncForAllRecipients(t *testing.T) {
	h := newHouse(t, 50)
	var to []string
	for i := range 50 {
		to = append(to, fmt.Sprintf("m%d@coop.test", i+1))
	}
	before := h.db.Stats()
	if err := h.deliver(envelope("a@other.test", to...), letter); err != nil {
		t.Fatal(err)
	}
	after := h.db.Stats()
	if n := after.Syncs - before.Syncs; n != 1 {
		t.Errorf("%d syncs", n)
	}
	if n := after.Commits - before.Commits; n != 1 {
		t.Errorf("%d commits", n)
	}
}

// Deliveries at the same time share their syncs. How many meet is the
// machine's affair; that they meet at all is ours.
func TestSyncsAreShared(t *testing.T) {
	h := newHouse(t, 32)
	const each = 20
	before := h.db.Stats()
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for n := range each {
				if err := h.deliver(envelope(fmt.Sprintf("%d@other.test", n), fmt.Sprintf("m%d@coop.test", i+1)), letter); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	after := h.db.Stats()
	share := float64(after.Syncs-before.Syncs) / (32 * each)
	t.Logf("%.3f syncs a message", share)
	if share > 0.5 {
		t.Errorf("%.3f syncs a message", share)
	}
}

// Who asks to hear that a message was delivered does, once it was.
func TestReceipt(t *testing.T) {
	h := newHouse(t, 2)
	e := h.member(1, "m2@coop.test", "x@other.test")
	for i := range e.To {
		e.To[i].Notify = []string{"SUCCESS"}
	}
	e.EnvID = "env"
	if err := h.submit(e, "From: <m1@coop.test>\r\n\r\nhello\r\n"); err != nil {
		t.Fatal(err)
	}
	got := h.inbox(1)
	if len(got) != 1 || len(h.inbox(2)) != 1 {
		t.Fatalf("%q", got)
	}
	for _, want := range []string{"Return-Path: <>\r\n", "Original-Envelope-Id: env", "Final-Recipient: rfc822; m2@coop.test\r\nAction: delivered\r\nStatus: 2.1.5"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("the receipt lacks %q:\n%s", want, got[0])
		}
	}
	if strings.Contains(got[0], "x@other.test") {
		t.Error("the receipt is for what has not been sent yet")
	}
	remote := envelope("a@other.test", "m2@coop.test")
	remote.To[0].Notify = []string{"SUCCESS", "FAILURE"}
	if err := h.deliver(remote, letter); err != nil {
		t.Fatal(err)
	}
	q := h.queued()
	if last := q[len(q)-1]; last.Sender != "" || last.Recipients[0].Addr != "a@other.test" || last.Recipients[0].Notify[0] != "NEVER" {
		t.Errorf("%+v", last)
	}
}

// A full mailbox keeps a message from nobody else, and gets it when it has room.
func TestFullMailboxWaits(t *testing.T) {
	h := newHouse(t, 3)
	limit := func(bytes int64) {
		h.update(func(tx *storage.Tx) error { tx.SetQuota(tx.Household(h.ids[1]), bytes); return nil })
	}
	limit(1)
	if err := h.deliver(envelope("a@other.test", "m2@coop.test"), letter); err == nil || !strings.Contains(err.Error(), "4.2.2") {
		t.Errorf("alone: %v", err)
	}
	if err := h.deliver(envelope("a@other.test", "m1@coop.test", "m2@coop.test", "m3@coop.test"), letter); err != nil {
		t.Fatal(err)
	}
	if len(h.inbox(1)) != 1 || len(h.inbox(2)) != 0 || len(h.inbox(3)) != 1 || len(h.queued()) != 1 {
		t.Fatalf("the queue: %+v", h.queued())
	}
	q := &queue.Queue{DB: h.db, Hostname: h.Hostname, Log: h.Log, Into: h.Into, Return: h.Return}
	h.Wake = q.Wake
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	defer func() { cancel(); <-done }()
	until := func(what string, fn func() bool) {
		for range 3000 {
			if fn() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("never: %s; the queue is %+v", what, h.queued())
	}
	until("it is tried", func() bool { e := h.queued(); return len(e) == 1 && e[0].Attempts == 1 })
	if e := h.queued()[0]; e.Recipients[0].LastError != "the mailbox is full" {
		t.Errorf("%+v", e)
	}
	limit(1 << 20)
	id := h.queued()[0].ID
	h.update(func(tx *storage.Tx) error { return queue.Retry(tx, id, time.Now()) })
	q.Wake()
	until("it is delivered", func() bool { return len(h.queued()) == 0 })
	if got := h.inbox(2); len(got) != 1 || got[0] != h.inbox(1)[0] {
		t.Errorf("%q", got)
	}
}

// Once the disk was found full, messages are refused before their bytes, for a
// while.
func TestFullDiskIsToldEarly(t *testing.T) {
	h := newHouse(t, 1)
	in := Inbound{h.Mail}
	if err := in.Sender(context.Background(), envelope("a@other.test")); err != nil {
		t.Error(err)
	}
	now := time.Now()
	if err := h.failed(fmt.Errorf("staging: %w", syscall.ENOSPC), now); !strings.HasPrefix(err.Error(), "452 4.3.1") {
		t.Error(err)
	}
	for after, refused := range map[time.Duration]bool{0: true, time.Second: true, fullFor: false} {
		if err := h.room(now.Add(after)); (err != nil) != refused {
			t.Errorf("%v later: %v", after, err)
		}
	}
	_ = h.failed(storage.ErrQuota, now.Add(time.Hour))
	if err := h.room(now.Add(time.Hour)); err != nil {
		t.Errorf("a full mailbox is no full disk: %v", err)
	}
}
