package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Bounds of the properties that one owner keeps on one object.
const (
	MaxProperties    = 100
	MaxPropertyName  = 480      // bytes
	MaxPropertyBytes = 64 << 10 // names and values together
)

// A property is a name and bytes that a client or a room keeps with an object:
// the dead properties of RFC 4918 §4, a calendar's colour. It is shared (owner
// 0) or personal to the account that owns it. Properties count against the
// quota of the collection's household; those of accounts do not.

func propertyPrefix(o Object, owner AccountID) []byte {
	return key32(0x10, uint32(o.Collection), uint32(o.Item), uint32(owner))
}

func propertyKey(o Object, owner AccountID, name string) []byte {
	return append(propertyPrefix(o, owner), name...)
}

func personalKey(owner AccountID, o Object) []byte {
	return key32(0x11, uint32(owner), uint32(o.Collection), uint32(o.Item))
}

// Property returns a property's value, nil when there is none.
func (tx *Tx) Property(o Object, owner AccountID, name string) []byte {
	return tx.Get(propertyKey(o, owner, name))
}

// Properties calls fn with an owner's properties of an object in order of
// names until it returns false.
func (tx *Tx) Properties(o Object, owner AccountID, fn func(name string, value []byte) bool) {
	tx.ScanPrefix(propertyPrefix(o, owner), func(rest, v []byte) bool { return fn(string(rest), v) })
}

// HasProperties reports whether any object of a collection has properties, of
// whomever: mostly none has.
func (tx *Tx) HasProperties(c CollectionID) (has bool) {
	tx.ScanPrefix(key32(0x10, uint32(c)), func(_, _ []byte) bool { has = true; return false })
	return has
}

// SetProperty writes a property; a nil value removes it. The change log of the
// collection is the caller's to touch, as it knows what its readers see.
// ErrNotFound when there is no such object, ErrInvalid beyond the bounds.
func (tx *Tx) SetProperty(o Object, owner AccountID, name string, value []byte) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	if err := tx.hasObject(o); err != nil {
		return err
	}
	count, size, before := 0, len(name)+len(value), 0
	tx.Properties(o, owner, func(n string, v []byte) bool {
		if n == name {
			before = len(n) + len(v)
			return true
		}
		count, size = count+1, size+len(n)+len(v)
		return true
	})
	if value == nil {
		if before > 0 {
			tx.Delete(propertyKey(o, owner, name))
		}
		if count == 0 && owner != 0 {
			tx.Delete(personalKey(owner, o))
		}
		return tx.chargeObject(o, -before)
	}
	if name == "" || len(name) > MaxPropertyName || count >= MaxProperties || size > MaxPropertyBytes {
		return fmt.Errorf("property %.40q of %d bytes beside %d others: %w", name, len(value), count, ErrInvalid)
	}
	if err := tx.chargeObject(o, len(name)+len(value)-before); err != nil {
		return err
	}
	tx.Put(propertyKey(o, owner, name), slices.Clone(value))
	if owner != 0 {
		tx.Put(personalKey(owner, o), []byte{})
	}
	return nil
}

func (tx *Tx) hasObject(o Object) error {
	if o.Collection != 0 {
		_, err := tx.objectCollection(o)
		return err
	}
	if tx.Household(AccountID(o.Item)) == 0 {
		return fmt.Errorf("account %d: %w", o.Item, ErrNotFound)
	}
	return nil
}

// chargeObject counts bytes of properties.
func (tx *Tx) chargeObject(o Object, delta int) error {
	if o.Collection == 0 || delta == 0 {
		return nil
	}
	c, err := tx.Collection(o.Collection)
	if err == nil {
		err = tx.Charge(c.Account, int64(delta))
	}
	if err == nil {
		c.Bytes += int64(delta)
		tx.change(c)
	}
	return err
}

// DropProperties removes every property of an object, of all owners. RemoveItem,
// DeleteCollection and DeleteAccount do so themselves.
func (tx *Tx) DropProperties(o Object) error {
	return tx.dropProperties(o, key32(0x10, uint32(o.Collection), uint32(o.Item)))
}

func (tx *Tx) dropProperties(o Object, prefix []byte) error {
	var keys [][]byte
	size := 0
	tx.ScanPrefix(prefix, func(rest, v []byte) bool {
		k := append(slices.Clone(prefix), rest...)
		keys, size = append(keys, k), size+len(k)-13+len(v)
		return true
	})
	for _, k := range keys {
		tx.Delete(k)
		if owner := AccountID(binary.BigEndian.Uint32(k[9:])); owner != 0 {
			tx.Delete(personalKey(owner, o))
		}
	}
	return tx.chargeObject(o, -size)
}

// CopyProperties gives one object the properties of another in place of its
// own: the shared ones, and those of the owners named.
func (tx *Tx) CopyProperties(from, to Object, owners ...AccountID) error {
	if err := tx.DropProperties(to); err != nil {
		return err
	}
	for _, owner := range append(owners, 0) {
		var names []string
		tx.Properties(from, owner, func(n string, _ []byte) bool { names = append(names, n); return true })
		for _, n := range names {
			if err := tx.SetProperty(to, owner, n, tx.Property(from, owner, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// PropertyOwners returns the accounts with personal properties of an object.
func (tx *Tx) PropertyOwners(o Object) (out []AccountID) {
	tx.ScanPrefix(key32(0x10, uint32(o.Collection), uint32(o.Item)), func(rest, _ []byte) bool {
		owner := AccountID(binary.BigEndian.Uint32(rest))
		if owner != 0 && (len(out) == 0 || out[len(out)-1] != owner) {
			out = append(out, owner)
		}
		return true
	})
	return out
}

// dropOwner removes the personal properties of an account, wherever they are.
func (tx *Tx) dropOwner(owner AccountID) error {
	var on []Object
	tx.ScanPrefix(key32(0x11, uint32(owner)), func(rest, _ []byte) bool {
		on = append(on, readObject(rest))
		return true
	})
	for _, o := range on {
		if err := tx.dropProperties(o, propertyPrefix(o, owner)); err != nil {
			return err
		}
	}
	return nil
}
