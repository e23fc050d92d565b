package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// filesURL is a member's home on the listener without TLS.
func (h *house) filesURL(i int) string {
	return fmt.Sprintf("http://%s/dav/files/%s/", h.addr(80), user(i))
}

// run runs a program that must end well within its time, and returns what it
// says.
func (h *house) run(env []string, dir, stdin, name string, args ...string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, append(os.Environ(), env...), strings.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// hostile are names that have broken clients and servers.
var hostile = []string{
	"plain.txt", "with space.txt", " leading", "per%cent", "per%2Fcent", "hash#tag", "question?mark", "semi;colon", "plus+plus",
	"amp&ersand", "<angle>", "quote\"quote", "apostrophe'", "back\\slash", "colon:colon", "star*", "pipe|pipe", "tilde~", "~$lock.docx",
	"caf\u00e9", "cafe\u0301 two", "\u65e5\u672c\u8a9e", "\U0001f41d bee", "CON", "aux.txt", ".hidden", "...", "trailing.", "-rf",
	"UPPER", "upper.", "a=b", "[brackets]", "{braces}", "$HOME", "`tick`", "\u202egnp.exe", "\u200bzero", strings.Repeat("long", 60) + ".txt",
}

// hostileTree writes files of all kinds below dir.
func hostileTree(t *testing.T, dir string, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		name := hostile[i%len(hostile)]
		sub := filepath.Join(dir, fmt.Sprint("d", i%5), hostile[(i*5)%len(hostile)])
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, rng.IntN(3000))
		for j := range body {
			body[j] = byte(rng.Uint32())
		}
		path := filepath.Join(sub, fmt.Sprintf("%.200s", name))
		if i >= len(hostile) {
			path = filepath.Join(sub, fmt.Sprintf("%d%.200s", i, name))
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// rclone runs rclone with the member's files as "r:".
func (h *house) rclone(dir string, args ...string) string {
	h.t.Helper()
	obscured := filepath.Join(dir, "password") // each time it is another, and with it the name of the remote
	if _, err := os.Stat(obscured); err != nil {
		if err := os.WriteFile(obscured, []byte(strings.TrimSpace(h.run(nil, dir, "", "rclone", "obscure", testPassword))), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	pass, err := os.ReadFile(obscured)
	if err != nil {
		h.t.Fatal(err)
	}
	env := []string{
		"RCLONE_CONFIG=" + filepath.Join(dir, "no-config"), "XDG_CACHE_HOME=" + filepath.Join(dir, "cache"),
		"RCLONE_CONFIG_R_TYPE=webdav", "RCLONE_CONFIG_R_URL=" + h.filesURL(1), "RCLONE_CONFIG_R_VENDOR=owncloud",
		"RCLONE_CONFIG_R_USER=" + user(1), "RCLONE_CONFIG_R_PASS=" + string(pass),
	}
	return h.run(env, dir, "", "rclone", append(args, "--transfers", "4", "--checkers", "4", "--retries", "1")...)
}

// rclone carries a tree of hostile names there and back and finds every byte and
// every date.
func TestStoryRclone(t *testing.T) {
	needs(t, "rclone")
	n, long := 250, os.Getenv("ESSAIM_LONG") != "" // it makes at most 100 requests a second
	if long {
		n = 5000
	}
	h := newHouse(t, 1, "--plain-http")
	dir := t.TempDir()
	src, back := filepath.Join(dir, "src"), filepath.Join(dir, "back")
	hostileTree(t, src, n)
	h.rclone(dir, "sync", src, "r:tree")
	h.rclone(dir, "check", src, "r:tree")
	if long {
		if out := h.rclone(dir, "sync", src, "r:tree", "-v", "--stats", "0"); strings.Contains(out, "Copied") {
			t.Errorf("nothing had changed:\n%s", out)
		}
	}
	h.rclone(dir, "copy", "r:tree", back)
	sameTree(t, src, back)
	h.stop(syscall.SIGTERM)
	h.check()
}

// Both sides change, and rclone keeps them the same.
func TestStoryRcloneBothWays(t *testing.T) {
	needs(t, "rclone")
	h := newHouse(t, 1, "--plain-http")
	dir := t.TempDir()
	here, work, again := filepath.Join(dir, "here"), filepath.Join(dir, "work"), filepath.Join(dir, "again")
	for i := range 30 {
		path := filepath.Join(here, fmt.Sprint("d", i%3), fmt.Sprintf("caf\u00e9 %d.txt", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.rclone(dir, "mkdir", "r:tree")
	h.rclone(dir, "bisync", here, "r:tree", "--workdir", work, "--resync")
	if err := os.WriteFile(filepath.Join(here, "new here"), []byte("here"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(here, "d2")); err != nil {
		t.Fatal(err)
	}
	h.rclone(dir, "moveto", "r:tree/d1", "r:tree/d1 moved")
	h.rclone(dir, "bisync", here, "r:tree", "--workdir", work, "--force")
	h.rclone(dir, "copy", "r:tree", again)
	sameTree(t, here, again)
	for _, want := range []string{"new here", "d1 moved"} {
		if _, err := os.Stat(filepath.Join(again, want)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(again, "d2")); err == nil {
		t.Error("what was deleted here is still there")
	}
}

// sameTree compares two directories: names, bytes, dates.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	read := func(dir string) map[string]string {
		out := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				out[path[len(dir):]] = fmt.Sprintf("%x %d", sha256.Sum256(body), info.ModTime().Unix())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	have, want := read(b), read(a)
	for name, v := range want {
		if have[name] != v {
			t.Errorf("%q is %s, must be %s", name, have[name], v)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d files, must be %d", len(have), len(want))
	}
}

func TestStoryCadaver(t *testing.T) {
	needs(t, "cadaver")
	h := newHouse(t, 1, "--plain-http")
	dir := t.TempDir()
	netrc := fmt.Sprintf("machine 127.0.0.1\nlogin %s\npassword %s\n", user(1), testPassword)
	for name, text := range map[string]string{".netrc": netrc, "letter.txt": "Dear all\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := "mkcol box\ncd box\nput letter.txt\nls\ncopy letter.txt copy.txt\nmove copy.txt moved.txt\nlock moved.txt\ndiscover moved.txt\n" +
		"unlock moved.txt\npropset moved.txt colour blue\npropget moved.txt colour\nget moved.txt got.txt\ndelete letter.txt\nls\nquit\n"
	out := h.run([]string{"HOME=" + dir}, dir, script, "cadaver", h.filesURL(1))
	for _, bad := range []string{"failed", "Could not", "denied"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q:\n%s", bad, out)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "got.txt")); err != nil || string(got) != "Dear all\n" {
		t.Errorf("%q, %v\n%s", got, err, out)
	}
	if !strings.Contains(out, "blue") {
		t.Errorf("the property is not there:\n%s", out)
	}
}

// gvfs is what the file managers of GNOME and others stand on.
func TestStoryGvfs(t *testing.T) {
	needs(t, "gio", "dbus-run-session")
	if _, err := os.Stat("/usr/libexec/gvfsd-dav"); err != nil {
		t.Skip("gvfs-backends is not installed")
	}
	h := newHouse(t, 1, "--plain-http")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.txt"), []byte("by gvfs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := strings.Replace(h.filesURL(1), "http://", "dav://"+strings.ReplaceAll(user(1), "@", "%40")+"@", 1)
	script := `set -e
gio mount "$1" <<EOT
` + testPassword + `
EOT
gio mkdir "$1folder"
gio copy f.txt "$1folder/f.txt"
gio move "$1folder/f.txt" "$1folder/g.txt"
gio list "$1folder"
gio cat "$1folder/g.txt"
gio info -a filesystem::free "$1"
gio trash "$1folder/g.txt" 2>/dev/null || gio remove "$1folder/g.txt"
gio mount -u "$1"
`
	env := []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "XDG_DATA_HOME=" + dir, "GVFS_DISABLE_FUSE=1", "GIO_USE_VOLUME_MONITOR=unix"}
	out := h.run(env, dir, "", "dbus-run-session", "--", "sh", "-c", script, "sh", at)
	for _, want := range []string{"g.txt", "by gvfs"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// curl breaks off, resumes and asks for parts, over TLS.
func TestStoryCurlRanges(t *testing.T) {
	needs(t, "curl")
	h := newHouse(t, 1)
	dir := t.TempDir()
	body := make([]byte, 3<<20)
	for i := range body {
		body[i] = byte(i * 7 / 3)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("https://localhost:%d/dav/files/%s/f.bin", h.base+443, user(1))
	curl := func(args ...string) string {
		t.Helper()
		base := []string{"-sS", "--fail", "--cacert", filepath.Join(h.dir, "tls", "ca.pem"), "-u", user(1) + ":" + testPassword}
		return h.run(nil, dir, "", "curl", append(base, args...)...)
	}
	curl("-T", file, url)
	for _, r := range [][2]int{{0, 0}, {1 << 20, 1<<20 + 99}, {len(body) - 10, len(body) - 1}} {
		got := curl("-r", fmt.Sprintf("%d-%d", r[0], r[1]), url)
		if got != string(body[r[0]:r[1]+1]) {
			t.Errorf("bytes %v are not what was put there", r)
		}
	}
	if got := curl("-r", "-5", url); got != string(body[len(body)-5:]) {
		t.Error("the last five")
	}
	part := filepath.Join(dir, "part")
	if err := os.WriteFile(part, body[:1<<20], 0o600); err != nil {
		t.Fatal(err)
	}
	curl("-C", "-", "-o", part, url)
	if got, err := os.ReadFile(part); err != nil || !bytes.Equal(got, body) {
		t.Errorf("resumed: %d bytes, %v", len(got), err)
	}
	if got := curl("-o", os.DevNull, "-w", "%{http_code}", "-r", "99999999-", "-D-", url, "--no-fail"); !strings.Contains(got, "416") {
		t.Errorf("beyond the end: %s", got)
	}
}

// A large file goes through the server in constant memory.
func TestStoryLargeFile(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("ESSAIM_LONG") != "" {
		size = 5 << 30
	}
	h := newHouse(t, 1, "--plain-http")
	transfer := func(size int64) {
		t.Helper()
		sent, got := sha256.New(), sha256.New()
		noise := rand.NewChaCha8([32]byte{1})
		h.http("PUT", "large.bin", io.TeeReader(io.LimitReader(noise, size), sent), size, nil)
		h.http("GET", "large.bin", nil, 0, got)
		if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
			t.Fatal("the file is not what was sent")
		}
	}
	transfer(16 << 20) // what the process takes for a transfer at all
	before := h.memory()
	transfer(size)
	if grown := h.memory() - before; grown > 20<<20 {
		t.Errorf("%d bytes took %d MiB more", size, grown>>20)
	}
}

// http sends a request as the first member and wants an answer of 2xx.
func (h *house) http(method, path string, body io.Reader, size int64, to io.Writer) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.filesURL(1)+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	if size > 0 {
		req.ContentLength = size
	}
	req.SetBasicAuth(user(1), testPassword)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if to == nil {
		to = io.Discard
	}
	if _, err := io.Copy(to, resp.Body); err != nil || resp.StatusCode/100 != 2 {
		h.t.Fatalf("%s %s: %s, %v", method, path, resp.Status, err)
	}
}

// memory is the most that the process has had in memory at once, in bytes.
func (h *house) memory() int64 {
	h.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		h.t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kb, 10, 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return n << 10
}
