package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// davfs2 makes the files a file system. They are used by name only: not every
// kernel lists the directories of this old version of FUSE.
//
// A kernel that hangs on such a mount takes every process along that looks at
// it: it is for machines that can be started again.
func TestStoryDavfs(t *testing.T) {
	if os.Getenv("ESSAIM_LONG") == "" {
		t.Skip("only with ESSAIM_LONG")
	}
	needs(t, "mount.davfs", "umount")
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no FUSE: ", err)
	}
	f.Close()
	h := newHouse(t, 1, "--plain-http")
	dir := t.TempDir()
	mnt, conf, secrets := filepath.Join(dir, "mnt"), filepath.Join(dir, "davfs.conf"), filepath.Join(dir, "secrets")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		conf:    "ask_auth 0\ndelay_upload 0\nsecrets " + secrets + "\n",
		secrets: fmt.Sprintf("%q %q %q\n", h.filesURL(1), user(1), testPassword),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := bounded("mount.davfs", h.filesURL(1), mnt, "-o", "conf="+conf+",uid=0,gid=0"); err != nil {
		t.Skipf("mounting is not possible here: %v\n%s", err, out)
	}
	defer letGo(mnt)
	// In a process of its own, as one that waits for a file system cannot be
	// given up.
	script := `set -e
mkdir "$1/Café & Co"
echo hello >"$1/Café & Co/letter 100%.txt"
test "$(cat "$1/Café & Co/letter 100%.txt")" = hello
echo again >>"$1/Café & Co/letter 100%.txt"
mv "$1/Café & Co" "$1/moved"
test "$(wc -l <"$1/moved/letter 100%.txt")" = 2
echo gone >"$1/gone"
rm "$1/gone"
`
	if out, err := bounded("sh", "-c", script, "sh", mnt); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := bounded("umount", mnt); err != nil { // it writes what it has held back
		t.Fatalf("umount: %v\n%s", err, out)
	}
	var got strings.Builder
	h.http("GET", "moved/letter%20100%25.txt", nil, 0, &got)
	if got.String() != "hello\nagain\n" {
		t.Errorf("the letter is %q", got.String())
	}
	h.stop(syscall.SIGTERM)
	h.check()
}

// bounded runs a program for half a minute at most, and does not wait for one
// that cannot be killed.
func bounded(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := os.CreateTemp("", "essaim-davfs")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(35 * time.Second):
		err = context.DeadlineExceeded
	}
	text, _ := os.ReadFile(out.Name())
	return string(text), err
}

// letGo ends a mount that a failed test has left: first its daemon, so that
// nothing waits for it any more.
func letGo(mnt string) {
	pids, _ := filepath.Glob("/run/mount.davfs/*" + strings.ReplaceAll(strings.Trim(mnt, "/"), "/", "-") + ".pid")
	for _, path := range pids {
		b, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = os.Remove(path)
	}
	_ = syscall.Unmount(mnt, syscall.MNT_DETACH|syscall.MNT_FORCE)
}
