package dav_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
)

// do sends a request of a user's and returns status and body.
func do(tb testing.TB, h *davtest.House, user, method, path, body string, header ...string) (*http.Response, string) {
	tb.Helper()
	req, err := http.NewRequest(method, "http://"+h.Address+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("User", user)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res, string(b)
}

// Of two hundred writers who all saw the same, one wins (trap 15).
func TestOneWinner(t *testing.T) {
	h := house(t)
	for _, condition := range [][]string{{"If-None-Match", "*"}, {"If-Match", ""}, {"If", ""}} {
		if condition[1] == "" {
			res, _ := do(t, h, "anna", "HEAD", "/dav/toy/f", "")
			condition[1] = res.Header.Get("ETag")
			if condition[0] == "If" {
				condition[1] = "([" + condition[1] + "])"
			}
		}
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				res, _ := do(t, h, "anna", "PUT", "/dav/toy/f", fmt.Sprint("writer ", i), condition...)
				switch res.StatusCode {
				case http.StatusCreated, http.StatusNoContent:
					won.Add(1)
				case http.StatusPreconditionFailed:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 199 {
			t.Errorf("%s: %d won, %d lost", condition, won.Load(), lost.Load())
		}
	}
}

// A lock taken by one of many is had by one.
func TestOneLock(t *testing.T) {
	h := house(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res, _ := do(t, h, "anna", "LOCK", "/dav/toy/f", lockBody)
			if res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusOK {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have the lock", won.Load())
	}
}

const lockBody = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`

// Who expects a 100-continue is refused before the body (trap 23), by a
// precondition, a lock and the quota, and is asked for it otherwise.
func TestRefusedBeforeTheBody(t *testing.T) {
	h := house(t)
	davtest.NewToy(h, "/dav/ben/", "ben")
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	do(t, h, "anna", "LOCK", "/dav/toy/locked", lockBody)
	for _, c := range []struct{ request, want string }{
		{"PUT /dav/toy/f HTTP/1.1\r\nUser: anna\r\nIf-None-Match: *\r\nContent-Length: 5000000", "412"},
		{"PUT /dav/toy/locked HTTP/1.1\r\nUser: anna\r\nContent-Length: 5000000", "423"},
		{"PUT /dav/toy/f HTTP/1.1\r\nUser: cleo\r\nContent-Length: 5000000", "409"},
		{"PUT /dav/toy/f HTTP/1.1\r\nContent-Length: 5000000", "401"},
		{"PUT /dav/toy/f HTTP/1.1\r\nUser: anna\r\nContent-Length: 500000000", "413"},
		{"PUT /dav/ben/f HTTP/1.1\r\nUser: ben\r\nContent-Length: 20001", "507"},
		{"PUT /dav/toy/f HTTP/1.1\r\nUser: anna\r\nContent-Length: 500", "100"},
	} {
		conn := h.Dial()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", c.request)
		var b [12]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil || string(b[9:]) != c.want {
			t.Errorf("%s: %q %v", c.request, b[:], err)
		}
		conn.Close()
	}
}

// A body that is shorter than announced, or whose last chunk is missing, is
// not stored, also when it would be a good one.
func TestShortBodies(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "whole")
	for _, tail := range []string{
		"Content-Length: 100\r\n\r\nhalf",
		"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
	} {
		conn := h.Dial()
		fmt.Fprintf(conn, "PUT /dav/toy/f HTTP/1.1\r\nHost: x\r\nUser: anna\r\n%s", tail)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err == nil && len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 400") {
			t.Errorf("%q: %q", tail, b)
		}
		if _, body := do(t, h, "anna", "GET", "/dav/toy/f", ""); body != "whole" {
			t.Errorf("%q left %q", tail, body)
		}
	}
}

// The quota is charged in the transaction, for bodies of no announced length
// too (RFC 4331 §6).
func TestQuota(t *testing.T) {
	h := house(t)
	davtest.NewToy(h, "/dav/ben/", "ben")
	req, err := http.NewRequest("PUT", "http://"+h.Address+"/dav/ben/f", io.MultiReader(strings.NewReader(strings.Repeat("x", davtest.BenQuota+1))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User", "ben")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(b), "quota-not-exceeded") {
		t.Errorf("%s %s", res.Status, b)
	}
	h.View(func(tx *storage.Tx) error {
		if used, _ := tx.Quota(tx.Household(h.Accounts["ben"])); used != 0 {
			t.Errorf("%d bytes used", used)
		}
		return nil
	})
}

// Many clients do whatever they like at once; the check at the end finds every
// body and every byte of quota accounted for, and nothing was answered with an
// internal error.
func TestManyAtOnce(t *testing.T) {
	h := house(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 5))
			for range 60 {
				method, path, body, header := step(rnd)
				if rnd.IntN(5) == 0 {
					method, body, header = "PROPFIND", "", []string{"Depth", "infinity"}
				}
				if res, answer := do(t, h, "anna", method, path, body, header...); res.StatusCode == http.StatusInternalServerError {
					t.Errorf("%s %s: %s", method, path, answer)
				}
			}
		})
	}
	all.Wait()
}
