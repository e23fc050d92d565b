package contacts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/resource"
)

// An Incoming is a card that was read and found good, ready to be put.
type Incoming struct {
	body  *blob.Staged
	card  Card   // what the text says
	index []byte // see index.go
}

// Prepare reads a staged body, outside any transaction. Refused with an error
// of package vcard are what is no card, a version other than 3.0 and 4.0, what
// is too large, and a card without UID (RFC 6352 §5.1).
func Prepare(body *blob.Staged) (*Incoming, error) {
	if body.Size > vcard.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", vcard.ErrTooLarge, body.Size)
	}
	raw, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	c, err := vcard.Parse(raw)
	switch {
	case err != nil:
		return nil, err
	case c.Version != vcard.V3 && c.Version != vcard.V4:
		return nil, fmt.Errorf("%w: %s", vcard.ErrVersion, c.Version)
	case c.UID() == "":
		return nil, fmt.Errorf("%w: no UID", vcard.ErrSyntax)
	}
	card := Card{Resource: resource.Of(body, strings.Clone(c.UID())), Version: c.Version, Group: c.IsGroup()}
	return &Incoming{body: body, card: card, index: appendIndex(nil, c)}, nil
}

// A UIDConflict says that a card cannot have its UID.
type UIDConflict = resource.UIDConflict

// Put makes the card of a name, or replaces it. A *UIDConflict when another
// card of the book has its UID, or the card of that name has another UID. The
// same bytes again change nothing. On an error the transaction must not be
// committed.
func Put(tx *storage.Tx, b Book, name string, in *Incoming, now time.Time) (Card, error) {
	old, err := place(tx, b, name, in.card.UID)
	if err != nil {
		return Card{}, err
	}
	if old.Item != 0 && old.Same(&in.card.Resource) {
		return old, nil // nothing for others to learn
	}
	c := in.card
	c.Name, c.Created, c.Modified = name, now.Unix(), now.Unix()
	c.Blob = tx.Attach(in.body)
	if err := c.put(tx, b, &old, in.index); err != nil {
		return Card{}, err
	}
	return c, nil
}

// place finds the card that a name has, Item 0 when it is free for another.
func place(tx *storage.Tx, b Book, name, uid string) (Card, error) {
	old, tail, err := resource.Place(tx, b.Collection, name, uid)
	if err != nil || old.Item == 0 {
		return Card{}, err
	}
	return read(old, tail, nil)
}

// put writes a card's rows in the place of old.
func (c *Card) put(tx *storage.Tx, b Book, old *Card, index []byte) error {
	if err := resource.Put(tx, b.Collection, &c.Resource, &old.Resource, c.tail()); err != nil {
		return err
	}
	tx.Put(indexKey(b.ID, c.Item), index)
	return nil
}

// Remove takes a card out of its book.
func Remove(tx *storage.Tx, b Book, c Card) error {
	tx.Delete(indexKey(b.ID, c.Item))
	return resource.Remove(tx, b.Collection, &c.Resource)
}

// Touch notes a card as changed, as its properties are.
func Touch(tx *storage.Tx, b Book, c Card) error {
	return resource.Touch(tx, b.Collection, &c.Resource, c.tail())
}

// Copy puts a card into another book. A card of the same UID that has the name
// there is replaced; see Put for the conflicts.
func Copy(tx *storage.Tx, from Book, c Card, to Book, name string, now time.Time) (Card, error) {
	old, err := place(tx, to, name, c.UID)
	if err == nil && old.Item != 0 {
		err = Remove(tx, to, old)
	}
	if err != nil {
		return Card{}, err
	}
	n := c
	n.Name, n.Created, n.Modified = name, now.Unix(), now.Unix()
	tx.Retain(c.Blob)
	if err := n.put(tx, to, &Card{}, slices.Clone(tx.Get(indexKey(from.ID, c.Item)))); err != nil {
		return Card{}, err
	}
	return n, tx.CopyProperties(storage.Object{Collection: from.ID, Item: c.Item}, storage.Object{Collection: to.ID, Item: n.Item})
}

// Move puts a card into another book or renames it; see Copy.
func Move(tx *storage.Tx, from Book, c Card, to Book, name string, now time.Time) (Card, error) {
	if from.ID == to.ID {
		err := resource.Rename(tx, from.Collection, &c.Resource, c.tail(), name)
		return c, err
	}
	n, err := Copy(tx, from, c, to, name, now)
	if err != nil {
		return Card{}, err
	}
	n.Created, n.Modified = c.Created, c.Modified
	if err := Touch(tx, to, n); err != nil {
		return Card{}, err
	}
	return n, Remove(tx, from, c)
}
