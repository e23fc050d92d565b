package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// A full disk: mail is refused for now, reading and deleting go on, and it
// recovers by itself.
func TestStoryFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	mnt := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=72m", "tmpfs", mnt).CombinedOutput(); err != nil {
		t.Skipf("mount: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", mnt).Run() })
	h := newHouseIn(t, mnt+"/house", 1)
	sent, refused := 0, error(nil)
	for i := range 200 {
		if refused = h.deliver("load@example.net", []string{user(1)}, random(i, 600_000)); refused != nil {
			break
		}
		sent++
	}
	if refused == nil || !strings.HasPrefix(refused.Error(), "452") {
		t.Fatalf("after %d messages: %v", sent, refused)
	}
	c, err := h.imap(user(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if sel, err := c.Select("INBOX", nil).Wait(); err != nil || int(sel.NumMessages) != sent {
		t.Fatalf("%d messages after %d acknowledgements: %v", sel.NumMessages, sent, err)
	}
	fetchOne(t, c, uint32(sent))
	half := imap.SeqSet{}
	half.AddRange(1, uint32(sent/2))
	if err := c.Store(half, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatalf("marking on a full disk: %v", err)
	}
	if err := c.Expunge().Close(); err != nil {
		t.Fatalf("deleting on a full disk: %v", err)
	}
	for range 100 {
		if err = h.deliver("load@example.net", []string{user(1)}, random(1000, 600_000)); err == nil {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("it did not recover: %v", err)
	}
	t.Logf("%d messages filled the disk", sent)
}

// random is a letter that does not compress.
func random(i, size int) []byte {
	raw := make([]byte, size*3/4)
	_, _ = rand.Read(raw)
	b := fmt.Appendf(nil, "From: <load@example.net>\r\nSubject: random %d\r\n\r\n", i)
	text := base64.StdEncoding.EncodeToString(raw)
	for len(text) > 76 {
		b = append(append(b, text[:76]...), '\r', '\n')
		text = text[76:]
	}
	return append(b, text+"\r\n"...)
}
