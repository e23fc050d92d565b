package files

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

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

// A large body has no sum. Every PUT has a tag of its own; the same bytes again
// are no version all the same.
func TestLargeVersions(t *testing.T) {
	h := newHouse(t, 0)
	put := func(c byte) Node {
		w := h.db.Stage()
		w.SumSmall()
		if _, err := w.Write(bytes.Repeat([]byte{c}, blob.MaxSmall+1)); err != nil {
			t.Fatal(err)
		}
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var n Node
		h.now = h.now.Add(time.Hour)
		h.update(func(tx *storage.Tx) (err error) {
			n, _, err = Put(tx, h.tree(tx, h.a), Root, "f", Staged(s, "text/plain"), h.at())
			return err
		})
		return n
	}
	first, again := put('a'), put('a')
	if v := h.versions(first.ID); len(v) != 0 || first.ETag() == again.ETag() || first.SHA256 != nil {
		t.Errorf("%d versions of the same bytes, tags %s, %s", len(v), first.ETag(), again.ETag())
	}
	put('b')
	if v := h.versions(first.ID); len(v) != 1 || v[0].ETag() != again.ETag() {
		t.Errorf("versions %+v", v)
	}
}
