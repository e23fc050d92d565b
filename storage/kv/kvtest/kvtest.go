// Package kvtest is what every engine of package kv must pass: random
// operations against a model, through snapshots, reopenings and crashes.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// Open opens the engine in a directory; opening it again after Crash or Close
// finds what was committed.
type Open func(t testing.TB, dir string) kv.Engine

// Crash ends an engine as a kill would; nil: the engine cannot be crashed.
type Crash func(kv.Engine)

// Run runs the suite.
func Run(t *testing.T, open Open, crash Crash) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("model", seed), func(t *testing.T) { model(t, open, crash, seed) })
	}
	t.Run("scan", func(t *testing.T) { scan(t, open) })
	t.Run("limits", func(t *testing.T) { limits(t, open) })
	t.Run("answers behind views", func(t *testing.T) { answers(t, open) })
}

// A world is what the engine must hold.
type world struct {
	keys   map[string]string
	bodies map[blob.ID][]byte
}

func (w *world) clone() *world { return &world{maps.Clone(w.keys), maps.Clone(w.bodies)} }

func model(t *testing.T, open Open, crash Crash, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	dir := t.TempDir()
	e := open(t, dir)
	w := &world{map[string]string{}, map[blob.ID][]byte{}}
	for step := range 300 {
		switch p := rng.IntN(100); {
		case p < 80:
			w = update(t, e, w, rng)
		case p < 88:
			w.check(t, e)
		case p < 92 && crash != nil:
			crash(e)
			e = open(t, dir)
			w.check(t, e)
		case p < 94:
			compact(t, e)
			w.check(t, e)
		case p < 97:
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open(t, dir)
			w.check(t, e)
		case step%40 == 0:
			to := filepath.Join(t.TempDir(), "snapshot")
			if err := e.Snapshot(context.Background(), to); err != nil {
				t.Fatal(err)
			}
			c := open(t, to)
			w.check(t, c)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.check(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// compact lets an engine that can give space back.
func compact(t *testing.T, e kv.Engine) {
	if c, ok := e.(interface{ Compact(context.Context) error }); ok {
		if err := c.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

var errNo = errors.New("no")

// update does a few things in one transaction, which sometimes fails.
func update(t *testing.T, e kv.Engine, w *world, rng *rand.Rand) *world {
	t.Helper()
	next := w.clone()
	fails := rng.IntN(6) == 0
	var staged []*blob.Staged
	var raw [][]byte
	for range rng.IntN(3) {
		b := body(rng)
		raw = append(raw, b)
		staged = append(staged, stage(t, e, b))
	}
	err := e.Update(func(tx kv.Tx) error {
		for range 1 + rng.IntN(12) {
			k := fmt.Sprintf("%c%03d", 'a'+rng.IntN(4), rng.IntN(120))
			if rng.IntN(3) == 0 {
				tx.Delete([]byte(k))
				delete(next.keys, k)
				continue
			}
			v := string(bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(300)))
			tx.Put([]byte(k), []byte(v))
			next.keys[k] = v
			if got := tx.Get([]byte(k)); got == nil || string(got) != v {
				return fmt.Errorf("a transaction does not see its own %s", k)
			}
		}
		for i, s := range staged {
			next.bodies[tx.Attach(s)] = raw[i]
		}
		if ids := slices.Sorted(maps.Keys(next.bodies)); len(ids) > 0 && rng.IntN(3) == 0 {
			id := ids[rng.IntN(len(ids))]
			tx.Free(id)
			delete(next.bodies, id)
		}
		if fails {
			return errNo
		}
		return nil
	})
	if fails {
		if !errors.Is(err, errNo) {
			t.Fatalf("a failing function gave %v", err)
		}
		for _, s := range staged {
			s.Discard()
		}
		return w
	}
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func body(rng *rand.Rand) []byte {
	sizes := []int{0, 1, 100, 5000, 60_000, blob.MaxSmall - 1, blob.MaxSmall, blob.MaxSmall + 1, 3*blob.ChunkSize + blob.MaxSmall}
	n := sizes[rng.IntN(5)]
	if rng.IntN(25) == 0 {
		n = sizes[rng.IntN(len(sizes))]
	}
	b := make([]byte, n)
	for i := range b {
		if b[i] = byte(rng.Uint32()); rng.IntN(2) == 0 {
			b[i] = 'e'
		}
	}
	return b
}

func stage(t testing.TB, e kv.Engine, b []byte) *blob.Staged {
	t.Helper()
	w := e.Stage()
	for len(b) > 0 {
		n := min(len(b), 40_000)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check compares everything.
func (w *world) check(t *testing.T, e kv.Engine) {
	t.Helper()
	got := map[string]string{}
	var order []string
	if err := e.View(func(r kv.Reader) error {
		r.Scan(nil, nil, false, func(k, v []byte) bool {
			got[string(k)] = string(v)
			order = append(order, string(k))
			return true
		})
		for _, k := range []string{"a000", "b050", "c119", "zzz"} {
			want, ok := w.keys[k]
			if v := r.Get([]byte(k)); (v != nil) != ok || string(v) != want {
				t.Fatalf("Get(%s) = %q, want %q", k, v, want)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, w.keys) {
		t.Fatalf("%d keys, want %d", len(got), len(w.keys))
	}
	if !slices.IsSorted(order) {
		t.Fatal("keys are out of order")
	}
	w.checkBodies(t, e)
}

func (w *world) checkBodies(t *testing.T, e kv.Engine) {
	t.Helper()
	sizes := map[blob.ID]int64{}
	if err := e.Blobs(func(id blob.ID, size int64) bool { sizes[id] = size; return true }); err != nil {
		t.Fatal(err)
	}
	if len(sizes) != len(w.bodies) {
		t.Fatalf("%d bodies, want %d", len(sizes), len(w.bodies))
	}
	for id, want := range w.bodies {
		r, err := e.Open(id)
		if err != nil {
			t.Fatalf("body %d of %d bytes: %v", id, len(want), err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) || sizes[id] != int64(len(want)) {
			t.Fatalf("body %d: %d bytes, want %d: %v", id, len(got), len(want), err)
		}
		r.Close()
	}
}

func scan(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer e.Close()
	if err := e.Update(func(tx kv.Tx) error {
		for i := range 100 {
			tx.Put(fmt.Appendf(nil, "k%02d", i), nil)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to    string
		reverse     bool
		first, last string
		n           int
	}{
		{"k10", "k20", false, "k10", "k19", 10}, {"k10", "k20", true, "k19", "k10", 10},
		{"", "", false, "k00", "k99", 100}, {"", "", true, "k99", "k00", 100},
		{"k955", "", true, "k99", "k96", 4}, {"x", "", false, "", "", 0}, {"k20", "k10", false, "", "", 0}, {"k20", "k10", true, "", "", 0},
	} {
		var got []string
		var to []byte
		if c.to != "" {
			to = []byte(c.to)
		}
		if err := e.View(func(r kv.Reader) error {
			r.Scan([]byte(c.from), to, c.reverse, func(k, _ []byte) bool { got = append(got, string(k)); return true })
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != c.n || c.n > 0 && (got[0] != c.first || got[c.n-1] != c.last) {
			t.Errorf("scan [%s, %s) reverse %v: %d keys %v", c.from, c.to, c.reverse, len(got), got)
		}
	}
}

func limits(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer e.Close()
	for _, n := range []int{0, kv.MaxKey + 1} {
		if err := e.Update(func(tx kv.Tx) error { tx.Put(make([]byte, n), nil); return nil }); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
	if _, err := e.Open(12345); !errors.Is(err, kv.ErrNoBlob) {
		t.Errorf("a body that is not there: %v", err)
	}
}

// answers holds an Update that changes nothing to its word: what its function
// saw, a View sees once it has returned.
func answers(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer e.Close()
	exists := errors.New("exists")
	for n := range 200 {
		key := fmt.Appendf(nil, "k%03d", n)
		put := make(chan error, 1)
		go func() { put <- e.Update(func(tx kv.Tx) error { tx.Put(key, []byte("v")); return nil }) }()
		for seen := false; !seen; {
			err := e.Update(func(tx kv.Tx) error {
				if seen = tx.Get(key) != nil; seen && n%2 == 0 {
					return exists
				}
				return nil
			})
			if err != nil && !errors.Is(err, exists) {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
		if err := e.View(func(r kv.Reader) error {
			if r.Get(key) == nil {
				return fmt.Errorf("%s was seen by an Update, and by no View after it", key)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := <-put; err != nil {
			t.Fatal(err)
		}
	}
}
