package storage

import (
	"context"
	"errors"
	"os"
	"testing"

	"essaim.coop/essaim/storage/kv/local"
)

// An older layout is copied before it is touched, and the copy makes the store
// again as it was, for the program that wrote it.
func TestOlderLayoutIsKeptBeforeItIsChanged(t *testing.T) {
	dir := t.TempDir() + "/store"
	db := openTest(t, dir)
	must(t, db, func(tx *Tx) error {
		tx.Put([]byte("z"), []byte("as it was"))
		tx.Put(metaKey("schema"), []byte{0, 0, 0, SchemaVersion - 1})
		return nil
	})
	epoch := db.Epoch()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(Before(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading alone made a copy: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		db = openTest(t, dir)
		if v, _, err := schemaOf(db.kv); err != nil || v != SchemaVersion {
			t.Errorf("layout %d, %v", v, err)
		}
		must(t, db, func(tx *Tx) error { tx.Put([]byte("z"), []byte("changed since")); return nil })
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	back := t.TempDir() + "/store"
	if err := Restore(context.Background(), Before(dir), back); err != nil {
		t.Fatal(err)
	}
	old, err := local.Open(back, local.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := schemaOf(old); err != nil || v != SchemaVersion-1 {
		t.Errorf("the older program finds layout %d, %v", v, err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, back) // this program again: forward once more
	_ = db.View(func(tx *Tx) error {
		if got := string(tx.Get([]byte("z"))); got != "as it was" {
			t.Errorf("got %q", got)
		}
		return nil
	})
	if db.Epoch() == epoch {
		t.Error("tokens of the newer store look right in the older one")
	}
	closeClean(t, db)
}

// When there is no room for the copy, the store stays as it is.
func TestLayoutStaysWithoutItsCopy(t *testing.T) {
	dir := t.TempDir() + "/store"
	db := openTest(t, dir)
	must(t, db, func(tx *Tx) error { tx.Put(metaKey("schema"), []byte{0, 0, 0, SchemaVersion - 1}); return nil })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Before(dir), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Fatal("opened without its copy")
	}
	e, err := local.Open(dir, local.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if v, _, err := schemaOf(e); err != nil || v != SchemaVersion-1 {
		t.Errorf("layout %d, %v", v, err)
	}
}
