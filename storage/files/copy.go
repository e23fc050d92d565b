package files

import (
	"errors"
	"fmt"

	"essaim.coop/essaim/storage"
)

// CopyFile makes a copy of a file, with its properties and without its
// versions. No byte is copied; all are counted. ErrConflict when the name is
// taken.
func CopyFile(tx *storage.Tx, from *Tree, file storage.ItemID, to *Tree, parent storage.ItemID, name string, at Attr) (Node, error) {
	src, err := Get(tx, from, file)
	if err != nil {
		return src, err
	}
	if src.Kind != File {
		return src, fmt.Errorf("%q is no file: %w", src.Name, storage.ErrInvalid)
	}
	if at.Modified.IsZero() {
		at.Modified = src.ModTime()
	}
	n, created, err := Put(tx, to, parent, name, src.Content, at)
	if err == nil && !created {
		err = fmt.Errorf("%q: %w", name, storage.ErrConflict)
	}
	if err != nil {
		return n, err
	}
	return n, copyProperties(tx, from, src.ID, to, n.ID)
}

func copyProperties(tx *storage.Tx, from *Tree, a storage.ItemID, to *Tree, b storage.ItemID) error {
	return tx.CopyProperties(storage.Object{Collection: from.ID, Item: a}, storage.Object{Collection: to.ID, Item: b})
}

// A Copier copies a folder with all below it in steps of bounded commits. The
// copy grows where nobody sees it and gets its place at the end, in one commit;
// what a crash leaves of it goes as trash does. Bodies are shared and counted.
// What changes in the source meanwhile may be in the copy or not. Mounts are
// left out.
type Copier struct {
	from, to storage.CollectionID
	top      storage.ItemID
	frames   []copyFrame
	deepest  int
}

// A copyFrame is a folder whose children up to a name are copied.
type copyFrame struct {
	src, dst storage.ItemID
	after    string
}

// StartCopy begins the copy of a folder. ErrQuota when the household has no
// room for all of it.
func StartCopy(tx *storage.Tx, from *Tree, folder storage.ItemID, to *Tree, at Attr) (*Copier, error) {
	src, err := Get(tx, from, folder)
	if err != nil {
		return nil, err
	}
	if src.Kind != Folder {
		return nil, fmt.Errorf("%q is no folder: %w", src.Name, storage.ErrInvalid)
	}
	need := FolderTotals(tx, from, folder).Bytes
	e := to.edit(tx, at.Now.UnixMilli())
	if used, limit := tx.Quota(tx.Household(to.Account)); limit > 0 && used+need > limit {
		if err := e.makeRoom(need); err != nil {
			return nil, err
		}
		if used, _ := tx.Quota(tx.Household(to.Account)); used+need > limit {
			return nil, fmt.Errorf("%d bytes used of %d, copying %d: %w", used, limit, need, storage.ErrQuota)
		}
	}
	if at.Modified.IsZero() {
		at.Modified = src.ModTime()
	}
	top := Node{Kind: Folder, Name: src.Name, Partial: true, Deleted: partialTime(at)}
	if top, err = e.add(0, top, at); err != nil {
		return nil, err
	}
	tx.Put(to.trashKey(top), []byte{0, 0})
	c := &Copier{from: from.ID, to: to.ID, top: top.ID, frames: []copyFrame{{src: folder, dst: top.ID}}}
	return c, errors.Join(copyProperties(tx, from, folder, to, top.ID), e.done())
}

// partialTime makes a copy that was cut off a day old trash.
func partialTime(at Attr) int64 { return max(1, at.Now.Add(day-TrashTime).UnixMilli()) }

// Step copies up to most nodes; done says that all are.
func (c *Copier) Step(tx *storage.Tx, most int, at Attr) (done bool, err error) {
	from, err := ByID(tx, c.from)
	if err != nil {
		return false, err
	}
	to, err := ByID(tx, c.to)
	if err != nil {
		return false, err
	}
	e := to.edit(tx, at.Now.UnixMilli())
	for len(c.frames) > 0 && most > 0 {
		n, err := c.page(e, from, min(most, 100), at)
		if err != nil {
			return false, err
		}
		most -= max(n, 1)
	}
	return len(c.frames) == 0, e.done()
}

// page copies some children of the folder under way.
func (c *Copier) page(e *edit, from *Tree, most int, at Attr) (copied int, err error) {
	f := &c.frames[len(c.frames)-1]
	children, err := List(e.tx, from, f.src, f.after, most)
	if err != nil {
		return 0, err
	}
	if len(children) == 0 {
		c.frames = c.frames[:len(c.frames)-1]
		return 0, nil
	}
	for _, n := range children {
		f.after = n.Name
		if n.Kind == Mount {
			continue
		}
		id, err := c.node(e, from, f.dst, n, at)
		if err != nil {
			return copied, err
		}
		copied++
		if n.Kind == Folder {
			c.frames = append(c.frames, copyFrame{src: n.ID, dst: id})
			if c.deepest = max(c.deepest, len(c.frames)); c.deepest > MaxDepth {
				return copied, fmt.Errorf("more than %d folders deep: %w", MaxDepth, storage.ErrInvalid)
			}
			break
		}
	}
	return copied, nil
}

func (c *Copier) node(e *edit, from *Tree, parent storage.ItemID, src Node, at Attr) (storage.ItemID, error) {
	n := Node{Kind: src.Kind, Name: src.Name, Content: src.Content, By: at.By, Written: e.now}
	at.Modified, at.Created = src.ModTime(), at.Now
	n, err := e.add(parent, n, at)
	if err != nil {
		return 0, err
	}
	return n.ID, copyProperties(e.tx, from, src.ID, e.Tree, n.ID)
}

// Finish gives the complete copy its place.
func (c *Copier) Finish(tx *storage.Tx, parent storage.ItemID, name string, at Attr) (Node, error) {
	to, err := ByID(tx, c.to)
	if err != nil {
		return Node{}, err
	}
	if len(c.frames) > 0 {
		return Node{}, fmt.Errorf("a copy that is not complete: %w", storage.ErrInvalid)
	}
	return Move(tx, to, c.top, parent, name, at)
}

// Abort removes what there is of the copy. It would go after a day by itself.
func (c *Copier) Abort(tx *storage.Tx, at Attr) error {
	to, err := ByID(tx, c.to)
	if err != nil {
		return err
	}
	return PurgeEntry(tx, to, c.top, Batch, at.Now)
}
