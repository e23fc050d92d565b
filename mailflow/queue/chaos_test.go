package queue

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

// A moody host breaks off, or is busy, at any point of a conversation. It
// remembers for which messages its 250 went out.
type moody struct {
	mu   sync.Mutex
	said map[string]int
}

var subject = regexp.MustCompile(`Subject: to (\S+)\r\n`)

func (m *moody) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	say := func(s string) bool { _, err := io.WriteString(c, s+"\r\n"); return err == nil }
	for ok := say("220 moody"); ok; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(line[:4])
		var body []byte
		switch verb {
		case "BDAT":
			n, _ := strconv.Atoi(strings.Fields(line)[1])
			body = make([]byte, n)
			_, err = io.ReadFull(r, body)
		case "QUIT":
			say("221 bye")
			return
		}
		if err != nil || rand.IntN(12) == 0 {
			return
		}
		if rand.IntN(12) == 0 {
			ok = say(strconv.Itoa(420+rand.IntN(3)*10) + " not in the mood") // 421, that is, now and then
			continue
		}
		switch verb {
		case "EHLO":
			ok = say([]string{"250 moody", "250-moody\r\n250 PIPELINING", "250-moody\r\n250-PIPELINING\r\n250 CHUNKING"}[rand.IntN(3)])
		case "DATA":
			if ok = say("354 go"); ok {
				body, err = upToDot(r)
				ok = err == nil
			}
			fallthrough
		case "BDAT":
			if !ok || rand.IntN(8) == 0 {
				return // the client cannot know
			}
			m.mu.Lock() // before it is said: the test looks as soon as the queue knows
			m.said[string(subject.FindSubmatch(body)[1])]++
			m.mu.Unlock()
			ok = say("250 done")
		default:
			ok = say("250 ok")
		}
	}
}

func upToDot(r *bufio.Reader) (all []byte, err error) {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil || string(line) == ".\r\n" {
			return all, err
		}
		all = append(all, line...)
	}
}

// However a host breaks conversations off, every message gets there, and none is
// sent again once the host has said that it has it.
func TestMoodyHost(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &moody{said: map[string]int{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.talk(c) })
		}
	})
	z := zone{
		mx: map[string][]*net.MX{"a.test": {{Host: "one.test.", Pref: 1}, {Host: "two.test.", Pref: 2}}},
		ip: map[string][]netip.Addr{"one.test": at("192.0.2.1"), "two.test": at("192.0.2.2")},
	}
	b := newBench(t, z, map[string]string{"192.0.2.1:25": ln.Addr().String(), "192.0.2.2:25": ln.Addr().String()})
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { ln.Close() })
	const n = 60
	for i := range n {
		b.put(time.Now(), nil, fmt.Sprintf("x%d@a.test", i))
	}
	b.start()
	b.until("all are sent", func() bool {
		left := b.entries()
		b.update(func(tx *storage.Tx) error {
			for _, e := range left {
				if e.Due.After(time.Now().Add(time.Minute)) {
					if err := Retry(tx, e.ID, time.Now()); err != nil {
						return err
					}
				}
			}
			return nil
		})
		b.Wake()
		return len(left) == 0
	})
	b.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for to, times := range m.said {
		if times != 1 {
			t.Errorf("the host said %d times that it has the message to %s", times, to)
		}
	}
	if len(m.said) != n || len(b.reports) != 0 {
		t.Errorf("%d messages, %d reports", len(m.said), len(b.reports))
	}
}
