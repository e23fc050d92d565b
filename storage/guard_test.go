package storage

import (
	"os"
	"testing"
	"time"
)

// A delivery of a life that crashed is the same one again for a day, one of
// this life or of one that stopped in order never is.
func TestSeenBefore(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	seen := func(db *DB, hash byte, at time.Time) (again bool) {
		t.Helper()
		if err := db.Update(func(tx *Tx) error { again = tx.SeenBefore(db, [32]byte{hash}, at); return nil }); err != nil {
			t.Fatal(err)
		}
		return again
	}
	open := func(dir string) *DB {
		t.Helper()
		db, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open(dir)
	for range 2 {
		if seen(db, 1, now) {
			t.Error("of this life")
		}
	}
	after := t.TempDir()
	if err := os.CopyFS(after, os.DirFS(dir)); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(dir)
	if seen(db, 1, now) {
		t.Error("of a life that stopped in order")
	}
	db.Close()

	db = open(after)
	defer db.Close()
	for _, c := range []struct {
		hash byte
		at   time.Time
		want bool
	}{{1, now.Add(time.Minute), true}, {1, now.Add(2 * time.Minute), true}, {2, now.Add(time.Minute), false}, {2, now.Add(time.Minute), false}, {1, now.Add(25 * time.Hour), false}} {
		if got := seen(db, c.hash, c.at); got != c.want {
			t.Errorf("delivery %d after %v: %v", c.hash, c.at.Sub(now), got)
		}
	}
	if err := db.Update(func(tx *Tx) error { // and the notes go
		tx.SeenBefore(db, [32]byte{3}, now.Add(60*time.Hour))
		tx.SeenBefore(db, [32]byte{4}, now.Add(60*time.Hour))
		n := 0
		tx.ScanPrefix([]byte{0x0d}, func(_, _ []byte) bool { n++; return true })
		if n != 2 {
			t.Errorf("%d notes are kept", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
