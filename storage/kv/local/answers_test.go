package local

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"essaim.coop/essaim/internal/vfs/faultfs"
	"essaim.coop/essaim/storage/kv"
)

// inTime fails the test when fn takes so long that it must be stuck.
func inTime(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal(what, "is stuck")
	}
}

// Updates that write, refuse, do nothing and panic, beside checkpoints,
// snapshots of the state and a stop: each returns.
func TestUpdatesOfAllKindsEnd(t *testing.T) {
	db := open(t, t.TempDir(), Options{Overlay: 5000, Segment: 100_000, Ballast: -1})
	no := errors.New("no")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 400 {
				err := tried(db, func(tx kv.Tx) error {
					switch (w + i) % 4 {
					case 0:
						tx.Put(fmt.Appendf(nil, "%d-%d", w, i), make([]byte, 200))
					case 1:
						return no
					case 2:
						panic("no")
					}
					return nil
				})
				if errors.Is(err, kv.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, no) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 300 {
			if err := db.Checkpoint(); err != nil && !errors.Is(err, kv.ErrClosed) {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	inTime(t, "an Update", wg.Wait)
}

func tried(db *DB, fn func(kv.Tx) error) (err error) {
	defer func() { _ = recover() }()
	return db.Update(fn)
}

// What an Update saw and a failing disk took back is not what it answers.
func TestAnAnswerFallsWithWhatItSaw(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		fs := faultfs.New(1)
		db := open(t, t.TempDir(), Options{FS: fs, Ballast: -1, Quiet: 1 << 40})
		put(t, db, "before", "v")
		held, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		fs.Fail = func(op, _ string) error {
			if op != "write" {
				return nil
			}
			once.Do(func() { close(held); <-release })
			return fault
		}
		writer, reader := make(chan error, 1), make(chan error, 1)
		go func() {
			writer <- db.Update(func(tx kv.Tx) error { tx.Put([]byte("k"), []byte("v")); return nil })
		}()
		<-held // k is in the group that is being written
		exists := errors.New("exists")
		saw := make(chan bool, 1)
		go func() {
			reader <- db.Update(func(tx kv.Tx) error {
				if saw <- tx.Get([]byte("k")) != nil; tx.Get([]byte("before")) == nil {
					return nil
				}
				return exists
			})
		}()
		if !<-saw {
			t.Fatal("the newest state has no k")
		}
		close(release)
		inTime(t, "a failing write", func() {
			if err := <-writer; err == nil {
				t.Errorf("%v: acknowledged", fault)
			}
			if err := <-reader; err == nil || errors.Is(err, exists) {
				t.Errorf("%v: the answer was %v", fault, err)
			}
		})
		fs.Fail = nil
		if v := get(t, db, "k"); v != "" {
			t.Errorf("%v: k = %q", fault, v)
		}
		if fault == syscall.ENOSPC {
			put(t, db, "k", "again")
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		db.kill()
	}
}
