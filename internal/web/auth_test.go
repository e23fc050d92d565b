package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

// passwords are one member's.
type passwords map[string]error

func (p passwords) Password(name, password string) (sasl.Login, error) {
	if name != "zoe@coop.example" {
		return sasl.Login{}, sasl.ErrCredentials
	}
	err, ok := p[password]
	switch {
	case !ok:
		return sasl.Login{}, sasl.ErrCredentials
	case err != nil:
		return sasl.Login{}, err
	}
	return sasl.Login{Account: 7, Address: name, Scope: 4}, nil
}

func guarded(g *Gate, change func(*Guard)) http.Handler {
	known := passwords{"right": nil, "broken": errors.New("the disk is on fire")}
	guard := &Guard{By: []Authenticator{&Basic{Realm: "essaim", Passwords: known, Gate: g}},
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			login, ok := User(r.Context())
			fmt.Fprint(w, login.Address, " ", ok)
		})}
	if change != nil {
		change(guard)
	}
	s := &Server{Handler: guard}
	s.once.Do(s.build)
	return s.http.Handler
}

func ask(h http.Handler, from, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("PROPFIND", "/dav/", nil)
	r.RemoteAddr = from + ":1"
	if password != "" {
		r.SetBasicAuth("zoe@coop.example", password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestGuardAnswers(t *testing.T) {
	h := guarded(&Gate{}, nil)
	for password, status := range map[string]int{"right": 200, "wrong": 401, "": 401, "broken": 503} {
		w := ask(h, "192.0.2.1", password)
		if w.Code != status || (status == 401) != (w.Header().Get("WWW-Authenticate") == `Basic realm="essaim", charset="UTF-8"`) {
			t.Errorf("%q: %d %v", password, w.Code, w.Header())
		}
		if password == "right" && w.Body.String() != "zoe@coop.example true" {
			t.Errorf("the handler sees %s", w.Body)
		}
	}
}

func TestGuardLetsStrangersThroughWhenItIsTold(t *testing.T) {
	h := guarded(&Gate{}, func(g *Guard) { g.Anonymous = true })
	if w := ask(h, "192.0.2.1", ""); w.Code != 200 || w.Body.String() != " false" {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "192.0.2.1", "wrong"); w.Code != 401 {
		t.Errorf("wrong: %d", w.Code)
	}
}

func TestGuardAsksWhatAPasswordIsGoodFor(t *testing.T) {
	h := guarded(&Gate{}, func(g *Guard) { g.May = func(_ *http.Request, l sasl.Login) bool { return l.Scope&8 != 0 } })
	if w := ask(h, "192.0.2.1", "right"); w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	h := guarded(&Gate{Now: func() time.Time { return clock }}, nil)
	for i := range perPair {
		if w := ask(h, "192.0.2.1", fmt.Sprint("guess", i)); w.Code != 401 {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	w := ask(h, "192.0.2.1", "right")
	if w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("after the guesses: %d %v", w.Code, w.Header())
	}
	if w := ask(h, "198.51.100.7", "right"); w.Code != 200 {
		t.Errorf("the member from elsewhere: %d", w.Code)
	}
	if clock = clock.Add(gateWindow); ask(h, "192.0.2.1", "right").Code != 200 {
		t.Error("the wait does not end")
	}
}

// A device with an old password asks all day, and keeps nobody out.
func TestTheSameWrongPasswordCountsOnce(t *testing.T) {
	g := &Gate{}
	h := guarded(g, nil)
	for range 50 {
		if w := ask(h, "192.0.2.1", "old"); w.Code != 401 {
			t.Fatalf("%d", w.Code)
		}
	}
	if w := ask(h, "192.0.2.1", "right"); w.Code != 200 {
		t.Errorf("the right one: %d", w.Code)
	}
	if n := g.Failures.Load(); n != 1 {
		t.Errorf("%d failures counted", n)
	}
}

func TestGateKeepsNobodyOutForTheFailuresOfOthers(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	home, abroad := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.5")
	attacked := func() *Gate {
		g := &Gate{Now: func() time.Time { return clock }}
		g.Succeeded(home, "zoe")
		for i := range perName + 50 {
			g.Failed(netip.AddrFrom4([4]byte{198, 51, byte(i), 1}), "Zoe", fmt.Sprint(i))
		}
		return g
	}
	g := attacked()
	if w := g.Wait(home, "zoe"); w != 0 {
		t.Errorf("a known address waits %s", w)
	}
	if w := g.Wait(abroad, "zoe"); w != 0 {
		t.Errorf("an unknown address waits %s for its first try", w)
	}
	if g.Failed(abroad, "zoe", "guess"); g.Wait(abroad, "zoe") == 0 {
		t.Error("an unknown address guesses on at a name under attack")
	}
	if w := g.Wait(abroad, "bram"); w != 0 {
		t.Errorf("another name waits %s", w)
	}
	// Others behind the same address guess at many names.
	for i := range perAddress {
		g.Failed(home, fmt.Sprint("name", i), "x")
	}
	if g.Wait(home, "somebody") == 0 {
		t.Error("an address that fails with many names is not slowed down")
	}
	if w := g.Wait(home, "zoe"); w != 0 {
		t.Errorf("the member who is known there waits %s", w)
	}
	if g.Exempt = netip.Addr.IsValid; g.Wait(home, "somebody") != 0 {
		t.Error("an exempt address waits")
	}
}

func TestGateIsBounded(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	g := &Gate{Now: func() time.Time { return clock }}
	known := netip.MustParseAddr("192.0.2.1")
	g.Succeeded(known, "zoe")
	for i := range 2 * maxBuckets {
		g.Failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "zoe", "x")
	}
	if len(g.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(g.buckets))
	}
	if pair, _, _ := g.keys(known, "zoe"); g.buckets[pair] == nil {
		t.Error("a flood of failures makes the gate forget who got in")
	}
}
