package storage

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

var when = time.Unix(1_800_000_000, 0)

func openTest(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// closeClean checks the whole store after every test.
func closeClean(t testing.TB, db *DB, hooks ...CheckHook) {
	t.Helper()
	r, err := db.Check(context.Background(), CheckOptions{Bodies: true, Hooks: hooks})
	if err != nil || !r.Clean() {
		t.Errorf("check: %v %q", err, r.Problems)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func must(t testing.TB, db *DB, fn func(*Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func newBox(t testing.TB, db *DB, quota int64) (a AccountID, id CollectionID) {
	t.Helper()
	must(t, db, func(tx *Tx) error {
		a = tx.CreateAccount(tx.CreateHousehold(quota))
		c, err := tx.CreateCollection(a, KindMailbox, "INBOX", []byte("x"), when)
		id = c.ID
		return err
	})
	return a, id
}

// The view of a collection that a reader keeps up by Changes equals the
// collection, whatever the token it starts from.
func TestChangesFromAnyTokenLeadToTheCollection(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, box := newBox(t, db, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	have := map[ItemID]byte{}
	type token struct {
		m    ModSeq
		view map[ItemID]byte
	}
	var tokens []token
	for range 400 {
		must(t, db, func(tx *Tx) error {
			c, err := tx.Collection(box)
			if err != nil {
				return err
			}
			for range 1 + rng.IntN(5) {
				ids := slices.Sorted(maps.Keys(have))
				switch v := byte(rng.IntN(256)); {
				case len(ids) == 0 || rng.IntN(3) == 0:
					id, _, err := tx.PutItem(c, 0, []byte{v}, 10)
					if err != nil {
						return err
					}
					have[id] = v
				case rng.IntN(2) == 0:
					id := ids[rng.IntN(len(ids))]
					if _, _, err := tx.PutItem(c, id, []byte{v}, 0); err != nil {
						return err
					}
					have[id] = v
				default:
					id := ids[rng.IntN(len(ids))]
					if _, err := tx.RemoveItem(c, id, 10); err != nil {
						return err
					}
					delete(have, id)
				}
			}
			return nil
		})
		if err := db.View(func(tx *Tx) error {
			c, err := tx.Collection(box)
			tokens = append(tokens, token{c.Highest, maps.Clone(have)})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tok := range tokens {
		if err := db.View(func(tx *Tx) error {
			ch, err := tx.Changes(box, tok.m)
			for _, r := range ch.Removed {
				for id := r.From; id <= r.To; id++ {
					delete(tok.view, id)
				}
			}
			for _, r := range ch.Changed {
				tx.Items(box, r.From, r.To, func(id ItemID, v []byte) bool { tok.view[id] = v[0]; return true })
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(tok.view, have) {
			t.Fatalf("from %d: %d items, there are %d", tok.m, len(tok.view), len(have))
		}
	}
	closeClean(t, db)
}

func TestLogIsTrimmedAndSaysSo(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, box := newBox(t, db, 0)
	var first ModSeq
	for i := range leastRows + 2*trimBatch {
		must(t, db, func(tx *Tx) error {
			c, err := tx.Collection(box)
			if err != nil {
				return err
			}
			_, m, err := tx.PutItem(c, min(1, ItemID(i)), []byte("v"), 0)
			if i == 0 {
				first = m
			}
			return err
		})
	}
	err := db.View(func(tx *Tx) error { _, err := tx.Changes(box, first); return err })
	if !errors.Is(err, ErrFloor) {
		t.Errorf("changes since the first: %v", err)
	}
	closeClean(t, db)
}

func TestQuotaHoldsAgainstRaces(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, box := newBox(t, db, 1000)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			err := db.Update(func(tx *Tx) error {
				c, err := tx.Collection(box)
				if err != nil {
					return err
				}
				_, _, err = tx.PutItem(c, 0, []byte("v"), 99)
				return err
			})
			if err != nil && !errors.Is(err, ErrQuota) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := db.View(func(tx *Tx) error {
		c, err := tx.Collection(box)
		if c.Count != 10 || c.Bytes != 990 {
			t.Errorf("%d items, %d bytes", c.Count, c.Bytes)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	closeClean(t, db)
}

func TestWatchersHearAfterTheCommit(t *testing.T) {
	db := openTest(t, t.TempDir())
	a, box := newBox(t, db, 0)
	ch := make(chan struct{}, 1)
	stop := db.Watch(a, Nudge(ch))
	must(t, db, func(tx *Tx) error {
		c, err := tx.Collection(box)
		if err != nil {
			return err
		}
		_, _, err = tx.PutItem(c, 0, []byte("v"), 1)
		return err
	})
	select {
	case <-ch:
	default:
		t.Error("no nudge when Update had returned")
	}
	house := make(chan struct{}, 1)
	defer db.Watch(House, Nudge(house))()
	must(t, db, func(tx *Tx) error { tx.Touch(House); return nil })
	if len(house) != 1 || len(ch) != 0 {
		t.Error("a change to the house was told to others, or not at all")
	}
	stop()
	_ = db.Update(func(tx *Tx) error { tx.Bump(a); return errors.New("no") })
	must(t, db, func(tx *Tx) error { tx.Bump(a); return nil })
	select {
	case <-ch:
		t.Error("a nudge after stop")
	default:
	}
	closeClean(t, db)
}

func TestWriteInAViewIsRefused(t *testing.T) {
	db := openTest(t, t.TempDir())
	if err := db.View(func(tx *Tx) error { tx.Put([]byte("z"), nil); return nil }); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	closeClean(t, db)
}

func TestNewerLayoutIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, dir)
	must(t, db, func(tx *Tx) error { tx.Put(metaKey("schema"), []byte{0, 0, 0, SchemaVersion + 1}); return nil })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("opened: %v", err)
	}
}

func TestBackupUnderLoadRestores(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, box := newBox(t, db, 0)
	add := func() {
		w := db.Stage()
		_, _ = w.Write(make([]byte, 3000))
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		must(t, db, func(tx *Tx) error {
			c, err := tx.Collection(box)
			if err != nil {
				return err
			}
			_, _, err = tx.PutItem(c, 0, blobKey(tx.Attach(s)), 3000)
			return err
		})
	}
	hook := func(tx *Tx, r *Report) {
		tx.Items(box, 0, ^ItemID(0), func(_ ItemID, v []byte) bool { r.Refers(blobOf(v)); return true })
	}
	dir := filepath.Join(t.TempDir(), "backup")
	for range 3 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 50 {
				add()
			}
		}()
		r, err := db.Backup(context.Background(), dir, CheckOptions{Bodies: true, Hooks: []CheckHook{hook}})
		if err != nil || !r.Clean() {
			t.Fatalf("backup: %v %v", err, r)
		}
		<-done
	}
	restored := filepath.Join(t.TempDir(), "restored")
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := Restore(stopped, dir, restored+"-stopped"); !errors.Is(err, context.Canceled) {
		t.Errorf("a restore that was stopped: %v", err)
	}
	if err := Restore(context.Background(), dir, restored); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, restored)
	if again.Epoch() == db.Epoch() {
		t.Error("the restored store has the epoch of the lost one")
	}
	closeClean(t, again, hook)
	closeClean(t, db, hook)
}
