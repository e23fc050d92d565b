package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// Two backups in turn, and a restore from the older: the newer one is then of a
// course that the store has not taken. It is not brought "up to date", which
// would leave neither the one nor the other; the older still is.
func TestBackupLeavesOneOfAnotherCourseAlone(t *testing.T) {
	dir := t.TempDir()
	seed := byte(0)
	add := func(db *DB, box CollectionID, n int) {
		t.Helper()
		for range n {
			seed++
			rng := rand.NewChaCha8([32]byte{seed})
			body := make([]byte, 9000)
			_, _ = rng.Read(body)
			w := db.Stage()
			_, _ = w.Write(body)
			s, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			must(t, db, func(tx *Tx) error {
				c, err := tx.Collection(box)
				if err != nil {
					return err
				}
				_, _, err = tx.PutItem(c, 0, blobKey(tx.Attach(s)), 9000)
				return err
			})
		}
	}
	db := openTest(t, filepath.Join(dir, "store"))
	_, box := newBox(t, db, 0)
	hook := func(tx *Tx, r *Report) {
		tx.Items(box, 0, ^ItemID(0), func(_ ItemID, v []byte) bool { r.Refers(blobOf(v)); return true })
	}
	backup := func(db *DB, to string) {
		t.Helper()
		if r, err := db.Backup(context.Background(), filepath.Join(dir, to), CheckOptions{Bodies: true, Hooks: []CheckHook{hook}}); err != nil || !r.Clean() {
			t.Fatalf("backup to %s: %v", to, err)
		}
	}
	add(db, box, 20)
	backup(db, "monday")
	add(db, box, 100)
	backup(db, "tuesday")
	closeClean(t, db, hook)
	if err := Restore(context.Background(), filepath.Join(dir, "monday"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, filepath.Join(dir, "again"))
	add(db, box, 120)
	for _, to := range []string{"tuesday", "store"} {
		if _, err := db.Backup(context.Background(), filepath.Join(dir, to), CheckOptions{}); !errors.Is(err, ErrConflict) {
			t.Errorf("backup to %s: %v", to, err)
		}
	}
	backup(db, "monday")
	backup(db, "wednesday")
	add(db, box, 10)
	backup(db, "monday")
	closeClean(t, db, hook)
	for of, want := range map[string]int64{"tuesday": 120, "monday": 150, "wednesday": 140} {
		kept, err := Open(filepath.Join(dir, of), Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := kept.Check(context.Background(), CheckOptions{Bodies: true, Hooks: []CheckHook{hook}})
		if err != nil || !r.Clean() || r.Items != want {
			t.Errorf("the backup of %s has %d items, %d problems, %v", of, r.Items, len(r.Problems), err)
		}
		if err := kept.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
