package files

import (
	"errors"
	"fmt"
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
