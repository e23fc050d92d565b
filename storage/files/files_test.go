package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

func (h *house) versions(id storage.ItemID) (out []Version) {
	h.t.Helper()
	h.view(func(tx *storage.Tx) {
		var err error
		if out, err = Versions(tx, h.tree(tx, h.a), id); err != nil {
			h.t.Fatal(err)
		}
	})
	return out
}

func TestVersions(t *testing.T) {
	h := newHouse(t, 0)
	n := h.mustPut(h.a, "f", "") // as the Finder and Windows begin
	h.mustPut(h.a, "f", "first")
	if v := h.versions(n.ID); len(v) != 0 {
		t.Fatalf("an empty file left %d versions", len(v))
	}
	for i := range 4 { // a program that saves every minute
		h.now = h.now.Add(time.Minute)
		h.mustPut(h.a, "f", fmt.Sprint("minute ", i))
	}
	if v := h.versions(n.ID); len(v) != 0 {
		t.Fatalf("%d versions within five minutes of its author", len(v))
	}
	h.now = h.now.Add(time.Hour)
	h.mustPut(h.a, "f", "an hour later")
	h.now = h.now.Add(time.Second)
	h.mustPut(h.a, "f", "a second later")
	v := h.versions(n.ID)
	if len(v) != 1 || h.read(v[0].Content) != "minute 3" {
		t.Fatalf("versions %+v", v)
	}
	h.update(func(tx *storage.Tx) error {
		_, err := RestoreVersion(tx, h.tree(tx, h.a), n.ID, v[0].Seq, Attr{By: h.b, Now: h.now})
		return err
	})
	h.view(func(tx *storage.Tx) {
		got, err := h.find(tx, h.tree(tx, h.a), "f")
		if err != nil || got.Versions != 2 || h.read(got.Content) != "minute 3" || got.By != h.b {
			t.Errorf("restored: %+v, %v", got, err)
		}
	})
	v = h.versions(n.ID)
	h.update(func(tx *storage.Tx) error { return DeleteVersion(tx, h.tree(tx, h.a), n.ID, v[0].Seq) })
	if want := int64(len("minute 3") + len("a second later")); h.used(h.a) != want {
		t.Errorf("%d bytes used, must be %d", h.used(h.a), want)
	}
}

func TestVersionsAreThinnedByAge(t *testing.T) {
	h := newHouse(t, 0)
	n := h.mustPut(h.a, "f", "x")
	for i := range 24 * 60 { // every hour for sixty days
		h.now = h.now.Add(time.Hour)
		h.mustPut(h.a, "f", fmt.Sprint("hour ", i))
	}
	v := h.versions(n.ID)
	if len(v) < 24+28 || len(v) > 24+31+6 {
		t.Errorf("%d versions of sixty days", len(v))
	}
	if age := h.now.Sub(time.UnixMilli(v[0].Replaced)); age < 50*day {
		t.Errorf("the oldest is of %v ago", age)
	}
}

// A program saves by writing a new file and moving it over the old one.
func TestReplaceKeepsTheDocument(t *testing.T) {
	h := newHouse(t, 0)
	doc := h.mustPut(h.a, "doc", "old text")
	h.now = h.now.Add(time.Hour)
	tmp := h.mustPut(h.a, "doc.tmp", "new text")
	h.update(func(tx *storage.Tx) error {
		_, err := Replace(tx, h.tree(tx, h.a), tmp.ID, doc.ID, h.at())
		return err
	})
	h.view(func(tx *storage.Tx) {
		tree := h.tree(tx, h.a)
		n, err := h.find(tx, tree, "doc")
		if err != nil || n.ID != doc.ID || n.Versions != 1 || h.read(n.Content) != "new text" {
			t.Errorf("%+v, %v", n, err)
		}
		if _, err := h.find(tx, tree, "doc.tmp"); err == nil {
			t.Error("the new file is still there")
		}
	})
	if h.used(h.a) != 16 {
		t.Errorf("%d bytes used", h.used(h.a))
	}
}

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

func TestMounts(t *testing.T) {
	h := newHouse(t, 0)
	shared, inner := h.mkdir(h.a, "Photos"), h.mkdir(h.a, "Photos/2026")
	h.mustPut(h.a, "Photos/2026/x", "x")
	h.mkdir(h.b, "Photos")
	h.mkdir(h.b, "mine")
	name := func(storage.AccountID) string { return "The garden" }
	reconcile := func() (shares []Share) {
		h.update(func(tx *storage.Tx) error {
			shares = Shares(tx, []storage.AccountID{h.b}, name)
			return MountAll(tx, h.tree(tx, h.b), shares, h.at())
		})
		return shares
	}
	give := func(id storage.ItemID, r storage.Rights) {
		h.update(func(tx *storage.Tx) error {
			return tx.SetACL(storage.Object{Collection: h.tree(tx, h.a).ID, Item: id}, h.b, r)
		})
	}
	give(shared.ID, storage.RightRead)
	give(inner.ID, storage.RightRead|storage.RightWrite)
	if s := reconcile(); len(s) != 1 { // the inner one is within the other
		t.Fatalf("shares %+v", s)
	}
	var m *Node
	look := func(path string) (p Place, err error) {
		h.view(func(tx *storage.Tx) { p, err = Resolve(tx, h.tree(tx, h.b), split(path)) })
		return p, err
	}
	p, err := look("Photos (2)/2026/x")
	if err != nil || !p.Beyond || p.Tree.Account != h.a || p.Base != shared.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = look("Photos (2)"); err != nil || p.Mount == nil || p.Node.ID != shared.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	m = p.Mount
	h.update(func(tx *storage.Tx) error { // the member's own order
		tree := h.tree(tx, h.b)
		mine, err := h.find(tx, tree, "mine")
		if err == nil {
			_, err = Move(tx, tree, m.ID, mine.ID, "Pictures", h.at())
		}
		return err
	})
	reconcile()
	if p, err = look("mine/Pictures/2026/x"); err != nil || h.read(p.Node.Content) != "x" {
		t.Errorf("after a move: %v", err)
	}
	h.delete(h.b, "mine")
	if _, err = look("Pictures/2026"); err != nil {
		t.Errorf("the mount went with the folder it was in: %v", err)
	}
	h.view(func(tx *storage.Tx) {
		n, _ := Get(tx, h.tree(tx, h.a), inner.ID)
		if got := Objects(tx, h.tree(tx, h.a), n.ID); len(got) != 4 {
			t.Errorf("rights may be written on %v", got)
		}
	})
	give(shared.ID, 0)
	if s := reconcile(); len(s) != 1 || s[0].Target.Item != inner.ID {
		t.Errorf("shares %+v", s)
	}
	give(inner.ID, 0)
	reconcile()
	h.view(func(tx *storage.Tx) {
		if left := Mounts(tx, h.tree(tx, h.b)); len(left) != 0 || !Mounted(tx, h.tree(tx, h.b), nil) {
			t.Errorf("mounts left: %v", left)
		}
	})
}

func TestSearch(t *testing.T) {
	h := newHouse(t, 0)
	h.mkdir(h.a, "d")
	h.mustPut(h.a, "d/Résumé 2026.pdf", "x")
	h.mustPut(h.a, "resume.txt", "x")
	h.delete(h.a, "resume.txt")
	var got []string
	h.view(func(tx *storage.Tx) {
		Search(tx, h.tree(tx, h.a), Root, "re\u0301sum", 0, func(path []string, n Node) bool {
			got = append(got, strings.Join(path, "/"))
			return true
		})
	})
	if len(got) != 1 || got[0] != "d/Résumé 2026.pdf" {
		t.Errorf("found %q", got)
	}
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

// Two people who save in the same moment both find their text again.
func TestVersionsOfOneMoment(t *testing.T) {
	h := newHouse(t, 0)
	n := h.mustPut(h.a, "f", "0")
	for i := range 4 {
		c, by := h.content(fmt.Sprint(i+1)), []storage.AccountID{h.b, h.a}[i%2]
		h.update(func(tx *storage.Tx) error {
			_, _, err := Put(tx, h.tree(tx, h.a), Root, "f", c, Attr{By: by, Now: h.now})
			return err
		})
	}
	if v := h.versions(n.ID); len(v) != 4 {
		t.Errorf("%d versions", len(v))
	}
}
