package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p, "is not installed")
		}
	}
}

// A folder goes up with one program, over TLS, and comes back with others, by
// both versions of HTTP, as it was.
func TestStoryFilesWithRealClients(t *testing.T) {
	needs(t, "curl", "rclone")
	h := newHouse(t, 1)
	ca := filepath.Join(h.dir, "tls", "ca.pem")
	home := fmt.Sprintf("https://localhost:%d/dav/files/%s", h.base+443, user(1))
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "RCLONE_CONFIG="+filepath.Join(t.TempDir(), "none"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return out
	}
	dir := t.TempDir()
	large := make([]byte, 3<<20)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(large)
	for name, content := range map[string][]byte{"large.bin": large, "empty": nil, "é à/ünter/plan (2).txt": []byte("plan\n"), "100%#?.txt": []byte("x")} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remote := ":webdav:garden"
	dav := []string{"--webdav-url", home, "--webdav-user", user(1), "--webdav-pass", strings.TrimSpace(string(run("rclone", "obscure", testPassword))), "--ca-cert", ca}
	run("rclone", append([]string{"copy", dir, remote}, dav...)...)
	run("rclone", append([]string{"check", "--download", dir, remote}, dav...)...)
	for _, version := range []string{"--http1.1", "--http2"} {
		curl := []string{"-sS", "--fail", version, "--cacert", ca, "-u", user(1) + ":" + testPassword}
		if out := run("curl", append(curl, home+"/garden/large.bin")...); !bytes.Equal(out, large) {
			t.Errorf("curl %s brought %d bytes, other than they were", version, len(out))
		}
		run("curl", append(curl, "-H", "Expect: 100-continue", "-T", filepath.Join(dir, "large.bin"), home+"/up"+version)...)
		if out := run("curl", append(curl, "-r", "100-199", home+"/up"+version)...); !bytes.Equal(out, large[100:200]) {
			t.Errorf("curl %s: a range of %d bytes", version, len(out))
		}
	}
	h.stop(syscall.SIGTERM)
	h.check()
}

// litmus speaks to the whole program without TLS.
func TestStoryLitmus(t *testing.T) {
	needs(t, "litmus")
	h := newHouse(t, 1, "--plain-http")
	cmd := exec.Command("litmus", "-k", fmt.Sprintf("http://127.0.0.1:%d/dav/files/%s/", h.base+80, user(1)), user(1), testPassword)
	cmd.Dir = t.TempDir() // it leaves its logs where it runs
	out, err := cmd.CombinedOutput()
	if n := bytes.Count(out, []byte("100.0%")); err != nil || n != 5 {
		t.Errorf("litmus: %v, %d of five suites passed\n%s", err, n, out)
	}
	h.stop(syscall.SIGTERM)
	h.check()
}
