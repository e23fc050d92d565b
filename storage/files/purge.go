package files

import (
	"encoding/binary"
	"errors"

	"essaim.coop/essaim/storage"
)

// roomBudget is how many nodes and versions one call removes to make room.
const roomBudget = 2000

// makeRoom frees what the quota lacks for delta more bytes: the trash from its
// oldest entry on, then versions, the oldest of each file first. It does not
// say whether that was enough.
func (e *edit) makeRoom(delta int64) error {
	used, limit := e.tx.Quota(e.tx.Household(e.Account))
	lacking := used + delta - limit
	if delta > limit {
		return storage.ErrQuota // nothing would help
	}
	e.budget = roomBudget
	freed, _, err := e.purgeOldest(1<<62, e.now-TrashTime.Milliseconds(), lacking)
	if err == nil && freed < lacking {
		err = e.purgeVersions(lacking - freed)
	}
	return err
}

// purgeOldest removes entries deleted before a time, and copies under way that
// are older than another, until so many bytes are free or the budget is used
// up; left says that such entries remain.
func (e *edit) purgeOldest(before, partial, enough int64) (freed int64, left bool, err error) {
	start := e.Bytes
	for err == nil {
		id := storage.ItemID(0)
		e.tx.ScanPrefix(e.key('F'), func(rest, _ []byte) bool {
			deleted, x := int64(binary.BigEndian.Uint64(rest)), storage.ItemID(binary.BigEndian.Uint32(rest[8:]))
			if n, err := Get(e.tx, e.Tree, x); err == nil && deleted < before && (!n.Partial || deleted < partial) {
				id = x
			}
			return id == 0 && deleted < before
		})
		freed = start - e.Bytes
		if id == 0 || freed >= enough || e.budget <= 0 {
			return freed, id != 0, nil
		}
		_, err = e.purge(id)
	}
	return freed, true, err
}

// purge removes a node with all below it for good, leaves first, as far as the
// budget reaches.
func (e *edit) purge(id storage.ItemID) (gone bool, err error) {
	stack := []storage.ItemID{id}
	for len(stack) > 0 && e.budget > 0 {
		top := stack[len(stack)-1]
		children, err := List(e.tx, e.Tree, top, "", 100)
		if err != nil {
			return false, err
		}
		if len(children) == 0 {
			n, err := Get(e.tx, e.Tree, top)
			if err == nil {
				err = e.remove(n)
			}
			if err != nil {
				return false, err
			}
			stack = stack[:len(stack)-1]
			continue
		}
		for _, c := range children {
			if c.Kind == Folder {
				stack = append(stack, c.ID)
				break
			}
			if err := e.remove(c); err != nil {
				return false, err
			}
			if e.budget <= 0 {
				break
			}
		}
	}
	return len(stack) == 0, nil
}

// remove deletes a node without children, its versions and its rows.
func (e *edit) remove(n Node) error {
	versions, err := Versions(e.tx, e.Tree, n.ID)
	for _, v := range versions {
		err = errors.Join(err, e.dropVersion(e.tx, &n, v))
	}
	e.budget -= 1 + len(versions)
	n.release(e.tx)
	if n.Deleted != 0 {
		e.tx.Delete(e.trashKey(n))
	}
	s := e.sums[n.ID] // what left it left those above
	delete(e.sums, n.ID)
	if n.Parent != 0 {
		e.unlink(e.tx, n.Parent, n.Name)
		switch n.Kind {
		case File:
			e.below(n.Parent, -n.Size, -1, 0)
		case Folder:
			e.below(n.Parent, s.Bytes, s.Files, s.Folders-1)
		}
	}
	e.tx.Delete(e.key('E', n.ID))
	e.tx.Delete(e.key('H', n.ID))
	_, gone := e.tx.RemoveItem(e.Collection, n.ID, n.charged())
	return errors.Join(err, gone)
}

// purgeVersions removes versions until enough bytes are free.
func (e *edit) purgeVersions(enough int64) error {
	type row struct {
		file storage.ItemID
		seq  storage.ModSeq
	}
	var rows []row
	e.tx.ScanPrefix(e.key('G'), func(rest, b []byte) bool {
		seq := storage.ModSeq(binary.BigEndian.Uint64(rest[4:]))
		if v, err := unmarshalVersion(seq, b); err == nil {
			rows = append(rows, row{storage.ItemID(binary.BigEndian.Uint32(rest)), seq})
			enough -= v.Size
		}
		return enough > 0 && len(rows) < e.budget
	})
	for _, r := range rows {
		if err := DeleteVersion(e.tx, e.Tree, r.file, r.seq); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes an account's whole tree, at most about most nodes of it, as its
// owner leaves; left says that there is more.
func Purge(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error) {
	t, err := Open(tx, a)
	if err != nil {
		return false, nil // there is none
	}
	e := t.edit(tx, 0)
	e.budget = most
	if _, left, err = e.purgeOldest(1<<62, 1<<62, 1<<62); err != nil || left {
		return true, errors.Join(err, e.done())
	}
	gone, err := e.purge(Root)
	if err != nil || !gone {
		return true, errors.Join(err, e.done())
	}
	return false, tx.DeleteCollection(t.Collection)
}

// Freeable returns about how many bytes trash and versions take up, which go
// when room is needed.
func Freeable(tx *storage.Tx, t *Tree) int64 {
	return max(0, t.Bytes-FolderTotals(tx, t, Root).Bytes)
}
