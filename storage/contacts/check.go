package contacts

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
)

// Check is the room's storage.CheckHook: every card of every book has its name,
// its UID, its text and its body, and nothing leads to a card that is not there.
func Check(tx *storage.Tx, r *storage.Report) {
	books := map[storage.CollectionID]bool{}
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		for _, b := range List(tx, storage.AccountID(binary.BigEndian.Uint32(rest))) {
			books[b.ID] = true
			b.check(tx, r)
		}
		return true
	})
	for prefix, what := range map[byte]string{'v': "name", 'w': "UID", 'x': "text"} {
		tx.ScanPrefix([]byte{prefix}, func(rest, v []byte) bool {
			b := storage.CollectionID(binary.BigEndian.Uint32(rest))
			if prefix == 'x' {
				v = rest[4:]
			}
			if id, ok := readItem(v); !ok || !books[b] || tx.Item(b, id) == nil {
				r.Problem("book %d: a %s leads to card %x, which is not there", b, what, v)
			}
			return true
		})
	}
}

func (b Book) check(tx *storage.Tx, r *storage.Report) {
	size := propertyBytes(tx, b.ID.Object())
	tx.Items(b.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		c, err := unmarshal(id, v)
		if err != nil {
			r.Problem("book %d: %v", b.ID, err)
			return true
		}
		r.Refers(c.Blob)
		size += c.Size + propertyBytes(tx, storage.Object{Collection: b.ID, Item: id})
		if got, err := Get(tx, b.ID, c.Name); err != nil || got.Item != id {
			r.Problem("book %d: card %d: name %q leads to %d, %v", b.ID, id, c.Name, got.Item, err)
		}
		if got, err := ByUID(tx, b.ID, c.UID); err != nil || got.Item != id {
			r.Problem("book %d: card %d: UID %q leads to %d, %v", b.ID, id, c.UID, got.Item, err)
		}
		row := tx.Get(indexKey(b.ID, id))
		if row == nil || !readable(row) && string(row) != "\x00" {
			r.Problem("book %d: card %d: text %x", b.ID, id, row)
		}
		return true
	})
	if size != b.Bytes {
		r.Problem("book %d: %d bytes, its cards and properties have %d", b.ID, b.Bytes, size)
	}
}

// propertyBytes is what the properties of an object count against the quota.
func propertyBytes(tx *storage.Tx, o storage.Object) (n int64) {
	for _, owner := range append(tx.PropertyOwners(o), 0) {
		tx.Properties(o, owner, func(name string, v []byte) bool { n += int64(len(name) + len(v)); return true })
	}
	return n
}
