package landlock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A restriction cannot be undone, so the test's own program is run again to
// restrict itself.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LANDLOCK_TEST"); dir != "" {
		fmt.Println(restricted(dir))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// restricted gives everything up but a folder to write and one to read, and
// tells what goes on to work.
func restricted(dir string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	version, err := Restrict(Need{Write: []string{dir + "/data"}, Read: []string{dir + "/read", dir + "/read/file", "/nonexistent"}, Connect: []uint16{9}})
	if errors.Is(err, ErrUnsupported) {
		return "skip: " + err.Error()
	}
	if err != nil {
		return err.Error()
	}
	var out []string
	say := func(what string, err error) {
		word := "may"
		if err != nil {
			word = "may not"
		}
		out = append(out, word+" "+what)
	}
	_, err = os.ReadFile(dir + "/read/file")
	say("read", err)
	say("write", os.WriteFile(dir+"/data/file", []byte("x"), 0o600))
	say("rename", os.Rename(dir+"/data/file", dir+"/data/other"))
	say("write outside", os.WriteFile(dir+"/read/file", []byte("x"), 0o600))
	var each sync.WaitGroup // on whatever threads
	failed := make([]error, 50)
	for i := range failed {
		each.Go(func() { _, failed[i] = os.ReadFile("/proc/self/status") })
	}
	each.Wait()
	for i, err := range failed {
		if err == nil {
			out = append(out, fmt.Sprintf("thread %d may read outside", i))
		}
	}
	say("execute", exec.Command("/bin/true").Run())
	if version >= 4 {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false)
		_, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		say("listen", err)
		_, err = net.Dial("tcp", ln.Addr().String())
		say("connect", err)
	} else {
		out = append(out, "may not listen", "may not connect")
	}
	return strings.Join(out, ", ")
}

func TestRestrict(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"data", "read"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "read", "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "LANDLOCK_TEST="+dir)
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	got := strings.TrimSpace(string(b))
	if strings.HasPrefix(got, "skip: ") {
		t.Skip(got)
	}
	if want := "may read, may write, may rename, may not write outside, may not execute, may not listen, may not connect"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Older kernels are not asked for what they do not know.
func TestVersions(t *testing.T) {
	for version, want := range map[int]uint64{1: 0x1fff, 2: 0x3fff, 3: 0x7fff, 8: 0x7fff} {
		a := handled(version)
		if a.Handled_access_fs != want || (a.Handled_access_net != 0) != (version >= 4) {
			t.Errorf("version %d: %#x, %#x", version, a.Handled_access_fs, a.Handled_access_net)
		}
	}
}
