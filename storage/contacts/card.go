package contacts

import (
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// A Card is what a book knows of one of its cards without opening it.
type Card struct {
	resource.Resource
	Version vcard.Version
	Group   bool // a group of other cards
}

// The tail of a card's row: the version, with 80 for a group.
func (c *Card) tail() []byte {
	kind := byte(3)
	if c.Version == vcard.V4 {
		kind = 4
	}
	if c.Group {
		kind |= 0x80
	}
	return []byte{kind}
}

// read is the card of a resource that was found.
func read(r resource.Resource, tail []byte, err error) (Card, error) {
	if err != nil {
		return Card{}, err
	}
	if len(tail) != 1 {
		return Card{}, resource.Damaged(r.Item)
	}
	c := Card{Resource: r, Version: vcard.V3, Group: tail[0]&0x80 != 0}
	if tail[0]&0x7f == 4 {
		c.Version = vcard.V4
	}
	return c, nil
}

// Get finds a card by its name.
func Get(tx *storage.Tx, b storage.CollectionID, name string) (Card, error) {
	return read(resource.Get(tx, b, name))
}

// ByItem finds a card by its item.
func ByItem(tx *storage.Tx, b storage.CollectionID, id storage.ItemID) (Card, error) {
	return read(resource.ByItem(tx, b, id))
}

// Scan calls fn with the cards whose names follow after, in order of names,
// until it returns false. fn must not write.
func Scan(tx *storage.Tx, b storage.CollectionID, after string, fn func(Card) bool) error {
	return resource.Scan(tx, b, after, each(fn))
}

// Items is Scan in order of items, of those from one to another, both included.
func Items(tx *storage.Tx, b storage.CollectionID, from, to storage.ItemID, fn func(Card) bool) error {
	return resource.Items(tx, b, from, to, each(fn))
}

func each(fn func(Card) bool) func(resource.Resource, []byte) (bool, error) {
	return func(r resource.Resource, tail []byte) (bool, error) {
		c, err := read(r, tail, nil)
		return err == nil && fn(c), err
	}
}
