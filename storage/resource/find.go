package resource

import (
	"fmt"

	"essaim.coop/essaim/storage"
)

// Get finds a resource by its name, and the tail of its row, which is good until
// the next write.
func Get(tx *storage.Tx, c storage.CollectionID, name string) (Resource, []byte, error) {
	if len(name) <= MaxName {
		if id, ok := ReadItem(tx.Get(nameKey(c, name))); ok {
			return ByItem(tx, c, id)
		}
	}
	return Resource{}, nil, fmt.Errorf("resource %.80q: %w", name, storage.ErrNotFound)
}

// ByItem finds a resource by its item.
func ByItem(tx *storage.Tx, c storage.CollectionID, id storage.ItemID) (Resource, []byte, error) {
	row := tx.Item(c, id)
	if row == nil {
		return Resource{}, nil, fmt.Errorf("resource %d: %w", id, storage.ErrNotFound)
	}
	return parse(id, row)
}

// ByUID finds a resource by the UID it has within a collection.
func ByUID(tx *storage.Tx, c storage.CollectionID, uid string) (Resource, []byte, error) {
	if id, ok := ReadItem(tx.Get(uidKey(c, uid))); ok {
		return ByItem(tx, c, id)
	}
	return Resource{}, nil, fmt.Errorf("UID %.80q: %w", uid, storage.ErrNotFound)
}

// Scan calls fn with the resources whose names follow after, in order of names,
// until it returns false or an error. fn must not write.
func Scan(tx *storage.Tx, c storage.CollectionID, after string, fn func(Resource, []byte) (bool, error)) error {
	from := nameKey(c, after)
	if after != "" {
		from = append(from, 0)
	}
	var err error
	tx.Scan(from, Key('q', c+1), false, func(_, v []byte) (more bool) {
		id, _ := ReadItem(v)
		r, tail, e := ByItem(tx, c, id)
		if err = e; err == nil {
			more, err = fn(r, tail)
		}
		return more && err == nil
	})
	return err
}

// Items is Scan in order of items, of those from one to another, both included.
func Items(tx *storage.Tx, c storage.CollectionID, from, to storage.ItemID, fn func(Resource, []byte) (bool, error)) error {
	var err error
	tx.Items(c, from, to, func(id storage.ItemID, row []byte) (more bool) {
		r, tail, e := parse(id, row)
		if err = e; err == nil {
			more, err = fn(r, tail)
		}
		return more && err == nil
	})
	return err
}
