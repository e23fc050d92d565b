package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	essaimsmtp "essaim.coop/essaim/smtp"
)

// A counter is another host's mail server that counts letters.
type counter struct {
	mu  sync.Mutex
	got map[string]int
}

func (*counter) Sender(context.Context, *essaimsmtp.Envelope) error { return nil }

func (*counter) Recipient(context.Context, *essaimsmtp.Envelope, essaimsmtp.Rcpt) error { return nil }

var letterID = regexp.MustCompile(`(?m)^X-Id: (\S+)\r$`)

func (c *counter) Deliver(_ context.Context, _ *essaimsmtp.Envelope, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := letterID.FindSubmatch(b); m != nil {
		c.got[string(m[1])]++
	}
	return nil
}

func (c *counter) letters() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

// TestQueueKill kills the server while it sends: every letter arrives, and twice
// only what was being said at a kill.
func TestQueueKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills take their time")
	}
	letters, kills := 120, 3
	if os.Getenv("ESSAIM_LONG") != "" || os.Getenv("ESSAIM_CRASH") == "long" {
		letters, kills = 2000, 40
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{got: map[string]int{}}
	srv := &essaimsmtp.Server{Hostname: "elsewhere.example", Backend: c, Logger: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Shutdown(context.Background()); <-done }()
	h := newHouse(t, 1, "--route", "other.example="+ln.Addr().String())
	for i := range letters {
		text := fmt.Sprintf("From: <%s>\r\nTo: <x@other.example>\r\nX-Id: q%d\r\n\r\nhello\r\n", user(1), i)
		if err := h.submit(user(1), []string{fmt.Sprintf("x%d@other.example", i)}, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if i%(letters/kills) == letters/kills-1 {
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			h.stop(syscall.SIGKILL)
			h.start()
		}
	}
	for range 3000 {
		if c.letters() == letters {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.stop(syscall.SIGTERM)
	h.check()
	twice := 0
	for id, n := range c.got {
		if twice += n - 1; n > kills+1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	if len(c.got) != letters {
		t.Errorf("%d of %d letters arrived", len(c.got), letters)
	}
	if most := 3 * kills; twice > most { // conversations with one destination, at each kill
		t.Errorf("%d letters twice", twice)
	}
	t.Logf("%d letters, %d kills, %d twice", letters, kills, twice)
}
