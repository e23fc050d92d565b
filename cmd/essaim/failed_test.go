package main

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// A disk that failed twice is served for reading only, until a check has found
// everything in order.
func TestStoryDiskThatFailedTwice(t *testing.T) {
	h := newHouse(t, 1)
	if err := h.deliver("load@example.net", []string{user(1)}, letter("before", 900)); err != nil {
		t.Fatal(err)
	}
	h.stop(syscall.SIGKILL)
	note := "times 2\nlast 2026-11-28T10:00:00Z\nwhy sync: input/output error\n"
	note += fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(note), crc32.MakeTable(crc32.Castagnoli)))
	failed := filepath.Join(h.dir, "store", "failed")
	if err := os.WriteFile(failed, []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}

	h.start()
	if err := h.deliver("load@example.net", []string{user(1)}, letter("refused", 900)); err == nil || !strings.HasPrefix(err.Error(), "4") {
		t.Errorf("mail on a read-only store: %v", err)
	}
	c, err := h.imap(user(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if sel, err := c.Select("INBOX", nil).Wait(); err != nil || sel.NumMessages != 1 {
		t.Fatalf("%v: %v", sel, err)
	}
	fetchOne(t, c, 1)
	store := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagFlagged}}
	if err := c.Store(imap.SeqSetNum(1), store, nil).Close(); err == nil {
		t.Error("a flag was set on a read-only store")
	}
	out, err := exec.Command(h.bin, "--data", h.dir, "check").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "read-only until the next start") {
		t.Fatalf("check in the server: %v\n%s", err, out)
	}
	if _, err := os.Stat(failed); !os.IsNotExist(err) {
		t.Errorf("the note is still there: %v", err)
	}
	h.stop(syscall.SIGTERM)
	h.start()
	if err := h.deliver("load@example.net", []string{user(1)}, letter("after", 900)); err != nil {
		t.Error(err)
	}
}
