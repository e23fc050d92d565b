package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	testDomain   = "coop.example"
	testPassword = "kill-battery"
)

// A house is a demo cooperative in its own process, so that it can be killed.
type house struct {
	t    testing.TB
	bin  string
	dir  string
	base int
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

var (
	binOnce sync.Once
	binPath string
	binErr  error
)

// binary builds the program once for all tests.
func binary(t testing.TB) string {
	t.Helper()
	binOnce.Do(func() {
		dir, err := os.MkdirTemp("", "essaim-test-bin")
		if err != nil {
			binErr = err
			return
		}
		binPath = filepath.Join(dir, "essaim")
		build := exec.Command("go", "build", "-o", binPath, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
		out, err := build.CombinedOutput()
		if err != nil {
			binErr = fmt.Errorf("%w: %s", err, out)
		}
	})
	if binErr != nil {
		t.Fatal(binErr)
	}
	return binPath
}

// newHouse starts a demo with the members given, on free ports.
func newHouse(t testing.TB, members int, args ...string) *house {
	t.Helper()
	return newHouseIn(t, filepath.Join(t.TempDir(), "house"), members, args...)
}

func newHouseIn(t testing.TB, dir string, members int, args ...string) *house {
	t.Helper()
	h := &house{t: t, bin: binary(t), dir: dir, base: freeBase(t)}
	h.args = append([]string{"demo", "--data", h.dir, "--members", fmt.Sprint(members), "--domain", testDomain,
		"--password", testPassword, "--base-port", fmt.Sprint(h.base), "--no-samples", "--keep"}, args...)
	h.start()
	t.Cleanup(func() { h.stop(syscall.SIGTERM) })
	return h
}

// freeBase finds a base above which the demo's ports are free: below the ports
// that the system gives to clients, one of which may take any at any moment.
func freeBase(t testing.TB) int {
	for range 1000 {
		base := 10_000 + rand.IntN(21_000)
		free := true
		for _, p := range []int{24, 25, 80, 143, 443, 465, 587, 993} {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+p))
			if err != nil {
				free = false
				break
			}
			ln.Close()
		}
		if free {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func (h *house) start() {
	h.t.Helper()
	env := filepath.Join(h.dir, "demo.env")
	_ = os.Remove(env)
	h.log.Reset()
	h.cmd = exec.Command(h.bin, h.args...)
	h.cmd.Stdout, h.cmd.Stderr = &h.log, &h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	for range 1500 {
		if _, err := os.Stat(env); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.stop(syscall.SIGKILL)
	h.t.Fatalf("the demo did not come up:\n%s", h.log.String())
}

// stop ends the process with the signal and waits for it.
func (h *house) stop(sig syscall.Signal) {
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Signal(sig)
	_ = h.cmd.Wait()
	h.cmd = nil
}

// check runs essaim check on the stopped house.
func (h *house) check() {
	h.t.Helper()
	if out, err := exec.Command(h.bin, "--data", h.dir, "check").CombinedOutput(); err != nil {
		h.t.Fatalf("essaim check: %v\n%s", err, out)
	}
}

func (h *house) addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", h.base+port) }

func user(i int) string { return fmt.Sprintf("user%d@%s", i, testDomain) }

// imap logs a member in over TLS.
func (h *house) imap(who string) (*imapclient.Client, error) { return h.imapWith(who, nil) }

// imapWith is imap with somebody who listens to what the server tells unasked.
func (h *house) imapWith(who string, news *imapclient.UnilateralDataHandler) (*imapclient.Client, error) {
	c, err := imapclient.DialTLS(h.addr(993), &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}, UnilateralDataHandler: news})
	if err != nil {
		return nil, err
	}
	if err := c.Login(who, testPassword).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// deliver hands one message in on port 25.
func (h *house) deliver(from string, to []string, msg []byte) error {
	return h.deliverFrom(from, to, bytes.NewReader(msg), 30*time.Second)
}

// deliverFrom is deliver of a message that is made while it is read.
func (h *house) deliverFrom(from string, to []string, msg io.Reader, within time.Duration) error {
	conn, err := net.DialTimeout("tcp", h.addr(25), 5*time.Second)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(within))
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		conn.Close()
		return err
	}
	defer c.Close()
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
	if _, err := io.Copy(w, msg); err != nil {
		return err
	}
	return w.Close()
}

// letter is a message that can be told from every other by its X-Id.
func letter(id string, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <load@example.net>\r\nTo: <user@%s>\r\nSubject: letter %s\r\nX-Id: %s\r\n"+
		"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@example.net>\r\n\r\n", testDomain, id, id, id)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d of letter %s %s\r\n", i, id, strings.Repeat("x", i%50))
	}
	return b.Bytes()
}
