package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/emersion/go-imap/v2/imapclient"
)

// strict serves a demo's store on the same ports as a real house is served:
// loopback is trusted no more than any other network.
func (h *house) strict() {
	h.t.Helper()
	h.stop(syscall.SIGTERM)
	c := defaultConfig()
	c.Data, c.Hostname, c.MetricsAddr = h.dir, "localhost", ""
	c.Listen = Listen{SMTP: []string{h.addr(25)}, Submission: []string{h.addr(587)}, IMAP: []string{h.addr(143)}, IMAPS: []string{h.addr(993)}}
	config := filepath.Join(h.t.TempDir(), "essaim.toml")
	f, err := os.Create(config)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(c); err != nil {
		h.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.log.Reset()
	h.cmd = exec.Command(h.bin, "serve", "--config", config)
	h.cmd.Stdout, h.cmd.Stderr = &h.log, &h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	for range 1500 {
		if c, err := h.imap(user(1)); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.stop(syscall.SIGKILL)
	h.t.Fatalf("the house did not come up:\n%s", h.log.String())
}

// A crowd is connections from many loopback addresses that stay.
type crowd struct {
	t     *testing.T
	conns []net.Conn
	mu    sync.Mutex
	heard map[string]int // the first words of each, counted
}

// join opens n connections to a port, each of k addresses its share of them, and
// says something when greeted. A net is the second byte of the addresses.
func (w *crowd) join(addr string, n, k, network int, say string) {
	w.t.Helper()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := g; i < n; i += 8 {
				from := net.IPv4(127, byte(network), byte(i%k/250), byte(1+i%k%250))
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: time.Minute}
				c, err := d.Dial("tcp", addr)
				if err != nil {
					w.t.Errorf("connection %d of %d: %v", i, n, err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				line, _ := bufio.NewReaderSize(c, 200).ReadString('\n')
				_, _ = c.Write([]byte(say))
				w.mu.Lock()
				w.conns = append(w.conns, c)
				w.heard[line[:min(5, len(line))]]++
				w.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// descriptors is how many files and sockets the house has open.
func (h *house) descriptors() int {
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.cmd.Process.Pid))
	if err != nil {
		h.t.Skip(err)
	}
	return len(names)
}

// Ten thousand strangers who come and say nothing, or half a word: the members
// are served, one address has its share and no more, and when the strangers have
// gone their places are free.
func TestStoryTenThousandStrangers(t *testing.T) {
	part := 20
	if os.Getenv("ESSAIM_LONG") != "" {
		part = 1
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Max < uint64(12_000/part) {
		t.Skipf("%d descriptors are too few: %v", lim.Max, err)
	}
	lim.Cur = lim.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	h := newHouse(t, 1)
	h.strict()
	told := make(chan uint32, 10)
	member, err := h.imapWith(user(1), &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
		if d.NumMessages != nil {
			told <- *d.NumMessages
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	if _, err := member.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := member.Idle()
	if err != nil {
		t.Fatal(err)
	}
	before, _ := h.rss()
	open := h.descriptors()

	w := &crowd{t: t, heard: map[string]int{}}
	start := time.Now()
	imaps, mx := 7000/part, 1500/part
	w.join(h.addr(143), imaps/2, 200, 1, "")
	w.join(h.addr(143), imaps-imaps/2, 200, 2, "a LOGIN user")
	w.join(h.addr(25), mx/2, 60, 3, "EHLO m")
	w.join(h.addr(25), mx-mx/2, 60, 4, "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<"+user(1)+">\r\nDATA\r\nhalf a line")
	greedy := 1500/part/2 + 60
	w.join(h.addr(143), greedy, 1, 5, "")
	w.join(h.addr(25), greedy, 1, 5, "")
	n := len(w.conns)
	want := map[string]int{"* OK ": imaps + 50, "* BYE": greedy - 50, "220 l": mx + 30, "421 4": greedy - 30}
	for k, v := range want {
		if w.heard[k] != v {
			t.Errorf("%d connections heard %q, not %d", w.heard[k], k, v)
		}
	}
	if len(w.heard) != len(want) {
		t.Errorf("heard: %v", w.heard)
	}

	if err := h.deliver("load@example.net", []string{user(1)}, letter("meanwhile", 900)); err != nil {
		t.Error(err)
	}
	select {
	case <-told:
	case <-time.After(time.Minute):
		t.Error("the member who waits is not told")
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(fetchOne(t, member, 1)), "X-Id: meanwhile") {
		t.Error("another letter")
	}
	crowded, _ := h.rss()
	t.Logf("%d strangers in %v: %.1f MB, before %.1f MB", n, time.Since(start).Round(time.Millisecond), float64(crowded)/1e6, float64(before)/1e6)
	if crowded-before > int64(n)*(32<<10)+16<<20 {
		t.Errorf("%d bytes for each stranger", (crowded-before)/int64(n))
	}

	for _, c := range w.conns {
		c.Close()
	}
	for end := time.Now().Add(time.Minute); h.descriptors() > open; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, before %d", h.descriptors(), open)
		}
	}
	after, _ := h.rss()
	t.Logf("when they have gone: %.1f MB", float64(after)/1e6)
	if fresh, err := h.imap(user(1)); err != nil {
		t.Error(err)
	} else {
		fresh.Close()
	}
	h.stop(syscall.SIGTERM)
	h.check()
}
