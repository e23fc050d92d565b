package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newerLayout takes the place of storage/layout.go: a program of one layout more,
// with a step that goes over every row of accounts, items and rooms. When it has come to the
// second transaction it says so, and waits to be killed.
const newerLayout = `package storage

import (
	"os"
	"time"

	"essaim.coop/essaim/storage/kv"
)

const SchemaVersion = 2

var done int

var steps = []step{{[]byte{4}, nil, func(t kv.Tx, key, value []byte) error {
	if mark := os.Getenv("ESSAIM_TEST_MARK"); mark != "" && done == sliceRows {
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			return err
		}
		time.Sleep(time.Minute)
	}
	done++
	t.Put(key, value)
	return nil
}}}
`

// newerBuild is the program of the layout after this one.
func newerBuild(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	layout, err := filepath.Abs("../../storage/layout.go")
	if err != nil {
		t.Fatal(err)
	}
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{layout: filepath.Join(dir, "layout.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"layout.go": []byte(newerLayout), "overlay.json": replaced} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return compiled(t, ".", filepath.Join(dir, "essaim"), "-overlay", filepath.Join(dir, "overlay.json"))
}

// previousBuild is the program of an earlier commit: ESSAIM_PREVIOUS, or the one
// before this. Where there is no history it is this one.
func previousBuild(t *testing.T) string {
	t.Helper()
	commit := os.Getenv("ESSAIM_PREVIOUS")
	if commit == "" {
		commit = "HEAD~1"
	}
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil || exec.Command("git", "rev-parse", "--verify", "--quiet", commit+"^{commit}").Run() != nil {
		t.Log("no history here: the previous build is this one")
		return binary(t)
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "source.tar")
	if out, err := exec.Command("git", "-C", strings.TrimSpace(string(top)), "archive", "-o", archive, commit).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return compiled(t, filepath.Join(dir, "cmd/essaim"), filepath.Join(dir, "built"))
}

func compiled(t *testing.T, source, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, args...), ".")...)
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// belongings are what a member has by path, as digests.
type belongings map[string][sha256.Size]byte

// fill puts something of everything in, and returns the paths.
func (h *house) fill() (paths []string) {
	h.t.Helper()
	large := make([]byte, 6<<20) // a file of its own in the store
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	for path, body := range map[string]string{
		"files/" + user(1) + "/large.bin":                string(large),
		"files/" + user(1) + "/note.txt":                 "a note",
		"calendars/" + user(1) + "/calendar/weekly.ics":  event("weekly", "DTSTART:20270310T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Réunion"),
		"addressbooks/" + user(1) + "/contacts/bram.vcf": "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:bram\r\nFN:Bram Peeters\r\nEND:VCARD\r\n",
	} {
		h.dav("PUT", path, body)
		paths = append(paths, path)
	}
	for i := range 300 { // with two rows each, more than one transaction of an upgrade
		if err := h.deliver("load@example.net", []string{user(1)}, letter(fmt.Sprint("u", i), 500+i*40)); err != nil {
			h.t.Fatal(err)
		}
	}
	return paths
}

// have reads everything there is.
func (h *house) have(paths []string) belongings {
	h.t.Helper()
	b := belongings{}
	for _, path := range paths {
		b[path] = sha256.Sum256(h.dav("GET", path, ""))
	}
	c, err := h.imap(user(1))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	sel, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		h.t.Fatal(err)
	}
	for n := range sel.NumMessages {
		b[fmt.Sprint("letter ", n+1)] = sha256.Sum256(fetchOne(h.t, c, n+1))
	}
	return b
}

func (h *house) dav(method, path, body string) []byte {
	h.t.Helper()
	r, err := http.NewRequest(method, fmt.Sprintf("http://%s/dav/%s", h.addr(80), path), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.SetBasicAuth(user(1), testPassword)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(res.Body); err != nil || res.StatusCode/100 != 2 {
		h.t.Fatalf("%s %s: %s %v %s", method, path, res.Status, err, got.String())
	}
	return got.Bytes()
}

// as goes on with another build of the program.
func (h *house) as(program string) *house {
	h.stop(syscall.SIGTERM)
	h.bin = program
	h.start()
	return h
}

// refusal is why a build does not open the store.
func (h *house) refusal(program string) string {
	h.t.Helper()
	out, err := exec.Command(program, "--data", h.dir, "check").CombinedOutput()
	if err == nil {
		h.t.Fatalf("the store is opened:\n%s", out)
	}
	return string(out)
}

// killInTheMiddle starts an upgrade and kills it when part of it is durable.
func killInTheMiddle(t *testing.T, program, dir string) {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "mark")
	cmd := exec.Command(program, "--data", dir, "check")
	cmd.Env = append(os.Environ(), "ESSAIM_TEST_MARK="+mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(mark); err == nil {
			return
		}
	}
	t.Fatal("the upgrade has no second transaction")
}

// An upgrade, and back: what the previous build wrote is read by this one; a
// build of a newer layout is killed while it brings the store there, and goes on;
// then the previous one says how to go back, and what it says is enough.
func TestStoryUpgradeAndBack(t *testing.T) {
	if os.Getenv("ESSAIM_LONG") == "" {
		t.Skip("compiles two more programs; ESSAIM_LONG is not set")
	}
	previous, present, newer := previousBuild(t), binary(t), newerBuild(t)
	dir := filepath.Join(t.TempDir(), "house")
	h := &house{t: t, bin: previous, dir: dir, base: freeBase(t)}
	h.args = []string{"demo", "--data", dir, "--members", "2", "--domain", testDomain, "--password", testPassword,
		"--base-port", fmt.Sprint(h.base), "--no-samples", "--keep", "--plain-http"}
	h.start()
	t.Cleanup(func() { h.stop(syscall.SIGTERM) })
	paths := h.fill()
	before := h.have(paths)
	same := func(who string) {
		t.Helper()
		if got := h.have(paths); !maps.Equal(got, before) || len(got) < 300 {
			t.Errorf("%s finds %d things, other than the %d there were", who, len(got), len(before))
		}
	}
	h.as(present)
	same("the present build")
	h.stop(syscall.SIGTERM)
	h.check()

	killInTheMiddle(t, newer, dir)
	t.Log(h.refusal(present))
	h.bin = newer
	h.start()
	same("the newer build")
	if err := h.deliver("load@example.net", []string{user(1)}, letter("since", 900)); err != nil {
		t.Fatal(err)
	}
	h.stop(syscall.SIGTERM)
	h.check()

	told := regexp.MustCompile(`essaim (restore --replace \S+)`).FindStringSubmatch(h.refusal(present))
	if told == nil {
		t.Fatal("the way back is not told")
	}
	if out, err := exec.Command(present, append([]string{"--data", dir}, strings.Fields(told[1])...)...).CombinedOutput(); err != nil || !strings.Contains(string(out), "clean") {
		t.Fatalf("%s: %v\n%s", told[1], err, out)
	}
	h.as(previous)
	same("the previous build, gone back to,")
	h.stop(syscall.SIGTERM)
	h.check()
}
