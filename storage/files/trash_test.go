package files

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

func (h *house) delete(a storage.AccountID, path string) Node {
	h.t.Helper()
	var n Node
	h.update(func(tx *storage.Tx) (err error) {
		t := h.tree(tx, a)
		if n, err = h.find(tx, t, path); err == nil {
			err = Delete(tx, t, n.ID, h.at())
		}
		return err
	})
	return n
}

func TestTrash(t *testing.T) {
	h := newHouse(t, 0)
	h.mkdir(h.a, "d")
	h.mustPut(h.a, "d/f.txt", "12345")
	f := h.delete(h.a, "d/f.txt")
	h.mustPut(h.a, "d/f.txt", "another")
	h.now = h.now.Add(time.Minute)
	d := h.delete(h.a, "d")
	var entries []Trashed
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.a)
		entries, _ = Trash(tx, tree, 0, 0, 10)
		if len(entries) != 2 || entries[0].ID != f.ID || entries[0].Path != "d" || entries[1].ID != d.ID {
			t.Fatalf("trash %+v", entries)
		}
		if rest, _ := Trash(tx, tree, entries[0].Deleted, entries[0].ID, 10); len(rest) != 1 {
			t.Errorf("%d entries after the first", len(rest))
		}
		if s := FolderTotals(tx, tree, Root); s.Nodes() != 0 || s.Bytes != 0 {
			t.Errorf("totals %+v", s)
		}
	})
	if h.used(h.a) != 12 {
		t.Errorf("%d bytes used with the trash", h.used(h.a))
	}
	restore := func(id storage.ItemID) (n Node) {
		h.update(func(tx *storage.Tx) (err error) {
			n, err = Restore(tx, h.tree(tx, h.a), id, h.at())
			return err
		})
		return n
	}
	if n := restore(f.ID); n.Parent != Root || n.Name != "f.txt" { // its folder is gone
		t.Errorf("restored to %d %q", n.Parent, n.Name)
	}
	h.delete(h.a, "f.txt")
	restore(d.ID)
	h.update(func(tx *storage.Tx) error { // back into d, where the name is taken
		tree := h.tree(tx, h.a)
		n, err := Move(tx, tree, f.ID, d.ID, "f (2).txt", h.at())
		if err == nil {
			err = Delete(tx, tree, n.ID, h.at())
		}
		return err
	})
	h.mustPut(h.a, "d/f (2).txt", "x")
	if n := restore(f.ID); n.Parent != d.ID || n.Name != "f (2) (2).txt" {
		t.Errorf("restored to %d %q", n.Parent, n.Name)
	}
	h.delete(h.a, "d")
	purge := func(at time.Time) (left bool) {
		h.update(func(tx *storage.Tx) (err error) {
			left, err = PurgeTrash(tx, h.tree(tx, h.a), at.Add(-TrashTime), 2)
			return err
		})
		return left
	}
	if purge(h.now.Add(TrashTime - time.Hour)); h.used(h.a) == 0 {
		t.Error("purged before its time")
	}
	steps := 1
	for purge(h.now.Add(TrashTime + time.Hour)) {
		h.check()
		steps++
	}
	if steps != 2 || h.used(h.a) != 0 {
		t.Errorf("purged in %d steps, %d bytes left", steps, h.used(h.a))
	}
}

// Under the quota's pressure trash goes first, then versions, never a file.
func TestRoomIsMade(t *testing.T) {
	h := newHouse(t, 1000)
	body := func(c string) string { return strings.Repeat(c, 300) }
	h.mustPut(h.b, "deleted", body("d"))
	h.delete(h.b, "deleted")
	n := h.mustPut(h.b, "kept", body("1"))
	h.now = h.now.Add(time.Hour)
	h.mustPut(h.b, "kept", body("2"))
	if h.used(h.b) != 900 {
		t.Fatalf("%d used", h.used(h.b))
	}
	h.mustPut(h.b, "more", body("m"))
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.b)
		if left, _ := Trash(tx, tree, 0, 0, 9); len(left) != 0 {
			t.Error("trash was not made room of")
		}
		if v, _ := Versions(tx, tree, n.ID); len(v) != 1 {
			t.Error("a version went before it had to")
		}
	})
	h.mustPut(h.b, "again", body("a"))
	if _, err := h.put(h.b, "toomuch", body("t")); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("beyond the quota: %v", err)
	}
	h.now = h.now.Add(time.Hour)
	h.mustPut(h.b, "again", strings.Repeat("b", 400)) // only without a version
	if _, err := h.put(h.b, "again", strings.Repeat("c", 1001)); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("beyond the quota: %v", err)
	}
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.b)
		for name, want := range map[string]string{"kept": body("2"), "more": body("m"), "again": strings.Repeat("b", 400)} {
			if n, err := h.find(tx, tree, name); err != nil || h.read(n.Content) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestPurgeTheTree(t *testing.T) {
	h := newHouse(t, 0)
	for i := range 12 {
		h.mkdir(h.b, fmt.Sprint("d", i))
		h.mustPut(h.b, fmt.Sprintf("d%d/f", i), "x")
	}
	h.delete(h.b, "d3")
	for steps, left := 0, true; left; steps++ {
		h.update(func(tx *storage.Tx) (err error) { left, err = Purge(tx, h.b, 5); return err })
		h.check()
		if steps > 20 {
			t.Fatal("no end")
		}
	}
	if h.used(h.b) != 0 {
		t.Errorf("%d bytes used", h.used(h.b))
	}
}
