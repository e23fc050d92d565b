package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The index is lost under a killed server: it is made anew, and every letter
// that was acknowledged is there.
func TestStoryLostIndex(t *testing.T) {
	h := newHouse(t, 1)
	for i := range 20 {
		if err := h.deliver("load@example.net", []string{user(1)}, letter(fmt.Sprint("l", i), 5000)); err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			out, err := exec.Command(h.bin, "--data", h.dir, "compact").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "tree ") {
				t.Fatalf("compact in the server: %v\n%s", err, out)
			}
		}
	}
	h.stop(syscall.SIGKILL)
	if err := os.Remove(filepath.Join(h.dir, "store", "tree.db")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(h.bin, "--data", h.dir, "check").CombinedOutput(); err == nil || !strings.Contains(string(out), "made anew") {
		t.Fatalf("check without an index: %v\n%s", err, out)
	}
	out, err := exec.Command(h.bin, "rebuild", h.dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "spare.db and the journal") || !strings.Contains(string(out), "clean") {
		t.Fatalf("rebuild: %v\n%s", err, out)
	}
	h.start()
	c, err := h.imap(user(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if sel, err := c.Select("INBOX", nil).Wait(); err != nil || sel.NumMessages != 20 {
		t.Fatalf("%+v: %v", sel, err)
	}
	if out, err := exec.Command(h.bin, "rebuild", h.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("rebuild under a running server: %v\n%s", err, out)
	}

	// And the last resort.
	h.stop(syscall.SIGKILL)
	for _, name := range []string{"tree.db", "spare.db"} {
		if err := os.Remove(filepath.Join(h.dir, "store", name)); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "salvaged")
	if out, err := exec.Command(h.bin, "salvage", h.dir, to).CombinedOutput(); err != nil || !strings.Contains(string(out), "20 bodies") {
		t.Fatalf("salvage: %v\n%s", err, out)
	}
	first, err := os.ReadFile(filepath.Join(to, "bodies", "000000001.eml"))
	if err != nil || string(first) != string(letter("l0", 5000)) {
		t.Errorf("the first letter: %d bytes, %v", len(first), err)
	}
}
