package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A mailbox moves in: what the process holds of its own stays bounded however
// many letters come. Pages of mapped files are the kernel's to give back and do
// not count.
func TestStoryImportIsBounded(t *testing.T) {
	letters, most := 4000, 64<<10 // KiB above what it holds when idle
	if os.Getenv("ESSAIM_LONG") != "" {
		letters = 200_000
	}
	h := newHouse(t, 1)
	idle := h.anonymous()
	peak := 0
	for n := 0; n < letters; n += batch {
		h.importLetters(n, min(n+batch, letters))
		peak = max(peak, h.anonymous())
	}
	t.Logf("%d letters: %d KiB idle, %d KiB at most", letters, idle, peak)
	if peak-idle > most {
		t.Errorf("%d KiB more than when idle, %d are allowed", peak-idle, most)
	}
}

// batch is how many letters go over one connection.
const batch = 400

func (h *house) importLetters(from, to int) {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr(24))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
	in := bufio.NewReader(c)
	reply := func(want string) {
		h.t.Helper()
		for {
			line, err := in.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, want) {
				h.t.Fatalf("%q, want %s: %v", line, want, err)
			}
			if line[3] == ' ' {
				return
			}
		}
	}
	reply("220")
	fmt.Fprint(c, "LHLO mover.example\r\n")
	reply("250")
	for n := from; n < to; n++ {
		fmt.Fprintf(c, "MAIL FROM:<friend@elsewhere.example>\r\nRCPT TO:<%s>\r\nDATA\r\n", user(1))
		reply("250")
		reply("250")
		reply("354")
		fmt.Fprintf(c, "From: <friend%d@elsewhere.example>\r\nTo: <%s>\r\nSubject: Letter %d of the old mailbox\r\nMessage-ID: <%d@elsewhere.example>\r\n"+
			"Date: Sat, 28 Nov 2026 12:00:00 +0100\r\n\r\n%s.\r\n", n%500, user(1), n, n, strings.Repeat(fmt.Sprintf("line %d of the letter\r\n", n), 40+n%60))
		reply("250")
	}
}

// anonymous returns the process's own memory in KiB.
func (h *house) anonymous() (kib int) {
	h.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
			return kib
		}
	}
	h.t.Fatal("the kernel does not tell RssAnon")
	return 0
}
