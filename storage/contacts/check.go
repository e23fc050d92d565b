package contacts

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// Check is the room's storage.CheckHook: every card of every book has its text,
// and no text leads to a card that is not there; the rest is checked by package
// resource.
func Check(tx *storage.Tx, r *storage.Report) {
	books := map[storage.CollectionID]bool{}
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		for _, b := range List(tx, storage.AccountID(binary.BigEndian.Uint32(rest))) {
			books[b.ID] = true
			b.check(tx, r)
		}
		return true
	})
	tx.ScanPrefix([]byte{'x'}, func(rest, _ []byte) bool {
		b := storage.CollectionID(binary.BigEndian.Uint32(rest))
		if id, ok := resource.ReadItem(rest[4:]); !ok || !books[b] || tx.Item(b, id) == nil {
			r.Problem("book %d: a text leads to card %x, which is not there", b, rest[4:])
		}
		return true
	})
}

func (b Book) check(tx *storage.Tx, r *storage.Report) {
	tx.Items(b.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, _ []byte) bool {
		if _, err := ByItem(tx, b.ID, id); err != nil {
			r.Problem("book %d: %v", b.ID, err)
		}
		row := tx.Get(indexKey(b.ID, id))
		if row == nil || !readable(row) && string(row) != "\x00" {
			r.Problem("book %d: card %d: text %x", b.ID, id, row)
		}
		return true
	})
}
