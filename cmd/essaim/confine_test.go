package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/BurntSushi/toml"
)

// A served is the program as a service runs it, in its own process.
type served struct {
	t      *testing.T
	bin    string
	config string
	cmd    *exec.Cmd
	log    *screen
}

// newServed writes the configuration and starts the server.
func newServed(t *testing.T, bin string, c Config) *served {
	t.Helper()
	s := &served{t: t, bin: bin, config: filepath.Join(t.TempDir(), "essaim.toml"), log: &screen{}}
	f, err := os.Create(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

func (s *served) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.bin, "serve", "--config", s.config)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd := s.cmd
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	s.log.waitFor(s.t, `msg=serving`)
}

// stop ends the server in order.
func (s *served) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
}

// command runs a command line beside the server.
func (s *served) command(args ...string) (string, error) {
	b, err := exec.Command(s.bin, append([]string{"--config", s.config}, args...)...).CombinedOutput()
	return string(b), err
}

// A server writes to its data and the configured place of its backups, and
// nowhere else.
func TestServerIsConfined(t *testing.T) {
	c := loopbackConfig(t)
	c.Backup = filepath.Join(t.TempDir(), "copies")
	if err := os.Mkdir(c.Backup, 0o700); err != nil {
		t.Fatal(err)
	}
	s := newServed(t, binary(t), c)
	defer s.stop()
	if !strings.Contains(s.log.String(), "msg=confined") {
		t.Skip("no Landlock here: ", s.log)
	}
	if out, err := s.command("backup"); err != nil || !strings.Contains(out, "clean") {
		t.Errorf("backup to its place: %v %s", err, out)
	}
	if out, err := s.command("backup", filepath.Join(t.TempDir(), "elsewhere")); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("backup elsewhere: %v %s", err, out)
	}
	if out, err := s.command("domain", "add", "coop.example"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if out, err := s.command("check"); err != nil || !strings.Contains(out, "clean") {
		t.Errorf("%v %s", err, out)
	}
}

func TestPortsThatAServerConnectsTo(t *testing.T) {
	c := Config{Relay: "smtp.sister.example:2525", Routes: map[string]string{"a.example": "127.0.0.1:26"}, TLS: TLS{Directory: "https://ca.example:14000/dir"}}
	got := c.portsElsewhere()
	slices.Sort(got)
	if !slices.Equal(got, []uint16{26, 2525, 14000}) {
		t.Error(got)
	}
}

// at is a listener on a port that nobody listens on.
type at struct {
	net.Listener
	port int
}

func (a at) Addr() net.Addr { return &net.TCPAddr{Port: a.port} }

func TestInheritedSockets(t *testing.T) {
	got := byService(map[string][]net.Listener{"essaim.socket": {at{port: 25}, at{port: 443}, at{port: 80}, at{port: 25}, at{port: 7777}}, "imaps": {at{port: 1993}}})
	for name, want := range map[string]int{"smtp": 2, "https": 1, "http": 1, "imaps": 1, "submission": 0} {
		if len(got[name]) != want {
			t.Errorf("%s: %d sockets", name, len(got[name]))
		}
	}
}
