package storage

import (
	"encoding/binary"
	"fmt"

	"essaim.coop/essaim/storage/blob"
)

// itemKey is the key of an item, valid until that of the next is asked for.
func (tx *Tx) itemKey(c CollectionID, id ItemID) []byte {
	tx.item[0] = 7
	binary.BigEndian.PutUint32(tx.item[1:], uint32(c))
	binary.BigEndian.PutUint32(tx.item[5:], uint32(id))
	return tx.item[:]
}

// Item returns an item's value, nil when there is none.
func (tx *Tx) Item(c CollectionID, id ItemID) []byte { return tx.Get(tx.itemKey(c, id)) }

// Items calls fn with the items from..to, both included, in order, until it
// returns false.
func (tx *Tx) Items(c CollectionID, from, to ItemID, fn func(id ItemID, v []byte) bool) {
	end := key32(7, uint32(c)+1)
	if to != ^ItemID(0) {
		end = key32(7, uint32(c), uint32(to)+1)
	}
	tx.Scan(key32(7, uint32(c), uint32(from)), end, false, func(k, v []byte) bool {
		return fn(ItemID(binary.BigEndian.Uint32(k[5:])), v)
	})
}

// LastItems calls fn with the items from..to backwards.
func (tx *Tx) LastItems(c CollectionID, from, to ItemID, fn func(id ItemID, v []byte) bool) {
	end := key32(7, uint32(c)+1)
	if to != ^ItemID(0) {
		end = key32(7, uint32(c), uint32(to)+1)
	}
	tx.Scan(key32(7, uint32(c), uint32(from)), end, true, func(k, v []byte) bool {
		return fn(ItemID(binary.BigEndian.Uint32(k[5:])), v)
	})
}

// PutItem writes an item; id 0 makes a new one. sizeDelta is what it adds to
// the quota. All items of one collection that a transaction changes share one
// ModSeq and one log row. On ErrQuota nothing was done.
func (tx *Tx) PutItem(c *Collection, id ItemID, v []byte, sizeDelta int64) (ItemID, ModSeq, error) {
	if !tx.writable() {
		return 0, 0, ErrReadOnly
	}
	if c.NextItem == ^ItemID(0) {
		return 0, 0, fmt.Errorf("collection %d has given every item ID: %w", c.ID, ErrInvalid)
	}
	if id != 0 && id < c.NextItem && tx.Item(c.ID, id) == nil {
		return 0, 0, fmt.Errorf("item %d: %w", id, ErrNotFound) // no ID is given twice
	}
	if sizeDelta != 0 {
		if err := tx.Charge(c.Account, sizeDelta); err != nil {
			return 0, 0, err
		}
	}
	isNew := id == 0 || id >= c.NextItem
	if id == 0 {
		id = c.NextItem
	}
	if isNew {
		c.Count++
		c.NextItem = max(c.NextItem, id+1)
	}
	c.Bytes += sizeDelta
	tx.Put(tx.itemKey(c.ID, id), v)
	return id, tx.note(c, id, false), nil
}

// RemoveItem deletes an item of size bytes with its rights and properties and
// leaves a tombstone.
func (tx *Tx) RemoveItem(c *Collection, id ItemID, size int64) (ModSeq, error) {
	if !tx.writable() {
		return 0, ErrReadOnly
	}
	if tx.Item(c.ID, id) == nil {
		return 0, fmt.Errorf("item %d: %w", id, ErrNotFound)
	}
	if c.Kind != KindMailbox { // a message has none
		tx.dropACL(Object{c.ID, id})
		if err := tx.DropProperties(Object{c.ID, id}); err != nil {
			return 0, err
		}
	}
	if err := tx.Charge(c.Account, -size); err != nil {
		return 0, err
	}
	c.Count--
	c.Bytes -= size
	tx.Delete(tx.itemKey(c.ID, id))
	return tx.note(c, id, true), nil
}

func blobKey(id blob.ID) []byte { return binary.BigEndian.AppendUint64([]byte{9}, uint64(id)) }

// Attach makes a staged body part of the transaction, with one reference.
func (tx *Tx) Attach(s *blob.Staged) blob.ID {
	if !tx.writable() {
		return 0
	}
	return tx.w.Attach(s)
}

// Retain adds a reference to a body.
func (tx *Tx) Retain(id blob.ID) {
	tx.Put(blobKey(id), binary.AppendUvarint(nil, uint64(tx.References(id)+1)))
}

// References returns how many references a living body has.
func (tx *Tx) References(id blob.ID) uint32 {
	n, m := binary.Uvarint(tx.Get(blobKey(id)))
	if m <= 0 {
		return 1
	}
	return uint32(n)
}

// Release drops a reference and returns how many remain. At none the body goes.
func (tx *Tx) Release(id blob.ID) uint32 {
	if !tx.writable() {
		return 0
	}
	n := tx.References(id) - 1
	switch n {
	case 0:
		tx.w.Free(id)
	case 1:
		tx.Delete(blobKey(id))
	default:
		tx.Put(blobKey(id), binary.AppendUvarint(nil, uint64(n)))
	}
	return n
}

// ReplaceItem is PutItem for an item that is known to be there and whose size
// does not change.
func (tx *Tx) ReplaceItem(c *Collection, id ItemID, v []byte) ModSeq {
	tx.Put(tx.itemKey(c.ID, id), v)
	return tx.note(c, id, false)
}
