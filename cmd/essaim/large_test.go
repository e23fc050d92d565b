package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/format/message/messagetest"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// rss is what the house has in memory now, and at most since it was asked last,
// in bytes.
func (h *house) rss() (now, peak int64) {
	h.t.Helper()
	proc := fmt.Sprintf("/proc/%d/", h.cmd.Process.Pid)
	b, err := os.ReadFile(proc + "status")
	if err != nil {
		h.t.Skip(err)
	}
	value := func(name string) int64 {
		_, after, _ := strings.Cut(string(b), name)
		n, err := strconv.ParseInt(strings.Fields(after + " x")[0], 10, 64)
		if err != nil {
			h.t.Skipf("the kernel does not tell %s: %v", name, err)
		}
		return n << 10
	}
	now, peak = value("\nVmRSS:"), value("\nVmHWM:")
	if err := os.WriteFile(proc+"clear_refs", []byte("5"), 0); err != nil { // proc(5): forgets VmHWM
		h.t.Skip(err)
	}
	return now, peak
}

// However large messages are, and however many are under way, the server holds
// a small part of each at a time.
func TestStoryLargeMessagesAreNotHeld(t *testing.T) {
	at, size := 8, int64(8<<20)
	if os.Getenv("ESSAIM_LONG") != "" {
		size = thirty
	}
	other, addr := otherHost(t)
	h := newHouse(t, 1, "--route", "elsewhere.example="+addr)
	m := parcel{size, func() io.Reader { return messagetest.Large(0, size) }, true}
	if err := h.deliver("load@example.net", []string{user(1)}, letter("first", 2<<20)); err != nil {
		t.Fatal(err)
	}
	before, _ := h.rss()
	together := func(what string, n int, f func(i int) error) {
		t.Helper()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := f(i); err != nil {
					t.Errorf("%s, %d: %v", what, i, err)
				}
			})
		}
		wg.Wait()
		_, peak := h.rss()
		t.Logf("%d of %d MB %s: %v, %.1f MB more in memory at most", n, size>>20, what, time.Since(start).Round(time.Millisecond), float64(peak-before)/1e6)
		if peak-before > int64(at)*(8<<20) {
			t.Errorf("%s: %d MB more in memory", what, (peak-before)>>20)
		}
	}
	inBox := func(f func(*imapclient.Client) error) error {
		c, err := h.imap(user(1))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Select("INBOX", nil).Wait(); err != nil {
			return err
		}
		return f(c)
	}
	together("delivered", at, func(i int) error {
		return h.deliverFrom(fmt.Sprintf("load%d@example.net", i), []string{user(1)}, m.open(), 5*time.Minute)
	})
	together("appended", at, func(int) error {
		return inBox(func(c *imapclient.Client) error {
			cmd := c.Append("INBOX", size, nil)
			if _, err := io.Copy(cmd, m.open()); err != nil {
				return err
			}
			if err := cmd.Close(); err != nil {
				return err
			}
			_, err := cmd.Wait()
			return err
		})
	})
	together("fetched", 2*at, func(i int) error {
		return inBox(func(c *imapclient.Client) error { return readBack(c, uint32(i+2), m) })
	})
	together("decoded", at, func(i int) error {
		return inBox(func(c *imapclient.Client) error {
			section := &imap.FetchItemBinarySection{Part: []int{2}, Peek: true}
			cmd := c.Fetch(imap.SeqSetNum(uint32(i+2)), &imap.FetchOptions{BinarySection: []*imap.FetchItemBinarySection{section}})
			defer cmd.Close()
			n := int64(0)
			for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
				for item := msg.Next(); item != nil; item = msg.Next() {
					if b, ok := item.(imapclient.FetchItemDataBinarySection); ok && b.Literal != nil {
						k, err := io.Copy(io.Discard, b.Literal)
						if n += k; err != nil {
							return err
						}
					}
				}
			}
			if n < size/2 {
				return fmt.Errorf("%d bytes", n)
			}
			return cmd.Close()
		})
	})
	together("searched", 2, func(int) error {
		return inBox(func(c *imapclient.Client) error {
			got, err := c.Search(&imap.SearchCriteria{Body: []string{"nowhere to be found"}}, nil).Wait()
			if err == nil && len(got.AllSeqNums()) != 0 {
				err = fmt.Errorf("found %v", got.AllSeqNums())
			}
			return err
		})
	})
	var whole bytes.Buffer
	fmt.Fprintf(&whole, "From: <%s>\r\n", user(1))
	body, err := io.ReadAll(m.open())
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.ReplaceAll(body, []byte("\r\nFrom: "), []byte("\r\nX-From: "))
	whole.Write(body)
	together("sent to another host", 4, func(i int) error {
		if err := h.submit(user(1), []string{fmt.Sprintf("friend%d@elsewhere.example", i)}, whole.Bytes()); err != nil {
			return err
		}
		select {
		case got := <-other.got:
			if !strings.HasSuffix(got, string(body[len(body)/2:])) {
				return fmt.Errorf("%d bytes of %d arrived otherwise", len(got), whole.Len())
			}
		case <-time.After(2 * time.Minute):
			return fmt.Errorf("nothing arrived")
		}
		return nil
	})
}
