package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

func nameKey(a AccountID, k Kind, name string) []byte {
	return append(append(key32(6, uint32(a)), byte(k)), name...)
}

const maxName = 480 // the engine's keys have 512 bytes

// CreateCollection makes an empty collection; ErrConflict when the account has
// one of that kind and name. Its UIDValidity is greater than that of every
// earlier collection of the account (RFC 9051 §2.3.1.1).
func (tx *Tx) CreateCollection(a AccountID, kind Kind, name string, extra []byte, now time.Time) (*Collection, error) {
	switch {
	case tx.Household(a) == 0:
		return nil, fmt.Errorf("account %d: %w", a, ErrNotFound)
	case len(name) > maxName:
		return nil, fmt.Errorf("name of %d bytes: %w", len(name), ErrInvalid)
	case tx.Get(nameKey(a, kind, name)) != nil:
		return nil, fmt.Errorf("%q: %w", name, ErrConflict)
	}
	m := tx.Bump(a)
	c := &Collection{
		ID: CollectionID(tx.NextID("collection")), Account: a, Kind: kind, Name: name, NextItem: 1,
		UIDValidity: tx.uidValidity(a, now), Created: m, Highest: m, Floor: m - 1, Extra: slices.Clone(extra), stored: name,
	}
	tx.Put(nameKey(a, kind, name), binary.BigEndian.AppendUint32(nil, uint32(c.ID)))
	tx.change(c)
	return c, nil
}

// change marks a header to be written at the end of the transaction.
func (tx *Tx) change(c *Collection) {
	c.dirty = true
	tx.remember(c)
}

// uidValidity is the clock, but always greater than the last one given.
func (tx *Tx) uidValidity(a AccountID, now time.Time) uint32 {
	key := fmt.Appendf([]byte{2}, "uidvalidity %d", a)
	v := uint32(now.Unix())
	if b := tx.Get(key); len(b) == 4 {
		v = max(v, binary.BigEndian.Uint32(b)+1)
	}
	tx.Put(key, binary.BigEndian.AppendUint32(nil, v))
	return v
}

// remember keeps a header for the other callers in this Update.
func (tx *Tx) remember(c *Collection) {
	if tx.w == nil {
		return
	}
	if tx.collections == nil {
		tx.collections = map[CollectionID]*Collection{}
	}
	tx.collections[c.ID] = c
}

// Collection returns a collection's header. Within an Update all callers share
// one, so that what they do to it adds up.
func (tx *Tx) Collection(id CollectionID) (*Collection, error) {
	if c := tx.collections[id]; c != nil {
		return c, nil
	}
	v := tx.Get(key32(5, uint32(id)))
	if v == nil {
		return nil, fmt.Errorf("collection %d: %w", id, ErrNotFound)
	}
	c, err := unmarshalCollection(id, v)
	if err == nil {
		tx.remember(c)
	}
	return c, err
}

// CollectionByName finds an account's collection.
func (tx *Tx) CollectionByName(a AccountID, kind Kind, name string) (*Collection, error) {
	v := tx.Get(nameKey(a, kind, name))
	if len(v) != 4 {
		return nil, fmt.Errorf("%q: %w", name, ErrNotFound)
	}
	return tx.Collection(CollectionID(binary.BigEndian.Uint32(v)))
}

// Collections returns an account's collections of a kind in order of names.
func (tx *Tx) Collections(a AccountID, kind Kind) []*Collection {
	var ids []CollectionID
	tx.ScanPrefix(append(key32(6, uint32(a)), byte(kind)), func(_, v []byte) bool {
		ids = append(ids, CollectionID(binary.BigEndian.Uint32(v)))
		return true
	})
	var out []*Collection
	for _, id := range ids {
		if c, err := tx.Collection(id); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// SaveCollection keeps what was edited in Name and Extra and tells watchers.
// A name that another collection has is ErrConflict.
func (tx *Tx) SaveCollection(c *Collection) error {
	if !tx.writable() {
		return ErrReadOnly
	}
	if c.Name != c.stored {
		if len(c.Name) > maxName {
			return fmt.Errorf("name of %d bytes: %w", len(c.Name), ErrInvalid)
		}
		if tx.Get(nameKey(c.Account, c.Kind, c.Name)) != nil {
			return fmt.Errorf("%q: %w", c.Name, ErrConflict)
		}
		tx.Delete(nameKey(c.Account, c.Kind, c.stored))
		tx.Put(nameKey(c.Account, c.Kind, c.Name), binary.BigEndian.AppendUint32(nil, uint32(c.ID)))
		c.stored = strings.Clone(c.Name)
	}
	tx.Bump(c.Account)
	tx.change(c)
	return nil
}

// DeleteCollection removes an empty collection with its log, rights, properties
// and vacated names.
func (tx *Tx) DeleteCollection(c *Collection) error {
	if c.Count > 0 {
		return fmt.Errorf("collection %d has %d items: %w", c.ID, c.Count, ErrConflict)
	}
	tx.dropACL(c.ID.Object())
	if err := tx.DropProperties(c.ID.Object()); err != nil {
		return err
	}
	for _, prefix := range []byte{8, 0x0f} {
		tx.deletePrefix(key32(prefix, uint32(c.ID)))
	}
	tx.Delete(nameKey(c.Account, c.Kind, c.stored))
	tx.Delete(key32(5, uint32(c.ID)))
	delete(tx.collections, c.ID)
	delete(tx.logs, c.ID)
	tx.Bump(c.Account)
	return nil
}

// deletePrefix deletes every row whose key begins so.
func (tx *Tx) deletePrefix(prefix []byte) {
	var rows [][]byte
	tx.ScanPrefix(prefix, func(rest, _ []byte) bool {
		rows = append(rows, append(slices.Clone(prefix), rest...))
		return true
	})
	for _, k := range rows {
		tx.Delete(k)
	}
}
