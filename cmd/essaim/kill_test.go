package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// The oracle knows what the server acknowledged. An operation that was cut off
// is a "maybe": it may have happened entirely or not at all.
type oracle struct {
	mu      sync.Mutex
	letters map[string]*fate
}

// A fate is what must be true of one letter.
type fate struct {
	size     int
	user     int
	box      string // where it must be; "" when it is expunged
	sure     bool   // acknowledged; else it may also be missing
	flagged  bool
	doubtful bool // a MOVE or an EXPUNGE of it was cut off
}

func (o *oracle) set(id string, f fate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.letters[id] = &f
}

// TestKillBattery kills the server again and again under mixed load: nothing
// acknowledged is lost, nothing is there twice, the store checks clean.
func TestKillBattery(t *testing.T) {
	rounds := 6
	if os.Getenv("ESSAIM_CRASH") == "long" {
		rounds = 220
	}
	if testing.Short() {
		t.Skip("kills take their time")
	}
	const users = 4
	h := newHouse(t, users)
	o := &oracle{letters: map[string]*fate{}}
	pending := make([][]byte, users+1) // what each sender has not had acknowledged, sent again as an MTA does
	pendingID := make([]string, users+1)
	for round := range rounds {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for u := 1; u <= users; u++ {
			wg.Go(func() { h.send(o, round, u, stop, &pending[u], &pendingID[u]) })
			wg.Go(func() { h.rearrange(o, round, u, stop) })
		}
		time.Sleep(time.Duration(60+rand.IntN(400)) * time.Millisecond)
		h.stop(syscall.SIGKILL)
		close(stop)
		wg.Wait()
		h.start()
	}
	stop := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() { close(stop) })
	for u := 1; u <= users; u++ {
		h.send(o, rounds, u, stop, &pending[u], &pendingID[u])
	}
	for u := 1; u <= users; u++ {
		h.verify(o, u)
	}
	t.Logf("%d kills, %d letters", rounds, len(o.letters))
	h.stop(syscall.SIGTERM)
	h.check()
}

// send delivers letters to one member until stop; the letter whose answer the
// kill cut off goes again first.
func (h *house) send(o *oracle, round, u int, stop chan struct{}, pending *[]byte, id *string) {
	for n := 0; ; n++ {
		if *pending == nil {
			*id = fmt.Sprintf("s%d-%d-%d", round, u, n)
			*pending = letter(*id, 500+rand.IntN(30_000))
			o.set(*id, fate{size: len(*pending), user: u, box: "INBOX"})
		}
		if h.deliver("load@example.net", []string{user(u)}, *pending) == nil {
			o.set(*id, fate{size: len(*pending), user: u, box: "INBOX", sure: true})
			*pending = nil
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// rearrange appends letters and flags, moves and expunges them.
func (h *house) rearrange(o *oracle, round, u int, stop chan struct{}) {
	c, err := h.imap(user(u))
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.Create("Work", nil).Wait()
	if _, err := c.Select("Work", nil).Wait(); err != nil {
		return
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		id := fmt.Sprintf("a%d-%d-%d", round, u, n)
		if h.oneLetter(c, o, id, u, n) != nil {
			return
		}
	}
}

func (h *house) oneLetter(c *imapclient.Client, o *oracle, id string, u, n int) error {
	msg := letter(id, 300+rand.IntN(9000))
	f := fate{size: len(msg), user: u, box: "Work"}
	o.set(id, f)
	app := c.Append("Work", int64(len(msg)), nil)
	if _, err := app.Write(msg); err != nil {
		return err
	}
	if err := app.Close(); err != nil {
		return err
	}
	data, err := app.Wait()
	if err != nil {
		return err
	}
	f.sure = true
	o.set(id, f)
	uid := imap.UIDSetNum(data.UID)
	f.doubtful = true
	switch n % 4 {
	case 1:
		add := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagFlagged}}
		if err := c.Store(uid, add, nil).Close(); err != nil {
			return err
		}
		f.flagged = true
	case 2:
		o.set(id, f)
		if _, err := c.Move(uid, "Archive").Wait(); err != nil {
			return err
		}
		f.box = "Archive"
	case 3:
		o.set(id, f)
		del := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
		if err := c.Store(uid, del, nil).Close(); err != nil {
			return err
		}
		if err := c.UIDExpunge(uid).Close(); err != nil {
			return err
		}
		f.box = ""
	}
	f.doubtful = false
	o.set(id, f)
	return nil
}

type found struct {
	box     string
	size    int
	flagged bool
}

// verify compares everything a member has with the oracle.
func (h *house) verify(o *oracle, u int) {
	h.t.Helper()
	c, err := h.imap(user(u))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	have := map[string][]found{}
	for _, box := range []string{"INBOX", "Work", "Archive"} {
		h.readBox(c, box, have)
	}
	for id, f := range o.letters {
		if f.user == u {
			h.judge(id, *f, have[id])
			delete(have, id)
		}
	}
	for id := range have {
		h.t.Errorf("%s has letter %q that nobody sent", user(u), id)
	}
}

func (h *house) judge(id string, f fate, have []found) {
	h.t.Helper()
	switch {
	case len(have) > 1:
		h.t.Errorf("letter %s is there %d times", id, len(have))
	case len(have) == 0:
		if f.sure && f.box != "" && !f.doubtful {
			h.t.Errorf("letter %s was acknowledged and is lost", id)
		}
	case f.doubtful:
	case f.box != have[0].box:
		h.t.Errorf("letter %s is in %s, must be in %q", id, have[0].box, f.box)
	case f.flagged && !have[0].flagged:
		h.t.Errorf("letter %s lost its flag", id)
	case f.size != have[0].size:
		h.t.Errorf("letter %s has %d bytes, sent %d", id, have[0].size, f.size)
	}
}

func (h *house) readBox(c *imapclient.Client, box string, have map[string][]found) {
	h.t.Helper()
	sel, err := c.Select(box, nil).Wait()
	if err != nil || sel.NumMessages == 0 {
		return
	}
	all := imap.SeqSet{}
	all.AddRange(1, 0)
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(all, &imap.FetchOptions{Flags: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range msgs {
		body := m.FindBodySection(section)
		start := bytes.Index(body, []byte("From: <load@example.net>"))
		_, rest, ok := strings.Cut(string(body), "X-Id: ")
		if start < 0 || !ok {
			h.t.Errorf("a message in %s is not a letter of ours", box)
			continue
		}
		id, _, _ := strings.Cut(rest, "\r\n")
		f := found{box: box, size: len(body) - start}
		for _, fl := range m.Flags {
			f.flagged = f.flagged || fl == imap.FlagFlagged
		}
		have[id] = append(have[id], f)
	}
}
