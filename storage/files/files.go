// Package files keeps each account's tree of folders and files, with the
// versions of what was replaced and the trash of what was deleted.
//
// What it promises: a file's bytes come back exactly, and so does its name. A
// node keeps its ID when it is renamed or moved. Looking a name up, adding,
// moving and deleting cost the depth of the tree, whatever its size; only
// copying and purging cost the number of nodes, and are cut into bounded
// steps. Every byte of content, versions and trash is charged to the
// household in the same transaction; when that is refused, trash goes first,
// oldest first, then versions. A folder's totals and tag cover everything
// below it.
//
// Names are kept as given. Two names that are the same text in Unicode (equal
// in NFC) are one name; names that differ in case only are two, and such nodes
// say so (Clash). The caller opens the transaction; nothing here does I/O.
//
// Key schema, beside the floor's collections (KindFolder, one per account) and
// items (one per node, see node.go; item 1 is the root):
//
//	'C' tree(4) parent(4) name           node(4): the children of a folder, by NFC name
//	'D' tree(4) parent(4) hash(8)        how many children have names equal without case
//	'E' tree(4) folder(4)                totals of what is below (totals.go)
//	'F' tree(4) deleted(8) node(4)       an entry of the trash (trash.go)
//	'G' tree(4) node(4) modseq(8)        a version that was replaced at modseq (version.go)
//	'H' tree(4) node(4)                  the target of a mount: tree(4) node(4)
//
// Dates are milliseconds since 1970.
package files

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"essaim.coop/essaim/storage"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// Root is the node of every tree's top folder.
	Root storage.ItemID = 1
	// MaxName is the longest name in bytes, as given and in NFC.
	MaxName = 255
	// MaxDepth is how many folders deep a tree can be.
	MaxDepth = 100
	// Batch is how many nodes one commit of a copy or a purge handles.
	Batch = 100

	treeName = "files"
)

// A Tree is an account's collection of folders and files.
type Tree struct{ *storage.Collection }

// An Attr says who makes a change, when, and what dates the node gets; zero
// dates are those of the change.
type Attr struct {
	By                storage.AccountID
	Now               time.Time
	Modified, Created time.Time
}

func (a Attr) modified() int64 { return millis(a.Modified, a.Now) }
func (a Attr) created() int64  { return millis(a.Created, a.Now) }

func millis(t, otherwise time.Time) int64 {
	if t.IsZero() {
		t = otherwise
	}
	return max(0, t.UnixMilli())
}

// Ensure makes an account's tree when there is none.
func Ensure(tx *storage.Tx, a storage.AccountID, now time.Time) error {
	if _, err := Open(tx, a); err == nil {
		return nil
	}
	c, err := tx.CreateCollection(a, storage.KindFolder, treeName, nil, now)
	if err != nil {
		return err
	}
	t := &Tree{c}
	tx.Touch(storage.Shares)
	root := Node{ID: Root, Kind: Folder, Created: now.UnixMilli(), Modified: now.UnixMilli(), Placed: c.Created}
	if _, _, err := tx.PutItem(c, Root, root.marshal(), 0); err != nil {
		return err
	}
	t.putTotals(tx, Root, Totals{Changed: c.Created, Time: now.UnixMilli()})
	return nil
}

// Open returns an account's tree; ErrNotFound when it has none yet.
func Open(tx *storage.Tx, a storage.AccountID) (*Tree, error) {
	c, err := tx.CollectionByName(a, storage.KindFolder, treeName)
	if err != nil {
		return nil, err
	}
	return &Tree{c}, nil
}

// ByID returns the tree that is a collection.
func ByID(tx *storage.Tx, id storage.CollectionID) (*Tree, error) {
	c, err := tx.Collection(id)
	if err != nil {
		return nil, err
	}
	if c.Kind != storage.KindFolder {
		return nil, fmt.Errorf("collection %d is no tree of files: %w", id, storage.ErrNotFound)
	}
	return &Tree{c}, nil
}

// CheckName refuses what no folder can hold: "", ".", "..", names with a slash
// or a NUL, of more than MaxName bytes, or that are not UTF-8.
func CheckName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("name %q: %w", name, storage.ErrInvalid)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not UTF-8: %w", name, storage.ErrInvalid)
	case len(name) > MaxName, len(norm.NFC.String(name)) > MaxName:
		return fmt.Errorf("name of %d bytes, at most %d: %w", len(name), MaxName, storage.ErrInvalid)
	}
	return nil
}

func (t *Tree) key(prefix byte, ids ...storage.ItemID) []byte {
	k := binary.BigEndian.AppendUint32(append(make([]byte, 0, 48), prefix), uint32(t.ID))
	for _, id := range ids {
		k = binary.BigEndian.AppendUint32(k, uint32(id))
	}
	return k
}

func (t *Tree) childKey(parent storage.ItemID, name string) []byte {
	return append(t.key('C', parent), norm.NFC.String(name)...)
}

var folder = cases.Fold()

// fold is what a name is without regard to case.
func fold(name string) string { return norm.NFC.String(folder.String(norm.NFC.String(name))) }

func (t *Tree) caseKey(parent storage.ItemID, name string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(fold(name)))
	return h.Sum(t.key('D', parent))
}

// link enters a name into its folder; ErrConflict when it is taken.
func (t *Tree) link(tx *storage.Tx, parent storage.ItemID, name string, id storage.ItemID) error {
	k := t.childKey(parent, name)
	if tx.Get(k) != nil {
		return fmt.Errorf("%q: %w", name, storage.ErrConflict)
	}
	tx.Put(k, binary.BigEndian.AppendUint32(nil, uint32(id)))
	t.countCase(tx, parent, name, 1)
	return nil
}

func (t *Tree) unlink(tx *storage.Tx, parent storage.ItemID, name string) {
	tx.Delete(t.childKey(parent, name))
	t.countCase(tx, parent, name, -1)
}

func (t *Tree) countCase(tx *storage.Tx, parent storage.ItemID, name string, delta int) {
	k := t.caseKey(parent, name)
	n, _ := binary.Uvarint(tx.Get(k))
	if n = uint64(int(n) + delta); n == 0 {
		tx.Delete(k)
		return
	}
	tx.Put(k, binary.AppendUvarint(nil, n))
}

// Clash reports whether a sibling's name differs from the node's in case only:
// on the disks of Windows and macOS the two would be one.
func Clash(tx *storage.Tx, t *Tree, n Node) bool {
	count, _ := binary.Uvarint(tx.Get(t.caseKey(n.Parent, n.Name)))
	return count > 1
}

// Get returns a node.
func Get(tx *storage.Tx, t *Tree, id storage.ItemID) (Node, error) {
	v := tx.Item(t.ID, id)
	if v == nil {
		return Node{}, fmt.Errorf("node %d: %w", id, storage.ErrNotFound)
	}
	return unmarshalNode(id, v)
}

// Child finds a node by its name in a folder.
func Child(tx *storage.Tx, t *Tree, parent storage.ItemID, name string) (Node, error) {
	v := tx.Get(t.childKey(parent, name))
	if len(v) != 4 || name == "" {
		return Node{}, fmt.Errorf("%q: %w", name, storage.ErrNotFound)
	}
	return Get(tx, t, storage.ItemID(binary.BigEndian.Uint32(v)))
}

// List returns up to most children of a folder in the order of their NFC names,
// those after the name after.
func List(tx *storage.Tx, t *Tree, parent storage.ItemID, after string, most int) (out []Node, err error) {
	from := t.childKey(parent, after)
	if after != "" {
		from = append(from, 0) // names hold no NUL
	}
	var ids []storage.ItemID
	tx.Scan(from, t.key('C', parent+1), false, func(_, v []byte) bool {
		ids = append(ids, storage.ItemID(binary.BigEndian.Uint32(v)))
		return len(ids) < most
	})
	return t.nodes(tx, ids)
}

// nodes returns the nodes of some IDs in their order. Those that came at about
// the same time, as the files of a folder mostly do, are together in the store,
// and are read in one go.
func (t *Tree) nodes(tx *storage.Tx, ids []storage.ItemID) (out []Node, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out = make([]Node, len(ids))
	if first, last := slices.Min(ids), slices.Max(ids); last-first < storage.ItemID(4*len(ids)) {
		at := make([]int, last-first+1) // where in out, from 1
		for i, id := range ids {
			at[id-first] = i + 1
		}
		tx.Items(t.ID, first, last, func(id storage.ItemID, v []byte) bool {
			if i := at[id-first]; i > 0 {
				out[i-1], err = unmarshalNode(id, v)
			}
			return err == nil
		})
	}
	for i, id := range ids {
		if out[i].ID == 0 && err == nil {
			out[i], err = Get(tx, t, id)
		}
	}
	return out, err
}

// Path returns the names from below a folder down to a node, or false when the
// node is not below it, as in the trash.
func Path(tx *storage.Tx, t *Tree, below, id storage.ItemID) (path []string, ok bool) {
	for id != below {
		n, err := Get(tx, t, id)
		if err != nil || n.Parent == 0 {
			return nil, false
		}
		path, id = append(path, n.Name), n.Parent
	}
	slices.Reverse(path)
	return path, true
}

// depth returns how many folders above a node there are, up to its top.
func (t *Tree) depth(tx *storage.Tx, id storage.ItemID) (int, error) {
	for d := 0; ; d++ {
		n, err := Get(tx, t, id)
		if err != nil || n.Parent == 0 {
			return d, err
		}
		id = n.Parent
	}
}

// liveFolder returns a folder that something may be put into.
func (t *Tree) liveFolder(tx *storage.Tx, id storage.ItemID) (Node, error) {
	n, err := Get(tx, t, id)
	if err != nil {
		return n, err
	}
	if n.Kind != Folder {
		return n, fmt.Errorf("%q is no folder: %w", n.Name, storage.ErrConflict)
	}
	if _, live := Path(tx, t, Root, id); !live {
		return n, fmt.Errorf("%q is in the trash: %w", n.Name, storage.ErrNotFound)
	}
	return n, nil
}
