package main

import (
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = mx.other.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
virtual_mailbox_domains = other.example
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ friend@other.example=friend }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = inline:{ %[2]s=smtp:[127.0.0.1]:%[3]d }
smtp_tls_security_level = may
`

const postfixMaster = `127.0.0.9:2525 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`

// startPostfix runs Debian's Postfix as the mail server of other.example on
// another loopback address, and returns where it keeps mail.
func startPostfix(t *testing.T, port int) (maildrop string) {
	t.Helper()
	if _, err := exec.LookPath("postfix"); err != nil || os.Getuid() != 0 {
		t.Skip("Postfix needs to be installed, and root to start it")
	}
	dir, err := os.MkdirTemp("/var/tmp", "essaim-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_ = os.Chmod(dir, 0o755)
	for _, d := range []string{"spool", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_ = exec.Command("chown", "postfix", filepath.Join(dir, "data")).Run()
	_ = exec.Command("chown", "65534:65534", filepath.Join(dir, "mail")).Run()
	for name, text := range map[string]string{"main.cf": fmt.Sprintf(postfixMain, dir, testDomain, port), "master.cf": postfixMaster} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("postfix", "-c", dir, "start").CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Skipf("Postfix does not start here: %v\n%s%s", err, out, log)
	}
	t.Cleanup(func() {
		_ = exec.Command("postfix", "-c", dir, "stop").Run()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("Postfix says:\n%s", log)
		}
	})
	return filepath.Join(dir, "mail", "friend")
}

// waitFor waits until a file has a text.
func waitFor(t *testing.T, file, text string) string {
	t.Helper()
	for range 200 {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), text) {
			return string(b)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("no %q in %s", text, file)
	return ""
}

// Mail goes to a Postfix and comes from it, and each side's refusal comes back
// as a report that the sender can read.
func TestStoryPostfix(t *testing.T) {
	h := newHouse(t, 1, "--route", "other.example=127.0.0.9:2525")
	maildrop := startPostfix(t, h.base+25)
	msg := func(from, subject string) []byte {
		return []byte("From: <" + from + ">\r\nTo: <x@y.example>\r\nSubject: " + subject + "\r\n\r\nhello\r\n")
	}
	var err error
	for range 50 { // until it listens
		if err = smtp.SendMail("127.0.0.9:2525", nil, "friend@other.example", []string{user(1), "nobody@" + testDomain}, msg("friend@other.example", "from Postfix")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.newest(user(1), "Subject: from Postfix")
	if report := waitFor(t, maildrop, "nobody@"+testDomain); !strings.Contains(report, "5.1.1") {
		t.Errorf("Postfix's report does not say why:\n%s", report)
	}
	if err := h.submit(user(1), []string{"friend@other.example", "nobody@other.example"}, msg(user(1), "to Postfix")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, maildrop, "Subject: to Postfix")
	if report := string(h.newest(user(1), "report-type=delivery-status")); !strings.Contains(report, "nobody@other.example") || !strings.Contains(report, "Status: 5.1.1") {
		t.Errorf("our report:\n%s", report)
	}
}
