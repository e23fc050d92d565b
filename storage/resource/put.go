package resource

import (
	"fmt"

	"essaim.coop/essaim/storage"
)

// A UIDConflict says that a resource cannot have its UID (no-uid-conflict of RFC
// 4791 §5.3.2.1 and RFC 6352 §6.3.2.1). It is an ErrConflict.
type UIDConflict struct {
	UID  string
	Name string // the resource that has the UID, or that would get another one
}

func (e *UIDConflict) Error() string { return fmt.Sprintf("UID %.80q: held by %q", e.UID, e.Name) }
func (e *UIDConflict) Unwrap() error { return storage.ErrConflict }

// Place finds the resource that a name has, with the tail of its row, Item 0 when
// it is free. ErrInvalid when it is no name, a *UIDConflict when a resource of
// that UID cannot go there.
func Place(tx *storage.Tx, c *storage.Collection, name, uid string) (old Resource, tail []byte, err error) {
	if err := CheckName(name); err != nil {
		return old, nil, err
	}
	if id, ok := ReadItem(tx.Get(nameKey(c.ID, name))); ok {
		if old, tail, err = ByItem(tx, c.ID, id); err == nil && old.UID != uid {
			err = &UIDConflict{uid, name}
		}
		return old, tail, err
	}
	if unique(c) {
		if holder, _, err := ByUID(tx, c.ID, uid); err == nil {
			return old, nil, &UIDConflict{uid, holder.Name}
		}
	}
	return old, nil, nil
}

// Put writes a resource in the place of what Place has found, whose item and time
// of creation it takes over and whose body it releases. Its own body is attached
// already. On an error the transaction must not be committed.
func Put(tx *storage.Tx, c *storage.Collection, r, old *Resource, tail []byte) error {
	if r.Item = old.Item; r.Item != 0 {
		r.Created = old.Created
	}
	id, _, err := tx.PutItem(c, r.Item, r.row(tail), r.Size-old.Size)
	if err != nil {
		return err
	}
	if r.Item != 0 {
		tx.Release(old.Blob)
		return nil
	}
	r.Item = id
	tx.Put(nameKey(c.ID, r.Name), itemValue(id))
	if unique(c) {
		tx.Put(uidKey(c.ID, r.UID), itemValue(id))
	}
	return nil
}

// Touch writes the row of a resource that is there under the same name, and notes
// it as changed.
func Touch(tx *storage.Tx, c *storage.Collection, r *Resource, tail []byte) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	tx.ReplaceItem(c, r.Item, r.row(tail))
	return nil
}

// Rename gives a resource another name in its collection. A *UIDConflict when
// another has that name, as its UID is another.
func Rename(tx *storage.Tx, c *storage.Collection, r *Resource, tail []byte, name string) error {
	if name == r.Name {
		return nil
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if tx.Get(nameKey(c.ID, name)) != nil {
		return &UIDConflict{r.UID, name}
	}
	if err := tx.Vacate(c, r.Item, r.Name); err != nil {
		return err
	}
	tx.Delete(nameKey(c.ID, r.Name))
	r.Name = name
	tx.Put(nameKey(c.ID, name), itemValue(r.Item))
	return Touch(tx, c, r, tail)
}

// Remove takes a resource out of its collection, and releases its body.
func Remove(tx *storage.Tx, c *storage.Collection, r *Resource) error {
	if err := tx.Vacate(c, r.Item, r.Name); err != nil {
		return err
	}
	if _, err := tx.RemoveItem(c, r.Item, r.Size); err != nil {
		return err
	}
	tx.Delete(nameKey(c.ID, r.Name))
	if unique(c) {
		tx.Delete(uidKey(c.ID, r.UID))
	}
	tx.Release(r.Blob)
	return nil
}

// Purge removes up to most resources of collections by the room's remove, and each
// collection by its drop once it is empty; it reports whether something may be
// left.
func Purge(tx *storage.Tx, all []*storage.Collection, most int, remove func(*storage.Collection, storage.ItemID) error, drop func(*storage.Collection) error) (left bool, err error) {
	for _, c := range all {
		var items []storage.ItemID
		tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, _ []byte) bool {
			items = append(items, id)
			return len(items) < most
		})
		for _, id := range items {
			if err := remove(c, id); err != nil {
				return false, err
			}
		}
		if c.Count > 0 {
			return true, nil
		}
		if err := drop(c); err != nil {
			return false, err
		}
		if most -= len(items); most <= 0 {
			return true, nil
		}
	}
	return false, nil
}
