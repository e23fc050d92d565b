package files

import (
	"testing"

	"essaim.coop/essaim/storage"
)

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
	if err != nil || !p.Beyond || p.Tree.Account != h.a {
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
