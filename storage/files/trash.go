package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

// TrashDays is how long what was deleted can be brought back, unless the room
// is needed. A copy that a crash cut off goes after a day.
const (
	TrashDays = 30
	TrashTime = TrashDays * day
)

// A Trashed is an entry of the trash: the top of what was deleted at once.
type Trashed struct {
	Node
	From   storage.ItemID // the folder it was in
	Path   string         // where that was, for people
	Author storage.AccountID
}

func (t *Tree) trashKey(n Node) []byte {
	k := binary.BigEndian.AppendUint64(t.key('F'), uint64(n.Deleted))
	return binary.BigEndian.AppendUint32(k, uint32(n.ID))
}

// Delete puts a node with all below it into the trash, at the price of the
// depth. An empty file without versions is removed at once, and so is a mount,
// which takes nothing of what it stands for with it; mounts below a folder go
// to the root.
func Delete(tx *storage.Tx, t *Tree, id storage.ItemID, at Attr) error {
	n, err := Get(tx, t, id)
	if err != nil {
		return err
	}
	names, live := Path(tx, t, Root, id)
	if !live || id == Root {
		return fmt.Errorf("node %d: %w", id, storage.ErrInvalid)
	}
	if err := rescueMounts(tx, t, n, at); err != nil {
		return err
	}
	e := t.edit(tx, at.Now.UnixMilli())
	if err := e.leave(n); err != nil {
		return err
	}
	if n.Kind == Mount || n.Kind == File && n.charged() == 0 {
		n.Parent = 0
		err = e.remove(n)
	} else {
		err = e.discard(n, strings.Join(names[:len(names)-1], "/"), at)
	}
	return errors.Join(err, e.done())
}

// discard writes the entry of a node that has left its folder.
func (e *edit) discard(n Node, from string, at Attr) error {
	row := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n.Parent)), uint64(at.By))
	n.Parent, n.Deleted = 0, max(1, e.now)
	e.tx.Put(e.trashKey(n), append(row, from...))
	_, _, err := e.tx.PutItem(e.Collection, n.ID, n.marshal(), 0)
	return err
}

// Trash returns up to most entries in the order they were deleted, those after
// the entry of a time and node; zeros are before the first.
func Trash(tx *storage.Tx, t *Tree, deleted int64, node storage.ItemID, most int) (out []Trashed, err error) {
	from := t.trashKey(Node{ID: node + 1, Deleted: deleted})
	tx.Scan(from, prefixAfter(t.key('F')), false, func(k, v []byte) bool {
		var x Trashed
		if x, err = t.trashed(tx, storage.ItemID(binary.BigEndian.Uint32(k[13:])), v); err == nil && !x.Partial {
			out = append(out, x)
		}
		return err == nil && len(out) < most
	})
	return out, err
}

// TrashEntry returns the entry of a node.
func TrashEntry(tx *storage.Tx, t *Tree, id storage.ItemID) (Trashed, error) {
	n, err := Get(tx, t, id)
	if err != nil {
		return Trashed{}, err
	}
	if n.Deleted == 0 || n.Partial {
		return Trashed{}, fmt.Errorf("node %d in the trash: %w", id, storage.ErrNotFound)
	}
	return t.trashed(tx, id, tx.Get(t.trashKey(n)))
}

func (t *Tree) trashed(tx *storage.Tx, id storage.ItemID, row []byte) (Trashed, error) {
	n, err := Get(tx, t, id)
	r := reader{b: row}
	x := Trashed{Node: n, From: storage.ItemID(r.uint()), Author: storage.AccountID(r.uint())}
	x.Path = string(r.b)
	if r.bad && err == nil {
		err = fmt.Errorf("trash: node %d: %w", id, storage.ErrInvalid)
	}
	return x, err
}

func prefixAfter(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p[:i+1]
		}
	}
	return nil
}

// Restore brings an entry of the trash back to the folder it was in, or to the
// root when that is gone. A name that is taken gets a number.
func Restore(tx *storage.Tx, t *Tree, id storage.ItemID, at Attr) (Node, error) {
	x, err := TrashEntry(tx, t, id)
	if err != nil {
		return x.Node, err
	}
	parent := x.From
	if _, err := t.liveFolder(tx, parent); err != nil {
		parent = Root
	}
	name, err := FreeName(tx, t, parent, x.Name)
	if err != nil {
		return x.Node, err
	}
	return Move(tx, t, id, parent, name, at)
}

// FreeName returns the name, or the first of "name (2).ext", "name (3).ext", …
// that no child of the folder has.
func FreeName(tx *storage.Tx, t *Tree, parent storage.ItemID, name string) (string, error) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if stem == "" {
		stem, ext = name, ""
	}
	free := name
	for i := 2; tx.Get(t.childKey(parent, free)) != nil; i++ {
		if i > 10_000 {
			return "", fmt.Errorf("%q: %w", name, storage.ErrConflict)
		}
		number := fmt.Sprintf(" (%d)", i)
		cut := min(len(stem), max(0, MaxName-len(number)-len(ext)))
		free = strings.ToValidUTF8(stem[:cut], "") + number + ext
	}
	return free, nil
}

// PurgeTrash removes for good what was deleted before a time, at most about
// most nodes and versions; left says that there is more.
func PurgeTrash(tx *storage.Tx, t *Tree, before time.Time, most int) (left bool, err error) {
	e := t.edit(tx, before.UnixMilli())
	e.budget = most
	_, left, err = e.purgeOldest(before.UnixMilli(), before.UnixMilli(), 1<<62)
	return left, errors.Join(err, e.done())
}

// PurgeHidden goes on with what PurgeEntry has left, at most about most nodes
// and versions of it; left says that there is more.
func PurgeHidden(tx *storage.Tx, t *Tree, most int, now time.Time) (left bool, err error) {
	if at, ok := t.oldest(tx); !ok || at > hidden {
		return false, nil
	}
	e := t.edit(tx, now.UnixMilli())
	e.budget = most
	_, left, err = e.purgeOldest(hidden+1, hidden+1, 1<<62)
	return left, errors.Join(err, e.done())
}

// PurgeEntry removes one entry of the trash for good: at most about most nodes
// and versions of it now, and the rest, which nobody sees any more, by
// PurgeHidden or at the next PurgeTrash.
func PurgeEntry(tx *storage.Tx, t *Tree, id storage.ItemID, most int, now time.Time) error {
	n, err := Get(tx, t, id)
	if err != nil {
		return err
	}
	if n.Deleted == 0 {
		return fmt.Errorf("node %d in the trash: %w", id, storage.ErrNotFound)
	}
	e := t.edit(tx, now.UnixMilli())
	e.budget = most
	gone, err := e.purge(id)
	if err == nil && !gone {
		err = e.hide(n)
	}
	return errors.Join(err, e.done())
}

// hidden is when an entry was deleted that is being purged.
const hidden = 1

// hide makes an entry one that nobody sees and whose time is over.
func (e *edit) hide(n Node) error {
	row := e.tx.Get(e.trashKey(n))
	e.tx.Delete(e.trashKey(n))
	n.Partial, n.Deleted = true, hidden
	e.tx.Put(e.trashKey(n), row)
	_, _, err := e.tx.PutItem(e.Collection, n.ID, n.marshal(), 0)
	return err
}

// NextPurge returns when the oldest entry's time is over; ok is false when the
// trash is empty.
func NextPurge(tx *storage.Tx, t *Tree) (at time.Time, ok bool) {
	deleted, ok := t.oldest(tx)
	return time.UnixMilli(deleted).Add(TrashTime), ok
}

func (t *Tree) oldest(tx *storage.Tx) (deleted int64, ok bool) {
	tx.ScanPrefix(t.key('F'), func(rest, _ []byte) bool {
		deleted, ok = int64(binary.BigEndian.Uint64(rest)), true
		return false
	})
	return deleted, ok
}
