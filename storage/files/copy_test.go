package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

func TestCopy(t *testing.T) {
	h := newHouse(t, 3000)
	h.mkdir(h.a, "src")
	for i := range 7 {
		h.mkdir(h.a, fmt.Sprintf("src/d%d", i))
		h.mustPut(h.a, fmt.Sprintf("src/d%d/f", i), strings.Repeat("x", 100+i))
	}
	bodies := h.db.Stats().Blobs
	var c *Copier
	h.update(func(tx *storage.Tx) (err error) {
		src, err := h.find(tx, h.tree(tx, h.a), "src")
		if err == nil {
			c, err = StartCopy(tx, h.tree(tx, h.a), src.ID, h.tree(tx, h.b), h.at())
		}
		return err
	})
	for steps, done := 0, false; !done; steps++ {
		h.update(func(tx *storage.Tx) (err error) {
			done, err = c.Step(tx, 3, h.at())
			if left, _ := Trash(tx, h.tree(tx, h.b), 0, 0, 9); len(left) > 0 {
				t.Error("a copy under way is seen in the trash")
			}
			return err
		})
		h.check()
		if steps > 20 {
			t.Fatal("no end")
		}
	}
	h.update(func(tx *storage.Tx) error { _, err := c.Finish(tx, Root, "copy", h.at()); return err })
	if h.used(h.b) != h.used(h.a) || h.db.Stats().Blobs != bodies {
		t.Errorf("%d bytes, of the source %d; %d bodies, before %d", h.used(h.b), h.used(h.a), h.db.Stats().Blobs, bodies)
	}
	h.view(func(tx *storage.Tx) {
		if n, err := h.find(tx, h.tree(tx, h.b), "copy/d3/f"); err != nil || len(h.read(n.Content)) != 103 {
			t.Error(err)
		}
	})
	h.mustPut(h.a, "src/big", strings.Repeat("y", 3000))
	err := h.db.Update(func(tx *storage.Tx) error {
		src, err := h.find(tx, h.tree(tx, h.a), "src")
		if err == nil {
			_, err = StartCopy(tx, h.tree(tx, h.a), src.ID, h.tree(tx, h.b), h.at())
		}
		return err
	})
	if !errors.Is(err, storage.ErrQuota) {
		t.Errorf("a copy beyond the quota: %v", err)
	}
	h.update(func(tx *storage.Tx) error { // cut off: it goes after a day
		src, _ := h.find(tx, h.tree(tx, h.a), "src")
		_, err := StartCopy(tx, h.tree(tx, h.a), src.ID, h.tree(tx, h.a), h.at())
		return err
	})
	h.update(func(tx *storage.Tx) error {
		tree := h.tree(tx, h.a)
		if at, ok := NextPurge(tx, tree); !ok || at != h.now.Add(day) {
			t.Errorf("purged at %v, %v", at, ok)
		}
		left, err := PurgeTrash(tx, tree, h.now.Add(25*time.Hour-TrashTime), 100)
		if _, ok := NextPurge(tx, tree); ok || left {
			t.Error("the rest of a copy is still there")
		}
		return err
	})
}

// A content of several extents reads as one, from any place.
func TestJoin(t *testing.T) {
	h := newHouse(t, 0)
	a, b := h.mustPut(h.a, "a", strings.Repeat("a", 10)), h.mustPut(h.a, "b", strings.Repeat("b", 10))
	var n Node
	h.update(func(tx *storage.Tx) (err error) {
		n, _, err = Put(tx, h.tree(tx, h.a), Root, "joined", Join("text/plain", a.Content, b.Content), h.at())
		return err
	})
	h.delete(h.a, "a")
	want := []byte(strings.Repeat("a", 10) + strings.Repeat("b", 10))
	r, err := n.Open(h.db)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, from := range []int64{15, 0, 9, 10, 20} {
		if _, err := r.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[from:]) {
			t.Errorf("from %d: %q, %v", from, got, err)
		}
	}
	if n.ETag() == a.ETag() || n.Size != 20 {
		t.Errorf("%s of %d bytes", n.ETag(), n.Size)
	}
}

// A copy under way is no trash for others to make room of.
func TestCopyUnderPressure(t *testing.T) {
	h := newHouse(t, 1000)
	h.mkdir(h.b, "src")
	for i := range 4 {
		h.mustPut(h.b, fmt.Sprint("src/", i), strings.Repeat("x", 100))
	}
	var c *Copier
	h.update(func(tx *storage.Tx) (err error) {
		tree := h.tree(tx, h.b)
		src, err := h.find(tx, tree, "src")
		if err == nil {
			if c, err = StartCopy(tx, tree, src.ID, tree, h.at()); err == nil {
				_, err = c.Step(tx, 3, h.at())
			}
		}
		return err
	})
	if _, err := h.put(h.b, "large", strings.Repeat("y", 500)); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("a write in the place of a copy: %v", err)
	}
	h.update(func(tx *storage.Tx) error {
		done, err := c.Step(tx, 100, h.at())
		if err == nil && done {
			_, err = c.Finish(tx, Root, "copy", h.at())
		}
		return err
	})
	h.view(func(tx *storage.Tx) {
		if n, err := h.find(tx, h.tree(tx, h.b), "copy/3"); err != nil || n.Size != 100 {
			t.Error(n, err)
		}
	})
}
