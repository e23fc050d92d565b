package files

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

var start = time.Unix(1_800_000_000, 0)

type house struct {
	t    testing.TB
	db   *storage.DB
	a, b storage.AccountID
	now  time.Time
}

// newHouse has two accounts with trees; the second's household may use quota
// bytes. The whole store is checked at the end.
func newHouse(t testing.TB, quota int64) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, now: start}
	h.update(func(tx *storage.Tx) error {
		h.a, h.b = tx.CreateAccount(tx.CreateHousehold(0)), tx.CreateAccount(tx.CreateHousehold(quota))
		for _, a := range []storage.AccountID{h.a, h.b} {
			if err := Ensure(tx, a, h.now); err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		h.check()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) check() {
	h.t.Helper()
	r, err := h.db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: []storage.CheckHook{Check}})
	if err != nil || !r.Clean() {
		h.t.Errorf("check: %v %q", err, r.Problems)
	}
}

func (h *house) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) at() Attr { return Attr{By: h.a, Now: h.now} }

func (h *house) content(body string) Content {
	h.t.Helper()
	w := h.db.Stage()
	if _, err := io.WriteString(w, body); err != nil {
		h.t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		h.t.Fatal(err)
	}
	return Staged(s, "text/plain")
}

func (h *house) tree(tx *storage.Tx, a storage.AccountID) *Tree {
	h.t.Helper()
	t, err := Open(tx, a)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// find follows a path of a tree.
func (h *house) find(tx *storage.Tx, t *Tree, path string) (Node, error) {
	p, err := Resolve(tx, t, split(path))
	return p.Node, err
}

func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// put writes a file, making no folders.
func (h *house) put(a storage.AccountID, path, body string) (n Node, err error) {
	c := h.content(body)
	err = h.db.Update(func(tx *storage.Tx) error {
		t := h.tree(tx, a)
		dir, name := cut(path)
		parent, err := h.find(tx, t, dir)
		if err == nil {
			n, _, err = Put(tx, t, parent.ID, name, c, h.at())
		}
		return err
	})
	return n, err
}

func cut(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

func (h *house) mustPut(a storage.AccountID, path, body string) Node {
	h.t.Helper()
	n, err := h.put(a, path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) mkdir(a storage.AccountID, path string) (n Node) {
	h.t.Helper()
	h.update(func(tx *storage.Tx) error {
		t := h.tree(tx, a)
		dir, name := cut(path)
		parent, err := h.find(tx, t, dir)
		if err == nil {
			n, err = Mkdir(tx, t, parent.ID, name, h.at())
		}
		return err
	})
	return n
}

func (h *house) read(c Content) string {
	h.t.Helper()
	r, err := c.Open(h.db)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

func (h *house) used(a storage.AccountID) (used int64) {
	_ = h.db.View(func(tx *storage.Tx) error {
		used, _ = tx.Quota(tx.Household(a))
		return nil
	})
	return used
}

func (h *house) view(fn func(*storage.Tx)) {
	h.t.Helper()
	if err := h.db.View(func(tx *storage.Tx) error { fn(tx); return nil }); err != nil {
		h.t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	h := newHouse(t, 0)
	nfd, nfc := "cafe\u0301.txt", "caf\u00e9.txt"
	n := h.mustPut(h.a, nfd, "one")
	h.view(func(tx *storage.Tx) {
		for _, name := range []string{nfd, nfc} {
			if got, err := h.find(tx, h.tree(tx, h.a), name); err != nil || got.ID != n.ID || got.Name != nfd {
				t.Errorf("%q: node %d %q, %v", name, got.ID, got.Name, err)
			}
		}
	})
	if again := h.mustPut(h.a, nfc, "two"); again.ID != n.ID {
		t.Error("the other form of the name is another file")
	}
	lower, upper := h.mustPut(h.a, "stra\u00dfe", ""), h.mustPut(h.a, "STRASSE", "")
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.a)
		if lower.ID == upper.ID || !Clash(tx, tree, lower) || !Clash(tx, tree, upper) || Clash(tx, tree, n) {
			t.Error("names that differ in case only: not two, or not said")
		}
	})
	for _, bad := range []string{".", "..", "a\x00b", "a\xffb", strings.Repeat("x", 256), strings.Repeat("\u0958", 80)} {
		if _, err := h.put(h.a, bad, "x"); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{" ", "a\nb", "con", "a:b?*|", strings.Repeat("x", 255), "..."} {
		if n := h.mustPut(h.a, good, "x"); n.Name != good {
			t.Errorf("%q came back as %q", good, n.Name)
		}
	}
}

// A node keeps its ID when it moves; totals and tags follow it.
func TestMoveIsCheapAndSafe(t *testing.T) {
	h := newHouse(t, 0)
	for _, d := range []string{"a", "a/b", "a/b/c", "z"} {
		h.mkdir(h.a, d)
	}
	f := h.mustPut(h.a, "a/b/c/f.txt", "0123456789")
	var before Totals
	h.view(func(tx *storage.Tx) { before = FolderTotals(tx, h.tree(tx, h.a), Root) })
	move := func(from, parent, name string) error {
		return h.db.Update(func(tx *storage.Tx) error {
			tree := h.tree(tx, h.a)
			n, err := h.find(tx, tree, from)
			if err != nil {
				return err
			}
			p, err := h.find(tx, tree, parent)
			if err == nil {
				_, err = Move(tx, tree, n.ID, p.ID, name, h.at())
			}
			return err
		})
	}
	if err := move("a/b", "z", "y"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][3]string{{"z", "z/y", "q"}, {"z", "z", "q"}, {"", "z", "q"}, {"a", "", "a/b"}, {"a", "z/y/c/f.txt", "x"}, {"a", "", "z"}} {
		if err := move(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("moved %q", bad)
		}
	}
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.a)
		n, err := h.find(tx, tree, "z/y/c/f.txt")
		if err != nil || n.ID != f.ID {
			t.Fatalf("node %d, must be %d: %v", n.ID, f.ID, err)
		}
		after := FolderTotals(tx, tree, Root)
		if after.Bytes != 10 || after.Files != 1 || after.Folders != 4 || FolderTag(tree, Root, after, 1) == FolderTag(tree, Root, before, 1) {
			t.Errorf("totals %+v, before %+v", after, before)
		}
		if a, _ := h.find(tx, tree, "a"); FolderTotals(tx, tree, a.ID).Nodes() != 0 {
			t.Error("the folder it left counts it")
		}
	})
	deep := "z"
	var err error
	for i := 0; i < MaxDepth+2 && err == nil; i++ {
		err = h.db.Update(func(tx *storage.Tx) error {
			tree := h.tree(tx, h.a)
			p, err := h.find(tx, tree, deep)
			if err == nil {
				_, err = Mkdir(tx, tree, p.ID, "d", h.at())
			}
			return err
		})
		deep += "/d"
	}
	if !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("deeper than allowed: %v", err)
	}
	if err := move("z/d", "a", "d"); err != nil {
		t.Errorf("as deep as it was: %v", err)
	}
	if err := move("a/d", "z/y/c", "d"); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("moved deeper than allowed: %v", err)
	}
}

func TestBelow(t *testing.T) {
	h := newHouse(t, 0)
	h.mkdir(h.a, "d")
	h.mustPut(h.a, "d/Résumé 2026.pdf", "x")
	h.mkdir(h.a, "d/e")
	h.mustPut(h.a, "d/e/f", "x")
	h.mustPut(h.a, "resume.txt", "x")
	h.delete(h.a, "resume.txt")
	var got []string
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.a)
		d, err := Child(tx, tree, Root, "d")
		if err != nil {
			t.Fatal(err)
		}
		for after, more := storage.ItemID(0), true; more; {
			looked := 0
			after, more = Below(tx, tree, d.ID, after, 2, func(path []string, n Node) bool {
				got = append(got, strings.Join(path, "/"))
				looked++
				return looked < 2
			})
		}
	})
	if want := []string{"Résumé 2026.pdf", "e", "e/f"}; !slices.Equal(got, want) {
		t.Errorf("found %q, must be %q", got, want)
	}
}
