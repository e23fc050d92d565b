package files

import (
	"encoding/binary"
	"errors"
	"fmt"

	"essaim.coop/essaim/storage"
)

// Move gives a node another place or name, at the price of the depth, whatever
// is below it. From the trash it restores. ErrConflict when the name is taken,
// ErrInvalid when a folder would go into itself or deeper than MaxDepth.
func Move(tx *storage.Tx, t *Tree, id, parent storage.ItemID, name string, at Attr) (Node, error) {
	n, err := Get(tx, t, id)
	if err != nil {
		return n, err
	}
	if err := t.mayMove(tx, n, parent, name); err != nil {
		return n, err
	}
	e := t.edit(tx, at.Now.UnixMilli())
	if err := e.leave(n); err != nil {
		return n, err
	}
	if err := t.link(tx, parent, name, id); err != nil {
		return n, err
	}
	n.Parent, n.Name, n.Placed, n.Deleted, n.Partial = parent, name, tx.Bump(t.Account), 0, false
	if _, _, err := tx.PutItem(t.Collection, id, n.marshal(), 0); err != nil {
		return n, err
	}
	e.moved(parent, n, 1)
	return n, e.done()
}

func (t *Tree) mayMove(tx *storage.Tx, n Node, parent storage.ItemID, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if _, err := t.liveFolder(tx, parent); err != nil {
		return err
	}
	if n.ID == Root {
		return fmt.Errorf("the root: %w", storage.ErrInvalid)
	}
	if _, inside := Path(tx, t, n.ID, parent); inside {
		return fmt.Errorf("%q into itself: %w", n.Name, storage.ErrInvalid)
	}
	d, err := t.depth(tx, parent)
	if err == nil && d+1+t.height(tx, n, MaxDepth-d) > MaxDepth {
		err = fmt.Errorf("more than %d folders deep: %w", MaxDepth, storage.ErrInvalid)
	}
	return err
}

// heightRows is how many names are looked at to find out how deep a folder is.
// One that is larger, and may have been too deep once, counts as too deep.
const heightRows = 20_000

// height is how many levels are below a node, or more than enough, beyond which
// it does not look. Nearly all folders have never been deep enough to be looked
// into.
func (t *Tree) height(tx *storage.Tx, n Node, enough int) int {
	if n.Kind != Folder {
		return 0
	}
	s := FolderTotals(tx, t, n.ID)
	if most := min(s.Deep, s.Folders+1, s.Nodes()); most <= int64(enough) {
		return int(most)
	}
	level, deep, rows := []storage.ItemID{n.ID}, 0, heightRows
	for deep <= enough {
		var next []storage.ItemID
		found := false
		for _, id := range level {
			tx.ScanPrefix(t.key('C', id), func(_, v []byte) bool {
				found = true
				if child := storage.ItemID(binary.BigEndian.Uint32(v)); tx.Get(t.key('E', child)) != nil {
					next = append(next, child)
				}
				rows--
				return rows > 0
			})
		}
		if rows <= 0 {
			return enough + 1
		}
		if !found {
			break
		}
		level, deep = next, deep+1
	}
	return deep
}

// leave takes a node out of its folder, or out of the trash.
func (e *edit) leave(n Node) error {
	if n.Kind != File {
		e.tx.Touch(storage.Shares)
	}
	if n.Deleted != 0 {
		e.tx.Delete(e.trashKey(n))
		return nil
	}
	e.unlink(e.tx, n.Parent, n.Name)
	e.moved(n.Parent, n, -1)
	return e.vacate(n)
}

// vacate leaves a note of the place that a node had, for Changes.
func (e *edit) vacate(n Node) error {
	place := append(binary.BigEndian.AppendUint32(nil, uint32(n.Parent)), byte(n.Kind))
	return e.tx.Vacate(e.Collection, n.ID, string(place)+n.Name)
}

// Replace moves a file onto another one, whose node it becomes: the document
// keeps its ID, its rights and its history, and what it held becomes a version.
// This is how programs save: they write a new file and move it over the old.
func Replace(tx *storage.Tx, t *Tree, id, onto storage.ItemID, at Attr) (Node, error) {
	src, err := Get(tx, t, id)
	if err != nil {
		return src, err
	}
	dst, err := Get(tx, t, onto)
	if err != nil {
		return dst, err
	}
	if src.Kind != File || dst.Kind != File || id == onto || dst.Parent == 0 {
		return src, fmt.Errorf("%q onto %q: %w", src.Name, dst.Name, storage.ErrInvalid)
	}
	e := t.edit(tx, at.Now.UnixMilli())
	if at.Modified.IsZero() {
		at.Modified = src.ModTime()
	}
	// The bytes are the same before and after but for what becomes a version.
	if err := tx.Charge(t.Account, -src.Size); err != nil {
		return src, err
	}
	t.Bytes -= src.Size
	dst, err = e.replace(dst, src.Content, at)
	if err != nil {
		return dst, err
	}
	if src, err = Get(tx, t, id); err != nil { // its versions may have made room
		return dst, err
	}
	if err := e.adoptVersions(&dst, src); err != nil {
		return dst, err
	}
	if _, _, err := tx.PutItem(t.Collection, dst.ID, dst.marshal(), 0); err != nil {
		return dst, err
	}
	err = e.leave(src)
	src.release(tx)
	_, gone := tx.RemoveItem(t.Collection, src.ID, 0)
	return dst, errors.Join(err, gone, e.done())
}
