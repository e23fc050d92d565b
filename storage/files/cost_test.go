package files

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

// fill makes a folder with n files that share one body.
func (h *house) fill(name string, n int) Node {
	h.t.Helper()
	dir := h.mkdir(h.a, name)
	h.mustPut(h.a, name+"/0", "body")
	for i := 1; i < n; {
		h.update(func(tx *storage.Tx) error {
			t := h.tree(tx, h.a)
			src, err := Child(tx, t, dir.ID, "0")
			for end := min(n, i+Batch); i < end && err == nil; i++ {
				_, err = CopyFile(tx, t, src.ID, t, dir.ID, fmt.Sprint(i), h.at())
			}
			return err
		})
	}
	return dir
}

// Moving, deleting and restoring cost the same whatever is below.
func TestCostOfMoving(t *testing.T) {
	h := newHouse(t, 0)
	dir := h.fill("dir", 3000)
	other := h.mkdir(h.a, "other")
	for what, fn := range map[string]func(*storage.Tx, *Tree) error{
		"move": func(tx *storage.Tx, t *Tree) error {
			_, err := Move(tx, t, dir.ID, other.ID, "moved", h.at())
			return err
		},
		"delete and restore": func(tx *storage.Tx, t *Tree) error {
			if err := Delete(tx, t, dir.ID, h.at()); err != nil {
				return err
			}
			_, err := Restore(tx, t, dir.ID, h.at())
			return err
		},
	} {
		before := h.db.Stats().Written.Journal()
		h.update(func(tx *storage.Tx) error { return fn(tx, h.tree(tx, h.a)) })
		if n := h.db.Stats().Written.Journal() - before; n > 8<<10 {
			t.Errorf("%s of a folder of 3000 wrote %d bytes", what, n)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	h := newHouse(b, 0)
	h.fill("dir", 2000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := h.content(fmt.Sprint("body ", i))
		h.update(func(tx *storage.Tx) error {
			t := h.tree(tx, h.a)
			dir, err := Child(tx, t, Root, "dir")
			if err == nil {
				_, _, err = Put(tx, t, dir.ID, fmt.Sprint("new", i%100), c, h.at())
			}
			return err
		})
	}
}

func BenchmarkList10000(b *testing.B) {
	h := newHouse(b, 0)
	dir := h.fill("dir", 10_000)
	b.ReportAllocs()
	for b.Loop() {
		h.view(func(tx *storage.Tx) {
			t := h.tree(tx, h.a)
			n := 0
			for after := ""; ; {
				page, err := List(tx, t, dir.ID, after, 200)
				if err != nil || len(page) == 0 {
					break
				}
				n, after = n+len(page), page[len(page)-1].Name
			}
			if n != 10_000 {
				b.Fatal(n)
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	h := newHouse(b, 0)
	path := []string{}
	for range 8 {
		path = append(path, "folder")
		h.mkdir(h.a, strings.Join(path, "/"))
	}
	b.ReportAllocs()
	h.view(func(tx *storage.Tx) {
		t := h.tree(tx, h.a)
		for b.Loop() {
			if _, err := Resolve(tx, t, path); err != nil {
				b.Fatal(err)
			}
		}
	})
}
