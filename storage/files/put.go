package files

import (
	"errors"
	"fmt"

	"essaim.coop/essaim/storage"
)

// MaxExtents is how many extents one file can have.
const MaxExtents = 20_000

// Put makes a file, or gives the one that has the name new content; what it had
// becomes a version (version.go). created tells which. ErrConflict when a
// folder has the name or parent is none, ErrQuota when the household has no
// room; then the transaction must be given up.
func Put(tx *storage.Tx, t *Tree, parent storage.ItemID, name string, c Content, at Attr) (n Node, created bool, err error) {
	if len(c.Extents) > MaxExtents {
		return n, false, fmt.Errorf("file of %d extents: %w", len(c.Extents), storage.ErrInvalid)
	}
	e := t.edit(tx, at.Now.UnixMilli())
	n, err = Child(tx, t, parent, name)
	switch {
	case err == nil && n.Kind != File:
		return n, false, fmt.Errorf("%q is no file: %w", name, storage.ErrConflict)
	case err == nil:
		n, err = e.replace(n, c, at)
	case errors.Is(err, storage.ErrNotFound):
		created = true
		n, err = e.create(parent, Node{Kind: File, Name: name, Content: c, By: at.By, Written: at.Now.UnixMilli()}, at)
	}
	if err != nil {
		return n, false, err
	}
	return n, created, e.done()
}

// Mkdir makes an empty folder; ErrConflict when the name is taken.
func Mkdir(tx *storage.Tx, t *Tree, parent storage.ItemID, name string, at Attr) (Node, error) {
	e := t.edit(tx, at.Now.UnixMilli())
	n, err := e.create(parent, Node{Kind: Folder, Name: name}, at)
	if err != nil {
		return n, err
	}
	return n, e.done()
}

// create adds a node to a live folder.
func (e *edit) create(parent storage.ItemID, n Node, at Attr) (Node, error) {
	if err := CheckName(n.Name); err != nil {
		return n, err
	}
	if _, err := e.liveFolder(e.tx, parent); err != nil {
		return n, err
	}
	if d, err := e.depth(e.tx, parent); err != nil || d >= MaxDepth {
		return n, errors.Join(err, fmt.Errorf("%d folders deep: %w", d+1, storage.ErrInvalid))
	}
	return e.add(parent, n, at)
}

// add writes a new node below parent, which may be in the trash, and links it.
func (e *edit) add(parent storage.ItemID, n Node, at Attr) (Node, error) {
	n.ID, n.Parent = e.NextItem, parent
	n.Created, n.Modified, n.Placed = at.created(), at.modified(), e.tx.Bump(e.Account)
	if err := e.charge(n.Size); err != nil {
		return n, err
	}
	if n.Kind == File {
		n.Rev = n.Placed
		n.attach(e.tx)
	}
	if parent != 0 {
		if err := e.link(e.tx, parent, n.Name, n.ID); err != nil {
			return n, err
		}
		e.moved(parent, n, 1)
	}
	if n.Kind == Folder {
		e.putTotals(e.tx, n.ID, Totals{Changed: n.Placed, Time: e.now})
	}
	_, _, err := e.tx.PutItem(e.Collection, 0, n.marshal(), 0)
	return n, err
}

// attach makes the content the transaction's: a staged body is attached,
// extents that others have get one more reference.
func (c *Content) attach(tx *storage.Tx) {
	if c.staged != nil {
		c.Extents = nil
		if c.Size > 0 {
			c.Extents = []Extent{{tx.Attach(c.staged), 0, c.Size}}
		}
		c.staged = nil
		return
	}
	for _, x := range c.Extents {
		tx.Retain(x.Blob)
	}
}

func (c *Content) release(tx *storage.Tx) {
	for _, x := range c.Extents {
		tx.Release(x.Blob)
	}
}

// replace gives a file new content.
func (e *edit) replace(n Node, c Content, at Attr) (Node, error) {
	keep := e.keeps(n, c, at)
	err := e.charge(c.Size - map[bool]int64{false: n.Size}[keep])
	if keep && errors.Is(err, storage.ErrQuota) {
		keep, err = false, e.charge(c.Size-n.Size) // versions only where there is room
	}
	if err == nil {
		n, err = Get(e.tx, e.Tree, n.ID) // its versions may have made room
	}
	if err != nil {
		return n, err
	}
	m := e.tx.Bump(e.Account)
	e.below(n.Parent, c.Size-n.Size, 0, 0)
	old := n.Content
	c.attach(e.tx) // before the release: both may hold the same bodies
	if keep {
		e.keep(&n, m)
	} else {
		old.release(e.tx)
	}
	n.Content, n.By, n.Written, n.Rev, n.Modified = c, at.By, at.Now.UnixMilli(), m, at.modified()
	if !at.Created.IsZero() {
		n.Created = at.created()
	}
	if err := e.thin(&n, e.now); err != nil {
		return n, err
	}
	_, _, err = e.tx.PutItem(e.Collection, n.ID, n.marshal(), 0)
	return n, err
}

// SetDates changes a node's dates; a zero one stays. A folder has the date until
// something below it changes.
func SetDates(tx *storage.Tx, t *Tree, id storage.ItemID, at Attr) (Node, error) {
	n, err := Get(tx, t, id)
	if err != nil {
		return n, err
	}
	if !at.Modified.IsZero() {
		n.Modified = at.modified()
	}
	if !at.Created.IsZero() {
		n.Created = at.created()
	}
	if err := t.touch(tx, n, at); err != nil || n.Kind != Folder || at.Modified.IsZero() {
		return n, err
	}
	s := FolderTotals(tx, t, id)
	s.Time = n.Modified
	t.putTotals(tx, id, s)
	return n, nil
}

// Touch notes a change of a node that the tree does not know of, as of its
// properties.
func Touch(tx *storage.Tx, t *Tree, id storage.ItemID, at Attr) error {
	n, err := Get(tx, t, id)
	if err != nil {
		return err
	}
	return t.touch(tx, n, at)
}

func (t *Tree) touch(tx *storage.Tx, n Node, at Attr) error {
	if _, _, err := tx.PutItem(t.Collection, n.ID, n.marshal(), 0); err != nil {
		return err
	}
	e := t.edit(tx, at.Now.UnixMilli())
	if n.Kind == Folder {
		e.below(n.ID, 0, 0, 0)
	} else if n.Parent != 0 {
		e.below(n.Parent, 0, 0, 0)
	}
	return e.done()
}

// charge counts bytes against the quota, making room when there is none.
func (e *edit) charge(delta int64) error {
	if delta == 0 {
		return nil
	}
	err := e.tx.Charge(e.Account, delta)
	if errors.Is(err, storage.ErrQuota) {
		if err = e.makeRoom(delta); err == nil {
			err = e.tx.Charge(e.Account, delta)
		}
	}
	if err == nil {
		e.Bytes += delta
	}
	return err
}
