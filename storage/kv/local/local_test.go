package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

func open(t testing.TB, dir string, opt Options) *DB {
	t.Helper()
	db, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func put(t testing.TB, db *DB, k, v string) {
	t.Helper()
	if err := db.Update(func(tx kv.Tx) error { tx.Put([]byte(k), []byte(v)); return nil }); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, db *DB, k string) (v string) {
	t.Helper()
	if err := db.View(func(r kv.Reader) error { v = string(r.Get([]byte(k))); return nil }); err != nil {
		t.Fatal(err)
	}
	return v
}

func stage(t testing.TB, db *DB, b []byte) *blob.Staged {
	t.Helper()
	w := db.Stage()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReopenFindsKeysAndBodies(t *testing.T) {
	dir := t.TempDir()
	bodies := [][]byte{nil, []byte("short"), bytes.Repeat([]byte("compressible "), 5000), bytes.Repeat([]byte("large "), 400_000)}
	db := open(t, dir, Options{})
	var ids []blob.ID
	for i, b := range bodies {
		s := stage(t, db, b)
		if err := db.Update(func(tx kv.Tx) error {
			id := tx.Attach(s)
			ids = append(ids, id)
			tx.Put([]byte(fmt.Sprint("k", i)), []byte(fmt.Sprint(id)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(db *DB) {
		t.Helper()
		for i, b := range bodies {
			if got := get(t, db, fmt.Sprint("k", i)); got != fmt.Sprint(ids[i]) {
				t.Fatalf("k%d = %q", i, got)
			}
			r, err := db.Open(ids[i])
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("body %d: %d bytes, %v", i, len(got), err)
			}
			r.Close()
		}
	}
	check(db)
	// As after a kill: the journal alone, without a checkpoint.
	db.release()
	db = open(t, dir, Options{})
	check(db)
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	check(db)
	if err := db.Update(func(tx kv.Tx) error {
		for _, id := range ids {
			tx.Free(id)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(ids[1]); !errors.Is(err, kv.ErrNoBlob) {
		t.Fatalf("a freed body opens: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, Options{})
	if st := db.Stats(); st.Blobs != 0 || st.JournalLive != 0 {
		t.Fatalf("after freeing all: %+v", st)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentUpdatesShareSyncs(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	defer db.Close()
	const writers, each = 32, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				put(t, db, fmt.Sprintf("%d-%d", w, i), "v")
			}
		})
	}
	wg.Wait()
	st := db.Stats()
	if st.Commits != writers*each || st.Syncs > st.Commits/2 {
		t.Errorf("%d commits took %d syncs", st.Commits, st.Syncs)
	}
}

func TestOneFailingFunctionFailsAlone(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	defer db.Close()
	put(t, db, "a", "1")
	boom := errors.New("boom")
	s := stage(t, db, []byte("body"))
	err := db.Update(func(tx kv.Tx) error {
		tx.Put([]byte("a"), []byte("2"))
		tx.Delete([]byte("a"))
		tx.Put([]byte("b"), []byte("2"))
		tx.Attach(s)
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Update(func(tx kv.Tx) error { tx.Put([]byte("c"), nil); panic("boom") })
	}()
	put(t, db, "d", "4")
	if a, b, c := get(t, db, "a"), get(t, db, "b"), get(t, db, "c"); a != "1" || b != "" || c != "" {
		t.Errorf("a=%q b=%q c=%q", a, b, c)
	}
	if db.head.next != 1 {
		t.Errorf("next body is %d after a rollback", db.head.next)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			db := open(b, b.TempDir(), Options{})
			defer db.Close()
			body := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz\r\n"), 500)
			b.SetParallelism(writers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					s := stage(b, db, body)
					if err := db.Update(func(tx kv.Tx) error {
						id := tx.Attach(s)
						for j := range 4 {
							tx.Put(fmt.Appendf(nil, "%d/%d", id, j), body[:100])
						}
						return nil
					}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(db.Stats().Syncs)/float64(b.N), "syncs/op")
		})
	}
}

// BenchmarkManyPuts is the shape of a STORE on a thousand messages.
func BenchmarkManyPuts(b *testing.B) {
	db := open(b, b.TempDir(), Options{})
	defer db.Close()
	value := make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		if err := db.Update(func(tx kv.Tx) error {
			for i := range 1000 {
				tx.Put(fmt.Appendf(nil, "%d", i), value)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// Memory that a transaction leaves to the next is not seen by it.
func TestTransactionsShareNoContent(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{})
	boom := errors.New("boom")
	for i := range 50 {
		_ = db.Update(func(tx kv.Tx) error {
			for j := range 20 + i {
				tx.Put(fmt.Appendf(nil, "gone%d", j), []byte("gone"))
			}
			return boom
		})
		put(t, db, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	db.kill()
	db = open(t, dir, Options{})
	defer db.Close()
	n := 0
	if err := db.View(func(r kv.Reader) error {
		r.Scan(nil, nil, false, func(k, v []byte) bool {
			if n++; "k"+string(v) != string(k) {
				t.Errorf("%s = %q", k, v)
			}
			return true
		})
		return nil
	}); err != nil || n != 50 {
		t.Fatalf("%d keys, %v", n, err)
	}
}
