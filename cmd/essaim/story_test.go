package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	essaimsmtp "essaim.coop/essaim/smtp"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// elsewhere is another host's mail server: it takes all mail but nobody's.
type elsewhere struct{ got chan string }

func (elsewhere) Sender(context.Context, *essaimsmtp.Envelope) error { return nil }

func (elsewhere) Recipient(_ context.Context, _ *essaimsmtp.Envelope, r essaimsmtp.Rcpt) error {
	if strings.HasPrefix(r.Addr, "nobody@") {
		return &essaimsmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "never heard of them"}
	}
	return nil
}

func (e elsewhere) Deliver(_ context.Context, env *essaimsmtp.Envelope, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err == nil {
		e.got <- env.From + " " + string(b)
	}
	return err
}

// otherHost serves elsewhere on a loopback port.
func otherHost(t *testing.T) (elsewhere, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := elsewhere{make(chan string, 10)}
	srv := &essaimsmtp.Server{Kind: essaimsmtp.MX, Hostname: "elsewhere.example", Backend: e, Logger: slog.New(slog.DiscardHandler)}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
	return e, ln.Addr().String()
}

// submit sends as a member over STARTTLS.
func (h *house) submit(from string, to []string, msg []byte) error {
	c, err := smtp.Dial(h.addr(587))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		return err
	}
	if err := c.Auth(smtp.PlainAuth("", user(1), testPassword, "127.0.0.1")); err != nil {
		return err
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, r := range to {
		if err := c.Rcpt(r); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(msg); err != nil {
		return err
	}
	return w.Close()
}

// newest waits for a message in a member's INBOX that contains a text.
func (h *house) newest(who, text string) []byte {
	h.t.Helper()
	c, err := h.imap(who)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	for range 100 {
		sel, err := c.Select("INBOX", nil).Wait()
		if err != nil {
			h.t.Fatal(err)
		}
		for n := sel.NumMessages; n > 0; n-- {
			if b := fetchOne(h.t, c, n); bytes.Contains(b, []byte(text)) {
				return b
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatalf("%s got no message with %q", who, text)
	return nil
}

func fetchOne(t testing.TB, c *imapclient.Client, seq uint32) []byte {
	t.Helper()
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(imap.SeqSetNum(seq), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(msgs) != 1 {
		t.Fatalf("fetching %d: %d messages, %v", seq, len(msgs), err)
	}
	return msgs[0].FindBodySection(section)
}

// A member writes to another member and to another host; one recipient there
// is unknown, and the member reads why.
func TestStoryMailGoesOutAndComesBack(t *testing.T) {
	other, addr := otherHost(t)
	h := newHouse(t, 2, "--route", "elsewhere.example="+addr)
	msg := []byte("From: Me <" + user(1) + ">\r\nTo: all\r\nSubject: news\r\n\r\n.dots and all\r\n")
	if err := h.submit(user(1), []string{user(2), "friend@elsewhere.example", "nobody@elsewhere.example"}, msg); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-other.got:
		for _, want := range []string{user(1) + " ", "Message-ID: <", "\r\nDate: ", "Subject: news", "\r\n.dots and all\r\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("the other host got %q, without %q", got, want)
			}
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived at the other host")
	}
	if b := h.newest(user(2), "Subject: news"); bytes.Contains(b, []byte("for <")) {
		t.Errorf("the trace tells of other recipients: %q", b)
	}
	report := string(h.newest(user(1), "report-type=delivery-status"))
	for _, want := range []string{"Final-Recipient: rfc822; nobody@elsewhere.example", "Status: 5.1.1", "never heard of them", "Subject: news", "n'a pas pu", "kon niet"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	out, err := exec.Command(h.bin, "--data", h.dir, "queue").CombinedOutput()
	if err != nil || len(out) != 0 {
		t.Errorf("queue: %v %s", err, out)
	}
	h.stop(syscall.SIGTERM)
	h.check()
}

func TestStoryWhatIsRefused(t *testing.T) {
	h := newHouse(t, 2)
	msg := []byte("From: <" + user(1) + ">\r\n\r\nx\r\n")
	for name, err := range map[string]error{
		"somebody else's address": h.submit(user(2), []string{user(1)}, msg),
		"somebody else's From":    h.submit(user(1), []string{user(2)}, []byte("From: <"+user(2)+">\r\n\r\nx\r\n")),
		"two From fields":         h.submit(user(1), []string{user(2)}, append([]byte("From: <"+user(1)+">\r\n"), msg...)),
		"nobody here":             h.submit(user(1), []string{"nobody@" + testDomain}, msg),
		"relaying":                h.deliver("a@b.example", []string{"c@d.example"}, msg),
		"a loop":                  h.deliver("a@b.example", []string{user(1)}, append(bytes.Repeat([]byte("Received: by x\r\n"), 101), msg...)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "5") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A day of the operator's: backup under way, restore elsewhere, the same mail.
func TestStoryBackupAndRestore(t *testing.T) {
	h := newHouse(t, 2)
	for i := range 20 {
		if err := h.deliver("load@example.net", []string{user(1)}, letter(fmt.Sprint("b", i), 3000)); err != nil {
			t.Fatal(err)
		}
	}
	backup := filepath.Join(t.TempDir(), "backup")
	run := func(data string, args ...string) {
		t.Helper()
		if out, err := exec.Command(h.bin, append([]string{"--data", data}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("essaim %v: %v\n%s", args, err, out)
		}
	}
	run(h.dir, "backup", backup)
	run(h.dir, "compact")
	h.stop(syscall.SIGTERM)
	again := filepath.Join(t.TempDir(), "again")
	run(again, "restore", backup)
	if err := os.RemoveAll(filepath.Join(h.dir, "store")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(again, "store"), filepath.Join(h.dir, "store")); err != nil {
		t.Fatal(err)
	}
	h.start()
	if b := h.newest(user(1), "X-Id: b19"); !bytes.HasSuffix(b, letter("b19", 3000)) {
		t.Error("the letter is not what it was")
	}
}

// Real clients: what swaks hands in over STARTTLS and TLS, mbsync and curl read.
func TestStoryRealClients(t *testing.T) {
	for _, p := range []string{"swaks", "mbsync", "curl"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p, "is not installed")
		}
	}
	h := newHouse(t, 2)
	base := []string{"--au", user(1), "--ap", testPassword, "-f", user(1), "-t", user(2)}
	for _, args := range [][]string{{"--server", h.addr(587), "-tls"}, {"--server", h.addr(465), "--tlsc"}} {
		if out, err := exec.Command("swaks", append(args, base...)...).CombinedOutput(); err != nil {
			t.Fatalf("swaks %v: %v\n%s", args, err, out)
		}
	}
	dir := t.TempDir()
	rc := fmt.Sprintf("IMAPAccount a\nHost localhost\nPort %d\nUser %s\nPass %s\nTLSType IMAPS\nCertificateFile %s\nAuthMechs LOGIN\n\n"+
		"IMAPStore r\nAccount a\n\nMaildirStore l\nPath %s/\nInbox %s/INBOX\nSubFolders Verbatim\n\nChannel c\nFar :r:\nNear :l:\nPatterns *\nCreate Near\nSyncState *\n",
		h.base+993, user(2), testPassword, filepath.Join(h.dir, "tls", "ca.pem"), dir, dir)
	file := filepath.Join(dir, "rc")
	if err := os.WriteFile(file, []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mbsync", "-c", file, "-a").CombinedOutput(); err != nil {
		rc = strings.ReplaceAll(strings.ReplaceAll(rc, "TLSType", "SSLType"), "Far :", "Far :")
		_ = os.WriteFile(file, []byte(rc), 0o600)
		if again, err := exec.Command("mbsync", "-c", file, "-a").CombinedOutput(); err != nil {
			t.Fatalf("mbsync: %v\n%s\n%s", err, out, again)
		}
	}
	found := 0
	_ = filepath.WalkDir(filepath.Join(dir, "INBOX"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "/new/") {
			found++
		}
		return nil
	})
	if found != 2 {
		t.Errorf("mbsync brought %d messages", found)
	}
	out, err := exec.Command("curl", "-sS", "--cacert", filepath.Join(h.dir, "tls", "ca.pem"), "-u", user(2)+":"+testPassword,
		fmt.Sprintf("imaps://localhost:%d/INBOX;UID=1", h.base+993)).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("This is a test mailing")) {
		t.Errorf("curl: %v\n%s", err, out)
	}
}
