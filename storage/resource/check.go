package resource

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
)

// kinds are those of collections whose items are resources.
var kinds = []storage.Kind{storage.KindCalendar, storage.KindInbox, storage.KindAddressBook}

// Check is a storage.CheckHook: every resource has its name, its UID and its body,
// the sizes add up, and nothing leads to a resource that is not there.
func Check(tx *storage.Tx, r *storage.Report) {
	ours := map[storage.CollectionID]bool{}
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		for _, k := range kinds {
			for _, c := range tx.Collections(storage.AccountID(binary.BigEndian.Uint32(rest)), k) {
				ours[c.ID] = true
				check(tx, r, c)
			}
		}
		return true
	})
	for prefix, what := range map[byte]string{'q': "name", 'r': "UID"} {
		tx.ScanPrefix([]byte{prefix}, func(rest, v []byte) bool {
			c := storage.CollectionID(binary.BigEndian.Uint32(rest))
			if id, ok := ReadItem(v); !ok || !ours[c] || tx.Item(c, id) == nil {
				r.Problem("collection %d: a %s leads to resource %x, which is not there", c, what, v)
			}
			return true
		})
	}
}

func check(tx *storage.Tx, r *storage.Report, c *storage.Collection) {
	size := propertyBytes(tx, c.ID.Object())
	tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, row []byte) bool {
		x, _, err := parse(id, row)
		if err != nil {
			r.Problem("collection %d: %v", c.ID, err)
			return true
		}
		r.Refers(x.Blob)
		size += x.Size + propertyBytes(tx, storage.Object{Collection: c.ID, Item: id})
		if got, _, err := Get(tx, c.ID, x.Name); err != nil || got.Item != id {
			r.Problem("collection %d: resource %d: name %q leads to %d, %v", c.ID, id, x.Name, got.Item, err)
		}
		if got, _, err := ByUID(tx, c.ID, x.UID); unique(c) && (err != nil || got.Item != id) {
			r.Problem("collection %d: resource %d: UID %q leads to %d, %v", c.ID, id, x.UID, got.Item, err)
		}
		return true
	})
	if size != c.Bytes {
		r.Problem("collection %d: %d bytes, its resources and properties have %d", c.ID, c.Bytes, size)
	}
}

// propertyBytes is what the properties of an object count against the quota.
func propertyBytes(tx *storage.Tx, o storage.Object) (n int64) {
	for _, owner := range append(tx.PropertyOwners(o), 0) {
		tx.Properties(o, owner, func(name string, v []byte) bool { n += int64(len(name) + len(v)); return true })
	}
	return n
}
