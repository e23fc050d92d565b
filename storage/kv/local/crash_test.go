package local

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"essaim.coop/essaim/internal/vfs/faultfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// A life is one run of the engine on the faulty file system, until the power
// goes. The tree is on a real one and is checkpointed only between lives, so
// that what is tried here is the journal; the tree's own crash safety is tried
// on a drive of its own in package storage.
type life struct {
	t     *testing.T
	dir   string
	fs    *faultfs.FS
	m     mutant
	acked map[string]string // what was acknowledged
	maybe map[string]string // what was under way
	seen  map[string]string // what a reader has seen
	mu    sync.Mutex
}

func (l *life) options() Options {
	return Options{FS: l.fs, Segment: 200_000, Ballast: -1, Overlay: 1 << 40, Quiet: 1 << 40, mutant: l.m}
}

// write runs a few writers and a reader until the power goes after n changes.
func (l *life) write(rng *rand.Rand, n int) error {
	db, err := Open(l.dir, l.options())
	if err != nil {
		return err
	}
	left := n
	l.fs.Fail = func(string, string) error {
		if left--; left <= 0 {
			return errors.New("the power is gone")
		}
		return nil
	}
	var wg sync.WaitGroup
	for w := range 3 {
		seed := rng.Uint64()
		wg.Go(func() { l.writer(db, w, rand.New(rand.NewPCG(seed, 1))) })
	}
	wg.Wait()
	if l.m == mutantEarlyRead {
		l.look(db)
	}
	l.fs.PowerOff()
	db.kill()
	l.fs = l.fs.Crash()
	return nil
}

func (l *life) writer(db *DB, w int, rng *rand.Rand) {
	for i := range 40 {
		k := fmt.Sprintf("%d-%d-%d", w, rng.IntN(1<<30), i)
		v := string(bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, 1+rng.IntN(3000)))
		l.mu.Lock()
		l.maybe[k] = v
		l.mu.Unlock()
		var s *blob.Staged
		if rng.IntN(2) == 0 {
			bw := db.Stage()
			if _, err := bw.Write([]byte(v)); err != nil {
				return
			}
			var err error
			if s, err = bw.Finish(); err != nil {
				return
			}
		}
		err := db.Update(func(tx kv.Tx) error {
			if s != nil {
				tx.Put([]byte("blob "+k), fmt.Append(nil, tx.Attach(s)))
			}
			tx.Put([]byte(k), []byte(v))
			return nil
		})
		if err != nil {
			return
		}
		l.mu.Lock()
		l.acked[k] = v
		l.mu.Unlock()
	}
}

// look notes what a reader sees: it must not be taken back.
func (l *life) look(db *DB) {
	_ = db.View(func(r kv.Reader) error {
		r.Scan(nil, nil, false, func(k, v []byte) bool {
			if !bytes.HasPrefix(k, []byte("blob ")) {
				l.seen[string(k)] = string(v)
			}
			return true
		})
		return nil
	})
}

// verify opens what the power cut left and compares; problems are returned, so
// that a mutant's can be expected.
func (l *life) verify() error {
	db, err := Open(l.dir, l.options())
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	defer db.kill()
	for _, must := range []map[string]string{l.acked, l.seen} {
		for k, v := range must {
			if err := has(db, k, v); err != nil {
				return err
			}
		}
	}
	return db.View(func(r kv.Reader) error {
		var bad error
		r.Scan(nil, nil, false, func(k, v []byte) bool {
			if !bytes.HasPrefix(k, []byte("blob ")) && l.maybe[string(k)] != string(v) {
				bad = fmt.Errorf("%s was never written so", k)
			}
			return bad == nil
		})
		return bad
	})
}

func has(db *DB, k, v string) error {
	var got []byte
	var id blob.ID
	if err := db.View(func(r kv.Reader) error {
		got = bytes.Clone(r.Get([]byte(k)))
		if b := r.Get([]byte("blob " + k)); b != nil {
			_, err := fmt.Sscan(string(b), &id)
			return err
		}
		return nil
	}); err != nil {
		return err
	}
	if string(got) != v {
		return fmt.Errorf("%s is lost", k)
	}
	if id == 0 {
		return nil
	}
	r, err := db.Open(id)
	if err != nil {
		return fmt.Errorf("body of %s: %w", k, err)
	}
	b, err := r.Bytes()
	if err != nil || string(b) != v {
		return fmt.Errorf("body of %s: %d bytes, %w", k, len(b), err)
	}
	return nil
}

func cuts(t *testing.T) int {
	switch {
	case os.Getenv("ESSAIM_CRASH") == "long":
		return 10_000
	case testing.Short():
		return 50
	}
	return 250
}

// try cuts the power n times, each in a new life of the same store.
func try(t *testing.T, m mutant, n int, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 5))
	var l *life
	for i := range n {
		if i%8 == 0 { // a new store now and then
			l = &life{t: t, dir: filepath.Join(t.TempDir(), fmt.Sprint(i)), fs: faultfs.New(rng.Uint64()), m: m,
				acked: map[string]string{}, maybe: map[string]string{}, seen: map[string]string{}}
			if err := os.MkdirAll(l.dir, 0o700); err != nil {
				return err
			}
		}
		if err := l.write(rng, 1+rng.IntN(120)); err != nil {
			return fmt.Errorf("cut %d: %w", i, err)
		}
		if err := l.verify(); err != nil {
			return fmt.Errorf("cut %d: %w", i, err)
		}
	}
	return nil
}

func TestPowerCuts(t *testing.T) {
	if err := try(t, healthy, cuts(t), 1); err != nil {
		t.Fatal(err)
	}
}

// A battery that cannot fail proves nothing: each deliberate fault is found.
func TestMutantsAreCaught(t *testing.T) {
	for m, name := range map[mutant]string{mutantNoSync: "no sync", mutantEarlyReply: "reply before the sync", mutantEarlyRead: "visible before the sync"} {
		if err := try(t, m, 300, 2); err == nil {
			t.Errorf("%s: not caught", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// Every call that can fail fails once: nothing acknowledged is lost, and after
// a failed sync nothing more is acknowledged.
func TestFaultAtEveryCall(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for n := 1; n < 60; n++ {
			oneFault(t, fault, n)
		}
	}
}

func oneFault(t *testing.T, fault error, n int) {
	l := &life{t: t, dir: t.TempDir(), fs: faultfs.New(uint64(n)), acked: map[string]string{}, maybe: map[string]string{}}
	db, err := Open(l.dir, l.options())
	if err != nil {
		t.Fatal(err)
	}
	calls, synced := 0, true
	l.fs.Fail = func(op, _ string) error {
		if calls++; calls != n {
			return nil
		}
		synced = op != "sync" && op != "syncdir"
		return fault
	}
	for i := range 20 {
		k := fmt.Sprint("k", i)
		l.maybe[k] = "v"
		err := db.Update(func(tx kv.Tx) error { tx.Put([]byte(k), []byte("v")); return nil })
		if err == nil {
			l.acked[k] = "v"
		} else if errors.Is(fault, syscall.ENOSPC) && synced && !errors.Is(err, kv.ErrFull) {
			t.Fatalf("full disk at call %d: %v", n, err)
		}
		if err == nil && !synced {
			t.Fatalf("acknowledged after a failed sync at call %d", n)
		}
	}
	if errors.Is(fault, syscall.ENOSPC) && synced && len(l.acked) < 19 {
		t.Fatalf("full disk at call %d: %d of 20 went through once there was room", n, len(l.acked))
	}
	db.kill()
	l.fs.Fail = nil
	if err := l.verify(); err != nil {
		t.Fatalf("%v at call %d: %v", fault, n, err)
	}
}

// Every flipped bit of a journal that matters is reported, never served.
func TestBitFlipsAreReported(t *testing.T) {
	fs, dir := faultfs.New(1), t.TempDir()
	opt := Options{FS: fs, Ballast: -1, Quiet: 1 << 40}
	db := open(t, dir, opt)
	want := map[blob.ID]string{}
	for i := range 20 {
		body := bytes.Repeat([]byte(fmt.Sprint("letter ", i, " ")), 40)
		s := stage(t, db, body)
		if err := db.Update(func(tx kv.Tx) error { want[tx.Attach(s)] = string(body); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	seg := fs.Names(filepath.Join(dir, "journal"))[0]
	end := db.out.end // behind it are zeros that nobody reads
	missed := 0
	for range 400 {
		bit := rng.Int64N(end * 8)
		fs.Flip(seg, bit)
		if !flipIsSeen(t, dir, opt, want) {
			missed++
		}
		fs.Flip(seg, bit)
	}
	// Padding between frames and redo items that the tree has taken in are of
	// no consequence; 20 bodies and the header fill the rest.
	if missed > 200 {
		t.Errorf("%d of 400 flips were not met", missed)
	}
}

func flipIsSeen(t *testing.T, dir string, opt Options, want map[blob.ID]string) (seen bool) {
	db, err := Open(dir, opt)
	if err != nil {
		return true
	}
	defer db.kill()
	for id, w := range want {
		r, err := db.Open(id)
		if err != nil {
			seen = true
			continue
		}
		if b, err := r.Bytes(); err != nil {
			seen = true
		} else if string(b) != w {
			t.Errorf("body %d was served damaged", id)
		}
	}
	return seen
}
