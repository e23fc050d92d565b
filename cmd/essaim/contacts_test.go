package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A device is a computer with vdirsyncer and khard on which a member keeps
// contacts.
type device struct {
	t   *testing.T
	dir string
}

// newDevice configures one from nothing but the host's name and the member's
// address and password.
func newDevice(t *testing.T, h *house, member string) *device {
	t.Helper()
	for _, name := range []string{"vdirsyncer", "khard"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed")
		}
	}
	d := &device{t, t.TempDir()}
	d.write("config", fmt.Sprintf(`[general]
status_path = "%[1]s/status"
[pair contacts]
a = "here"
b = "there"
collections = ["contacts"]
conflict_resolution = "b wins"
[storage here]
type = "filesystem"
path = "%[1]s/cards"
fileext = ".vcf"
[storage there]
type = "carddav"
url = "https://localhost:%[2]d/"
username = "%[3]s"
password = "%[4]s"
verify = "%[5]s"
`, d.dir, h.base+443, member, testPassword, filepath.Join(h.dir, "tls", "ca.pem")))
	d.write("khard.conf", "[addressbooks]\n[[all]]\npath = "+filepath.Join(d.dir, "cards", "contacts")+"\n[general]\ndefault_action = list\n")
	d.run("y\ny\n", "vdirsyncer", "-c", "config", "discover")
	return d
}

func (d *device) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) run(stdin, name string, args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = d.dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "XDG_CONFIG_HOME="+d.dir, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (d *device) sync() { d.t.Helper(); d.run("", "vdirsyncer", "-c", "config", "sync") }

// people lists what khard knows.
func (d *device) people() string {
	d.t.Helper()
	return d.run("", "khard", "-c", "khard.conf", "list", "--parsable")
}

// A member writes down a friend on the laptop, has the friend on the desk, and
// still has both after the machine was pulled the plug.
func TestContactsOnTwoDevices(t *testing.T) {
	h := newHouse(t, 1)
	laptop, desk := newDevice(t, h, user(1)), newDevice(t, h, user(1))
	laptop.run("First name: Zoé\nLast name: Lefèvre\nEmail:\n  home: zoe@elsewhere.example\n", "khard", "-c", "khard.conf", "new", "-i", "-", "-a", "all")
	laptop.sync()
	desk.sync()
	if got := desk.people(); !strings.Contains(got, "Zoé Lefèvre") {
		t.Fatalf("on the desk: %q", got)
	}
	h.stop(syscall.SIGKILL)
	h.start()
	card, err := filepath.Glob(filepath.Join(desk.dir, "cards", "contacts", "*.vcf"))
	if err != nil || len(card) != 1 {
		t.Fatalf("%q %v", card, err)
	}
	if err := os.Remove(card[0]); err != nil {
		t.Fatal(err)
	}
	desk.write("cards/contacts/new.vcf", "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:from-the-desk\r\nFN:Nadia Wagner\r\nN:Wagner;Nadia;;;\r\nEND:VCARD\r\n")
	desk.sync()
	laptop.sync()
	if got := laptop.people(); !strings.Contains(got, "Nadia Wagner") || strings.Contains(got, "Zoé") {
		t.Errorf("on the laptop: %q", got)
	}
}
