package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/smtp"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/emersion/go-imap/v2/imapclient"
)

// A stopwatch logs how long each step of the first fifteen minutes took.
type stopwatch struct {
	t    *testing.T
	last time.Time
}

func (w *stopwatch) lap(step string) {
	w.t.Logf("%8.3f s  %s", time.Since(w.last).Seconds(), step)
	w.last = time.Now()
}

// unpacked is the program out of its Debian package in a root of its own, or
// as it was built where there is no dpkg-deb.
func unpacked(t *testing.T, root string) (program string) {
	t.Helper()
	built := binary(t)
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Log("dpkg-deb is not installed: the program is taken as built")
		return built
	}
	out := t.TempDir()
	pack := exec.Command("../../packaging/deb.sh", built, "1.0", "amd64", out)
	pack.Env = append(os.Environ(), "COMPRESSION=none")
	if b, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if b, err := exec.Command("dpkg-deb", "-x", filepath.Join(out, "essaim_1.0_amd64.deb"), root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return filepath.Join(root, "usr/bin/essaim")
}

// A visitor is a browser without scripts. Whatever name it asks for, it comes
// to the server.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T, https string) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, https)
		}}}
	t.Cleanup(client.CloseIdleConnections)
	return visitor{t, client}
}

// send fills in a form and returns what is shown.
func (v visitor) send(path string, fields url.Values) string {
	v.t.Helper()
	status, body, _ := fetch(v.t, v.client, "https://mail.coop.example"+path, fields)
	if status != http.StatusOK {
		v.t.Fatalf("%s: %d\n%s", path, status, body)
	}
	return body
}

// shown finds a part of a page.
func shown(t *testing.T, body, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, body)
	}
	return m[1]
}

// letterVia sends a message as a program does that was told a password, or as
// another host does.
func letterVia(t *testing.T, address, user, password, to, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	from := "friend@elsewhere.example"
	if user != "" {
		from = user
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	c, err := smtp.NewClient(conn, "mail.coop.example")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if user != "" {
		err = c.Auth(smtp.PlainAuth("", user, password, "mail.coop.example"))
	}
	for _, step := range []func() error{func() error { return c.Mail(from) }, func() error { return c.Rcpt(to) }} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err == nil {
		_, err = io.WriteString(w, "From: <"+from+">\r\nTo: <"+to+">\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <"+text+"@elsewhere.example>\r\nSubject: "+text+"\r\n\r\n"+text+"\r\n")
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// awaitLetter waits until a mailbox has it.
func awaitLetter(t *testing.T, address, user, password, text string) {
	t.Helper()
	c, err := imapclient.DialTLS(address, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(user, password).Wait(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		sel, err := c.Select("INBOX", nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		for n := sel.NumMessages; n > 0; n-- {
			if bytes.Contains(fetchOne(t, c, n), []byte(text)) {
				return
			}
		}
	}
	t.Fatalf("%s has no letter with %q", user, text)
}

// onLoopback puts a configuration that setup wrote on free ports, with a test
// authority and another host.
func onLoopback(t *testing.T, path, other string) Config {
	t.Helper()
	c := defaultConfig()
	if _, err := toml.DecodeFile(path, &c); err != nil {
		t.Fatal(err)
	}
	c.Listen, c.MetricsAddr = loopbackConfig(t).Listen, ""
	c.Routes = map[string]string{"elsewhere.example": other}
	names := c.TLS
	c.TLS = TLS{}
	if _, err := exec.LookPath("pebble"); err == nil {
		withAuthority(t, &c, portOf(t, c.Listen.HTTP), portOf(t, c.Listen.HTTPS))
		c.TLS.Names, c.TLS.Email = names.Names, names.Email
	} else {
		t.Log("pebble is not installed: the throwaway certificate stays")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// The first fifteen minutes: from a package to a member who writes to the world
// and is written to.
func TestStoryTheFirstFifteenMinutes(t *testing.T) {
	other, elsewhere := otherHost(t)
	root := t.TempDir()
	watch := &stopwatch{t, time.Now()}
	s := &served{t: t, bin: unpacked(t, root), config: filepath.Join(root, "etc/essaim/essaim.toml"), log: &screen{}}
	watch.lap("the package is made and unpacked")

	cmd := exec.Command(s.bin, "--config", s.config, "--data", filepath.Join(root, "var/lib/essaim"), "setup")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader("Les Voisins\ncoop.example\nLiège\nfr nl\nzoe\n\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("setup: %v\n%s", err, out)
	}
	code := shown(t, string(out), `(?m)^    ([a-z2-9]{5}-[a-z2-9]{5})$`)
	device := shown(t, string(out), `(?m)zoe@coop\.example\n    (\S+)$`)
	watch.lap("setup has asked its questions")

	c := onLoopback(t, s.config, elsewhere)
	s.start()
	watch.lap("the server answers")
	if c.TLS.ACME {
		awaitCertificate(t, c.Listen.HTTPS[0], c.Hostname)
		awaitCertificate(t, c.Listen.IMAPS[0], "mta-sts.coop.example")
		watch.lap("the authority's certificates are in service")
	}

	zoe := newVisitor(t, c.Listen.HTTPS[0])
	zoe.send("/recover", url.Values{"address": {"zoe@coop.example"}, "code": {code}, "password": {"four words in a row"}})
	zoe.send("/signin", url.Values{"address": {"zoe@coop.example"}, "password": {"four words in a row"}})
	body := zoe.send("/admin/invitations", url.Values{"note": {"Bram"}, "domain": {"coop.example"}, "language": {"nl"}, "quota": {"5"}, "size": {"1"}, "uses": {"1"}, "days": {"7"}, "subscriber": {"yes"}})
	link := shown(t, body, `https://mail\.coop\.example(/join/[a-z2-9]+)`)
	watch.lap("the administrator has signed in and invited")

	bram := newVisitor(t, c.Listen.HTTPS[0])
	bram.send(link, nil)
	bram.send(link, url.Values{"name": {"Bram Peeters"}, "local": {"bram"}, "language": {"nl"}, "password": {"vier woorden op een rij"}})
	password := shown(t, bram.send("/devices", url.Values{"device": {"laptop"}, "scope": {"mail", "files", "calendar", "contacts"}}), `id="secret">([^<]+)<`)
	watch.lap("the member has joined and connected a device")

	letterVia(t, c.Listen.SMTP[0], "", "", "bram@coop.example", "from-the-world")
	awaitLetter(t, c.Listen.IMAPS[0], "bram@coop.example", password, "from-the-world")
	watch.lap("mail from the world is in the member's mailbox")
	letterVia(t, c.Listen.Submissions[0], "bram@coop.example", password, "zoe@coop.example", "from-bram")
	awaitLetter(t, c.Listen.IMAPS[0], "zoe@coop.example", device, "from-bram")
	letterVia(t, c.Listen.Submissions[0], "bram@coop.example", password, "friend@elsewhere.example", "to-the-world")
	select {
	case got := <-other.got:
		if !strings.HasPrefix(got, "bram@coop.example ") || !strings.Contains(got, "to-the-world") {
			t.Errorf("the other host got %q", got)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("nothing arrived at the other host")
	}
	watch.lap("mail within and to the world has arrived")

	if out, err := s.command("backup", filepath.Join(c.Data, "copy")); err != nil || !strings.Contains(out, "clean") {
		t.Errorf("backup: %v %s", err, out)
	}
	s.stop()
	if out, err := s.command("check"); err != nil || !strings.Contains(out, "clean") {
		t.Errorf("check: %v %s", err, out)
	}
	watch.lap("backup, stop and check")
}
