package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"essaim.coop/essaim/storage"
)

// A folder that others share with a member is a mount in the member's own tree:
// a node that he can rename and move without a trace in the owner's. It begins
// at the root, where every client looks first and where those who know other
// servers expect it; a folder "Shared" would be one more level and could not
// be hidden by a member who wants his own order.

// A Share is a folder that is shared with a member.
type Share struct {
	Target storage.Object // Item 0 is the whole tree
	Name   string         // what the mount is called at first
}

func target(o storage.Object) storage.Object {
	if o.Item == 0 {
		o.Item = Root
	}
	return o
}

// MountTarget returns what a mount stands for.
func MountTarget(tx *storage.Tx, t *Tree, mount storage.ItemID) (storage.Object, error) {
	v := tx.Get(t.key('H', mount))
	if len(v) != 8 {
		return storage.Object{}, fmt.Errorf("mount %d: %w", mount, storage.ErrNotFound)
	}
	return readTarget(v), nil
}

func readTarget(v []byte) storage.Object {
	return storage.Object{
		Collection: storage.CollectionID(binary.BigEndian.Uint32(v)), Item: storage.ItemID(binary.BigEndian.Uint32(v[4:]))}
}

// Mounts returns the mounts of a tree with what they stand for.
func Mounts(tx *storage.Tx, t *Tree) map[storage.ItemID]storage.Object {
	out := map[storage.ItemID]storage.Object{}
	tx.ScanPrefix(t.key('H'), func(rest, v []byte) bool {
		out[storage.ItemID(binary.BigEndian.Uint32(rest))] = readTarget(v)
		return true
	})
	return out
}

// Shares returns the folders that others share with a member, who is given by
// his identities, himself first. The trees of his groups are among them. name
// is asked for what a whole tree is called. What is in the trash is left out,
// and what lies below another folder that is shared.
func Shares(tx *storage.Tx, identities []storage.AccountID, name func(storage.AccountID) string) (out []Share) {
	add := func(o storage.Object) {
		t, err := ByID(tx, o.Collection)
		if err != nil || t.Account == identities[0] || slices.ContainsFunc(out, func(s Share) bool { return s.Target == target(o) }) {
			return
		}
		s := Share{target(o), ""}
		if s.Target.Item == Root {
			s.Name = name(t.Account)
		} else if n, err := t.liveFolder(tx, s.Target.Item); err == nil {
			s.Name = n.Name
		}
		if s.Name != "" {
			out = append(out, s)
		}
	}
	for i, a := range identities {
		if t, err := Open(tx, a); i > 0 && err == nil {
			add(t.ID.Object())
		}
		for _, o := range tx.SharedWith(a) {
			add(o)
		}
	}
	all := slices.Clone(out)
	return slices.DeleteFunc(out, func(s Share) bool { return coveredBy(tx, s, all) })
}

func coveredBy(tx *storage.Tx, s Share, by []Share) bool {
	t, err := ByID(tx, s.Target.Collection)
	return err == nil && slices.ContainsFunc(by, func(other Share) bool {
		_, below := Path(tx, t, other.Target.Item, s.Target.Item)
		return below && other.Target.Collection == s.Target.Collection && other.Target.Item != s.Target.Item
	})
}

// Mounted reports whether the mounts of a tree are those of the shares.
func Mounted(tx *storage.Tx, t *Tree, shares []Share) bool {
	have := slices.Collect(maps.Values(Mounts(tx, t)))
	for _, s := range shares {
		if !slices.Contains(have, s.Target) {
			return false
		}
	}
	return len(have) == len(shares)
}

// MountAll makes the mounts that are missing, at the root, and removes those of
// what is shared no longer.
func MountAll(tx *storage.Tx, t *Tree, shares []Share, at Attr) error {
	have := Mounts(tx, t)
	var errs []error
	for id, o := range have {
		if !slices.ContainsFunc(shares, func(s Share) bool { return s.Target == o }) {
			errs = append(errs, Delete(tx, t, id, at))
		}
	}
	targets := slices.Collect(maps.Values(have))
	for _, s := range shares {
		if !slices.Contains(targets, s.Target) {
			errs = append(errs, mount(tx, t, s, at))
		}
	}
	return errors.Join(errs...)
}

func mount(tx *storage.Tx, t *Tree, s Share, at Attr) error {
	name, err := FreeName(tx, t, Root, s.Name)
	if err != nil {
		return err
	}
	e := t.edit(tx, at.Now.UnixMilli())
	n, err := e.create(Root, Node{Kind: Mount, Name: name}, at)
	if err != nil {
		return err
	}
	v := binary.BigEndian.AppendUint32(nil, uint32(s.Target.Collection))
	tx.Touch(storage.Shares)
	tx.Put(t.key('H', n.ID), binary.BigEndian.AppendUint32(v, uint32(s.Target.Item)))
	return e.done()
}

// rescueMounts moves the mounts below a folder that is being deleted to the
// root.
func rescueMounts(tx *storage.Tx, t *Tree, n Node, at Attr) error {
	if n.Kind != Folder {
		return nil
	}
	for id := range Mounts(tx, t) {
		m, err := Get(tx, t, id)
		if err != nil {
			return err
		}
		if _, below := Path(tx, t, n.ID, id); !below {
			continue
		}
		name, err := FreeName(tx, t, Root, m.Name)
		if err == nil {
			_, err = Move(tx, t, id, Root, name, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A Place is where a path leads: a node of the member's own tree, or one of
// another's that a mount on the way stands for.
type Place struct {
	Tree   *Tree
	Node   Node
	Mount  *Node // in the member's own tree, when the path ends at it
	Beyond bool  // a mount is on the way, or at the end of it
}

// Resolve follows a path in a member's tree, through mounts. Names are found in
// whichever form of Unicode they are asked for.
func Resolve(tx *storage.Tx, own *Tree, path []string) (Place, error) {
	root, err := Get(tx, own, Root)
	p := Place{Tree: own, Node: root}
	for _, name := range path {
		if err != nil {
			return p, err
		}
		if p, err = p.child(tx, name); err == nil {
			continue
		}
		return p, err
	}
	return p, err
}

func (p Place) child(tx *storage.Tx, name string) (Place, error) {
	if p.Node.Kind != Folder {
		return p, fmt.Errorf("%q: %w", name, storage.ErrNotFound)
	}
	n, err := Child(tx, p.Tree, p.Node.ID, name)
	if err != nil {
		return p, err
	}
	return p.Enter(tx, n)
}

// Enter is the place of a child of a place; a mount is followed.
func (p Place) Enter(tx *storage.Tx, n Node) (Place, error) {
	out := Place{Tree: p.Tree, Node: n, Beyond: p.Beyond}
	if n.Kind != Mount {
		return out, nil
	}
	if p.Beyond {
		return p, fmt.Errorf("%q: %w", n.Name, storage.ErrNotFound) // another's own mounts are his
	}
	o, err := MountTarget(tx, p.Tree, n.ID)
	if err == nil {
		out.Tree, err = ByID(tx, o.Collection)
	}
	if err == nil {
		out.Node, err = out.Tree.liveFolder(tx, o.Item)
	}
	mount := n // only here n has to last
	out.Mount, out.Beyond = &mount, true
	return out, err
}

// Objects are what rights on a node may be written on: itself, the folders
// above it and its tree.
func Objects(tx *storage.Tx, t *Tree, id storage.ItemID) []storage.Object {
	out := []storage.Object{t.ID.Object()}
	for id != 0 {
		out = append(out, storage.Object{Collection: t.ID, Item: id})
		n, err := Get(tx, t, id)
		if err != nil {
			break
		}
		id = n.Parent
	}
	return out
}
