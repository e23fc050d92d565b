package web

import (
	"hash/maphash"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Gate slows down who guesses passwords. It keeps, in bounded memory, the
// failures of each address, of each name from each address, and of each name.
//
// Who has failed too often must wait before anything is looked at. Addresses
// from which a name has got in are known to it, and the failures of other
// names there and of other addresses do not concern them. A name that is under
// attack from many addresses leaves each unknown one a single failure a minute:
// its owner gets in from anywhere at the first try. The same wrong password
// again is a device that was not told, not a guess, and counts once.
//
// Safe for concurrent use.
type Gate struct {
	Exempt func(netip.Addr) bool // not slowed down; nil is nobody
	Now    func() time.Time      // nil is the clock
	Log    *slog.Logger          // told of each failure that counts; nil is silent
	// Failures counts them.
	Failures atomic.Int64

	mu      sync.Mutex
	seed    maphash.Seed
	buckets map[gateKey]*bucket
}

// How many failures are let through at once; one more for each window/limit
// that passes.
const (
	gateWindow   = 10 * time.Minute
	perPair      = 10
	perAddress   = 30
	perName      = 100
	knownFor     = 24 * time.Hour
	maxBuckets   = 20_000
	fingerprints = 8
)

// A gateKey is a name from a network; one of the two is left out for all.
type gateKey struct {
	from netip.Prefix
	name string
}

// A bucket fills with failures and drains with time.
type bucket struct {
	level float64
	at    time.Time
	good  time.Time // the last success
	seen  [fingerprints]uint64
	next  int
}

// drain lets the time pass.
func (b *bucket) drain(now time.Time, limit int) {
	b.level = max(0, b.level-now.Sub(b.at).Seconds()*float64(limit)/gateWindow.Seconds())
	b.at = now
}

func (b *bucket) fill(now time.Time, limit int) {
	b.drain(now, limit)
	b.level++
}

// wait is how long until there is room for a failure below most.
func (b *bucket) wait(now time.Time, limit int, most float64) time.Duration {
	if b == nil {
		return 0
	}
	b.drain(now, limit)
	if b.level <= most-1 {
		return 0
	}
	return time.Duration((b.level - most + 1) / float64(limit) * float64(gateWindow))
}

func (g *Gate) begin() time.Time {
	if g.buckets == nil {
		g.buckets, g.seed = map[gateKey]*bucket{}, maphash.MakeSeed()
	}
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}

func (g *Gate) keys(from netip.Addr, name string) (pair, address, everywhere gateKey) {
	name = strings.ToLower(name)
	return gateKey{network(from), name}, gateKey{from: network(from)}, gateKey{name: name}
}

// Wait returns how long a client has to wait before its next try as name; 0 is
// not at all.
func (g *Gate) Wait(from netip.Addr, name string) time.Duration {
	if g.Exempt != nil && g.Exempt(from) {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.begin()
	pair, address, everywhere := g.keys(from, name)
	p := g.buckets[pair]
	if p != nil && now.Sub(p.good) < knownFor {
		return p.wait(now, perPair, perPair)
	}
	most := float64(perPair)
	if g.buckets[everywhere].wait(now, perName, perName) > 0 {
		most = 1
	}
	return max(p.wait(now, perPair, most), g.buckets[address].wait(now, perAddress, perAddress))
}

// Failed notes a wrong password.
func (g *Gate) Failed(from netip.Addr, name, password string) {
	g.mu.Lock()
	counts := g.fill(from, name, password)
	g.mu.Unlock()
	if !counts {
		return
	}
	g.Failures.Add(1)
	if g.Log != nil {
		g.Log.Info("rejected", "what", "http login", "remote", from)
	}
}

func (g *Gate) fill(from netip.Addr, name, password string) (counts bool) {
	now := g.begin()
	pair, address, everywhere := g.keys(from, name)
	p := g.bucket(pair, now)
	print := maphash.String(g.seed, password)
	for _, seen := range p.seen {
		if seen == print {
			return false
		}
	}
	p.seen[p.next%fingerprints] = print
	p.next++
	p.fill(now, perPair)
	g.bucket(address, now).fill(now, perAddress)
	g.bucket(everywhere, now).fill(now, perName)
	return true
}

// Succeeded notes that name got in.
func (g *Gate) Succeeded(from netip.Addr, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.begin()
	pair, _, _ := g.keys(from, name)
	b := g.bucket(pair, now)
	b.good, b.level, b.at = now, 0, now
}

// bucket returns the one of a key. When there are too many, some that say the
// least go: those that have drained, else any that nobody got in by.
func (g *Gate) bucket(k gateKey, now time.Time) *bucket {
	if b := g.buckets[k]; b != nil {
		return b
	}
	if len(g.buckets) >= maxBuckets {
		g.evict(now)
	}
	b := &bucket{at: now}
	g.buckets[k] = b
	return b
}

func (g *Gate) evict(now time.Time) {
	looked, gone := 0, 0
	for k, b := range g.buckets { // in no order
		idle := now.Sub(b.at) > gateWindow && now.Sub(b.good) > knownFor
		if idle || looked > 100 && gone == 0 && b.good.IsZero() || looked > 1000 {
			delete(g.buckets, k)
			gone++
		}
		if looked++; looked > 200 && gone > 0 {
			return
		}
	}
}
