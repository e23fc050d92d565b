package storage

import (
	"encoding/binary"
	"fmt"
)

// An Object is what rights, properties and locks are on: an item or, with Item
// 0, a whole collection.
type Object struct {
	Collection CollectionID
	Item       ItemID
}

// Object is the whole collection.
func (id CollectionID) Object() Object { return Object{Collection: id} }

// AccountObject stands for an account itself; it has properties and no rights.
func AccountObject(a AccountID) Object { return Object{Item: ItemID(a)} }

// An ACE gives an account rights. An account that is a group stands for its
// members.
type ACE struct {
	Account AccountID
	Rights  Rights
}

// MaxACL is how many entries one object can have.
const MaxACL = 1000

func aclKey(o Object, a AccountID) []byte {
	return key32(0x0a, uint32(o.Collection), uint32(o.Item), uint32(a))
}

func sharedKey(a AccountID, o Object) []byte {
	return key32(0x0b, uint32(a), uint32(o.Collection), uint32(o.Item))
}

func readObject(b []byte) Object {
	return Object{CollectionID(binary.BigEndian.Uint32(b)), ItemID(binary.BigEndian.Uint32(b[4:]))}
}

// ACL returns the entries on the object itself, in order of accounts. What it
// inherits is its room's to know.
func (tx *Tx) ACL(o Object) (out []ACE) {
	tx.ScanPrefix(key32(0x0a, uint32(o.Collection), uint32(o.Item)), func(rest, v []byte) bool {
		out = append(out, ACE{AccountID(binary.BigEndian.Uint32(rest)), readRights(v)})
		return true
	})
	return out
}

// RightsOf returns the entry of one account on the object itself.
func (tx *Tx) RightsOf(o Object, a AccountID) Rights { return readRights(tx.Get(aclKey(o, a))) }

func readRights(v []byte) Rights {
	if len(v) != 2 {
		return 0
	}
	return Rights(binary.BigEndian.Uint16(v))
}

// SetACL gives an account rights on an object in place of those it had; none
// takes the entry away. The watchers of the owner and of the account hear of
// it. ErrNotFound when there is no such object or account; ErrInvalid for a
// single message, and for more than MaxACL entries.
func (tx *Tx) SetACL(o Object, a AccountID, r Rights) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	c, err := tx.objectCollection(o)
	if err != nil {
		return err
	}
	if r == 0 {
		tx.dropACE(o, a)
	} else if err := tx.putACE(o, a, r); err != nil {
		return err
	}
	tx.Touch(Shares)
	tx.Bump(c.Account)
	if tx.Household(a) != 0 {
		tx.Bump(a)
	}
	return nil
}

func (tx *Tx) putACE(o Object, a AccountID, r Rights) error {
	switch {
	case r&^OwnerRights != 0:
		return fmt.Errorf("rights %#x: %w", uint16(r), ErrInvalid)
	case tx.Household(a) == 0:
		return fmt.Errorf("account %d: %w", a, ErrNotFound)
	case tx.RightsOf(o, a) == 0 && len(tx.ACL(o)) >= MaxACL:
		return fmt.Errorf("more than %d entries: %w", MaxACL, ErrInvalid)
	}
	tx.Put(aclKey(o, a), binary.BigEndian.AppendUint16(nil, uint16(r)))
	tx.Put(sharedKey(a, o), []byte{})
	return nil
}

func (tx *Tx) dropACE(o Object, a AccountID) {
	tx.Delete(aclKey(o, a))
	tx.Delete(sharedKey(a, o))
}

// objectCollection returns the header of the collection an object is or is in.
// A message is no object: it has no rights or properties apart from its mailbox.
func (tx *Tx) objectCollection(o Object) (*Collection, error) {
	c, err := tx.Collection(o.Collection)
	switch {
	case err != nil || o.Item == 0:
		return c, err
	case c.Kind == KindMailbox:
		return nil, fmt.Errorf("a single message: %w", ErrInvalid)
	case tx.Item(o.Collection, o.Item) == nil:
		return nil, fmt.Errorf("item %d: %w", o.Item, ErrNotFound)
	}
	return c, nil
}

// SharedWith returns the objects that an account has an entry on, in order.
// Those of the groups it is in are not among them.
func (tx *Tx) SharedWith(a AccountID) (out []Object) {
	tx.ScanPrefix(key32(0x0b, uint32(a)), func(rest, _ []byte) bool {
		out = append(out, readObject(rest))
		return true
	})
	return out
}

// SharedItems returns the items of a collection that have entries of their own,
// in order; 0 is the whole collection.
func (tx *Tx) SharedItems(c CollectionID) (out []ItemID) {
	tx.ScanPrefix(key32(0x0a, uint32(c)), func(rest, _ []byte) bool {
		if id := ItemID(binary.BigEndian.Uint32(rest)); len(out) == 0 || out[len(out)-1] != id {
			out = append(out, id)
		}
		return true
	})
	return out
}

// dropACL takes every entry of an object away.
func (tx *Tx) dropACL(o Object) {
	for _, e := range tx.ACL(o) {
		tx.Touch(Shares)
		tx.dropACE(o, e.Account)
		tx.Bump(e.Account)
	}
}
