package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

func TestCompactShrinksTheTreeWhileItIsUsed(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{Overlay: 200_000, Ballast: -1})
	value := bytes.Repeat([]byte("v"), 500)
	for i := range 40 {
		if err := db.Update(func(tx kv.Tx) error {
			for j := range 100 {
				tx.Put(fmt.Appendf(nil, "%02d/%02d", i, j), value)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Update(func(tx kv.Tx) error {
		for i := range 36 {
			for j := range 100 {
				tx.Delete(fmt.Appendf(nil, "%02d/%02d", i, j))
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := db.Stats().Tree
	var wg sync.WaitGroup
	wg.Go(func() { // a reader that outlives the tree it reads
		if err := db.View(func(r kv.Reader) error {
			if err := db.Compact(context.Background()); err != nil {
				return err
			}
			if r.Get([]byte("39/99")) == nil {
				return errors.New("the old state is gone")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		for i := range 300 {
			put(t, db, fmt.Sprint("new", i), "v")
		}
	})
	wg.Wait()
	if after := db.Stats().Tree; after > before/3 {
		t.Errorf("the tree had %d bytes and has %d", before, after)
	}
	if found := verified(t, db); len(found) > 0 {
		t.Error(found)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, Options{})
	defer db.Close()
	n := 0
	if err := db.View(func(r kv.Reader) error {
		r.Scan(nil, nil, false, func(_, _ []byte) bool { n++; return true })
		return nil
	}); err != nil || n != 700 {
		t.Errorf("%d keys, %v", n, err)
	}
}

// A stop cuts a compaction short, and what it left is taken away.
func TestAStopEndsACompaction(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, small)
	for i := range 50 {
		put(t, db, fmt.Sprint(i), "v")
	}
	done := make(chan error, 1)
	go func() { done <- db.Compact(context.Background()) }()
	inTime(t, "Close", func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := <-done; err != nil && !errors.Is(err, kv.ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, name := range []string{"tree.db.new", "spare.db.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("cut"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db = open(t, dir, small)
	defer db.Close()
	for _, name := range []string{"tree.db.new", "spare.db.new"} {
		if exists(filepath.Join(dir, name)) {
			t.Error(name, "is still there")
		}
	}
	if get(t, db, "49") != "v" {
		t.Error("a key is lost")
	}
}

// filled makes a store with a spare copy some way behind, and says what is in it.
func filled(t *testing.T, dir string) (bodies map[blob.ID]string) {
	db := open(t, dir, small)
	bodies = map[blob.ID]string{}
	for i := range 60 {
		text := fmt.Sprintf("letter %d %s", i, bytes.Repeat([]byte{byte('a' + i%26)}, 7000+i))
		w := blob.NewWriter(db.fs, db.path("tmp"))
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		s.Stored, s.Compressed = []byte(text), false // so that the journal has some length
		if err := db.Update(func(tx kv.Tx) error {
			id := tx.Attach(s)
			bodies[id] = text
			tx.Put(fmt.Appendf(nil, "body %d", id), []byte("v"))
			if i%10 == 9 {
				tx.Free(id - 3)
				tx.Delete(fmt.Appendf(nil, "body %d", id-3))
				delete(bodies, id-3)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if i%7 == 6 {
			if err := errors.Join(db.Checkpoint(), db.keepSpare(context.Background())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !(position{1, segmentHeader, 0}).before(db.spare) {
		t.Fatalf("the spare copy is at %v", db.spare)
	}
	db.kill()
	return bodies
}

func holds(t *testing.T, db *DB, bodies map[blob.ID]string) {
	t.Helper()
	n := 0
	if err := db.Blobs(func(id blob.ID, _ int64) bool {
		n++
		if get(t, db, fmt.Sprint("body ", id)) != "v" {
			t.Errorf("the row of body %d is lost", id)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if n != len(bodies) {
		t.Errorf("%d bodies of %d", n, len(bodies))
	}
	for id, text := range bodies {
		r, err := db.Open(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if b, err := r.Bytes(); err != nil || string(b) != text {
			t.Errorf("body %d: %d bytes, %v", id, len(b), err)
		}
	}
}

func TestRebuildOfADamagedTree(t *testing.T) {
	dir := t.TempDir()
	bodies := filled(t, dir)
	tree := filepath.Join(dir, "tree.db")
	if err := os.WriteFile(tree, bytes.Repeat([]byte("rot "), 30_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, small); err == nil {
		t.Fatal("a tree of rot opens")
	}
	r, err := Rebuild(t.Context(), dir, small)
	if err != nil || r.From != "spare.db" || r.Groups == 0 || !exists(r.Aside) {
		t.Fatalf("%+v, %v", r, err)
	}
	db := open(t, dir, small)
	holds(t, db, bodies)
	if found := verified(t, db); len(found) > 0 {
		t.Error(found)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRebuildRefusesWhatItCannotDo(t *testing.T) {
	dir := t.TempDir()
	filled(t, dir)
	db := open(t, dir, small)
	if _, err := Rebuild(t.Context(), dir, small); err == nil {
		t.Error("rebuilt a store that is in use")
	}
	db.kill()
	if err := errors.Join(os.Remove(filepath.Join(dir, "spare.db")), os.Remove(filepath.Join(dir, "tree.db"))); err != nil {
		t.Fatal(err)
	}
	if r, err := Rebuild(t.Context(), dir, small); err == nil {
		t.Errorf("rebuilt of nothing: %+v", r)
	}
	if _, err := Open(dir, small); !errors.Is(err, ErrNoTree) {
		t.Errorf("opened: %v", err)
	}
}

// A spare copy that is lost or damaged is made again; one that would fill the
// disk is given up with all that is kept for it.
func TestTheSpareCopyIsMadeAgain(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"lost":    os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, make([]byte, 50_000), 0o600) },
	} {
		dir := t.TempDir()
		bodies := filled(t, dir)
		if err := harm(filepath.Join(dir, "spare.db")); err != nil {
			t.Fatal(err)
		}
		db := open(t, dir, small)
		put(t, db, "more", "v")
		if err := errors.Join(db.Checkpoint(), db.keepSpare(t.Context())); err != nil {
			t.Fatal(name, err)
		}
		if db.spare != db.treePos {
			t.Errorf("%s: the spare copy is at %v, the tree at %v", name, db.spare, db.treePos)
		}
		db.kill()
		if err := os.Remove(filepath.Join(dir, "tree.db")); err != nil {
			t.Fatal(err)
		}
		if _, err := Rebuild(t.Context(), dir, small); err != nil {
			t.Fatal(name, err)
		}
		db = open(t, dir, small)
		holds(t, db, bodies)

		db.tight.Store(true)
		put(t, db, "again", "v")
		if err := db.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if exists(filepath.Join(dir, "spare.db")) || len(db.dead) > 0 {
			t.Errorf("%s: on a full disk the spare copy stays, or %d extents", name, len(db.dead))
		}
		db.kill()
	}
}

// A hookContext runs something in the middle of what asks whether it ended.
type hookContext struct {
	context.Context
	once sync.Once
	hook func()
}

func (c *hookContext) Err() error {
	c.once.Do(c.hook)
	return c.Context.Err()
}

// What a copy still has to follow is not given back, whatever is deleted and
// checkpointed while it is made; and then it is.
func TestACopyKeepsTheJournalItNeeds(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{Spare: -1, Ballast: -1})
	for i := range 50 {
		put(t, db, fmt.Sprint("old", i), "v")
	}
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	var keep blob.ID
	ctx := &hookContext{Context: t.Context(), hook: func() {
		for i := range 40 {
			s := stage(t, db, content(i, 30_000))
			s.Stored, s.Compressed = content(i, 30_000), false
			before := keep
			if err := db.Update(func(tx kv.Tx) error {
				if keep = tx.Attach(s); i%2 == 1 {
					tx.Free(before)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			if err := db.Checkpoint(); err != nil {
				t.Error(err)
			}
		}
		if len(db.dead) < 20 {
			t.Errorf("%d extents wait", len(db.dead))
		}
	}}
	if err := db.copyTree(ctx, "tree.db.new", db.swap); err != nil {
		t.Fatal(err)
	}
	put(t, db, "after", "v")
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if len(db.dead) > 0 {
		t.Errorf("%d extents still wait", len(db.dead))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, Options{Spare: -1, Ballast: -1})
	defer db.Close()
	if st := db.Stats(); st.Blobs != 20 {
		t.Errorf("%d bodies", st.Blobs)
	}
	if err := db.VerifyBody(keep); err != nil || get(t, db, "old49") != "v" || get(t, db, "after") != "v" {
		t.Error(err)
	}
}
