// Package contacts keeps address books: cards, their identities, and an index
// from which most queries are answered without opening a card.
//
// What it promises: a card's bytes come back exactly; within a book a name and
// a UID lead to one card each; a card's entity tag changes exactly when its
// bytes do; a card removed or renamed leaves its old name for those who follow
// the change log. The caller opens the transaction; nothing here does I/O
// inside one. Cards are parsed outside, by Prepare.
//
// Key schema, beside the floor's collections (one per book, its name the last
// segment of its URL) and items (one per card, see card.go):
//
//	'v' collection(4) name       item(4): the card of that name
//	'w' collection(4) hash(16)   item(4): the card whose UID has that hash
//	'x' collection(4) item(4)    the folded text of a card (index.go)
//
// What people call a book, and its colour, are properties of the collection,
// shared or a member's own.
//
// RFCs: 6352 §5 (address objects and books), §6.3.2.1 (no-uid-conflict), §10.5
// (filters).
package contacts

import (
	"encoding/binary"
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
)

const (
	// DefaultBook is the name of the book that every account starts with.
	DefaultBook = "contacts"
	// MaxBooks is how many books one account can have.
	MaxBooks = 200
	// MaxName is the longest name of a card or a book, in bytes.
	MaxName = 400
)

// A Book is a collection of cards.
type Book struct{ *storage.Collection }

func asBook(c *storage.Collection) (Book, error) {
	if c.Kind != storage.KindAddressBook {
		return Book{}, fmt.Errorf("collection %d is no address book: %w", c.ID, storage.ErrNotFound)
	}
	return Book{c}, nil
}

// Ensure makes the book every account starts with, if it has none.
func Ensure(tx *storage.Tx, a storage.AccountID, now time.Time) error {
	if len(tx.Collections(a, storage.KindAddressBook)) > 0 {
		return nil
	}
	_, err := Create(tx, a, DefaultBook, now)
	return err
}

// Create makes an empty book. ErrConflict when the account has one of that
// name, ErrQuota when it has too many.
func Create(tx *storage.Tx, a storage.AccountID, name string, now time.Time) (Book, error) {
	if err := checkName(name); err != nil {
		return Book{}, err
	}
	if len(tx.Collections(a, storage.KindAddressBook)) >= MaxBooks {
		return Book{}, fmt.Errorf("%d address books: %w", MaxBooks, storage.ErrQuota)
	}
	c, err := tx.CreateCollection(a, storage.KindAddressBook, name, nil, now)
	return Book{c}, err
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("name of %d bytes: %w", len(name), storage.ErrInvalid)
	}
	return nil
}

// Open finds an account's book by its name, ByID any.
func Open(tx *storage.Tx, a storage.AccountID, name string) (Book, error) {
	c, err := tx.CollectionByName(a, storage.KindAddressBook, name)
	if err != nil {
		return Book{}, err
	}
	return asBook(c)
}

func ByID(tx *storage.Tx, id storage.CollectionID) (Book, error) {
	c, err := tx.Collection(id)
	if err != nil {
		return Book{}, err
	}
	return asBook(c)
}

// List returns an account's books in order of their names.
func List(tx *storage.Tx, a storage.AccountID) (out []Book) {
	for _, c := range tx.Collections(a, storage.KindAddressBook) {
		out = append(out, Book{c})
	}
	return out
}

// Delete removes a book with its cards.
func Delete(tx *storage.Tx, b Book) error {
	for {
		left, err := b.empty(tx, 1000)
		if err != nil {
			return err
		}
		if !left {
			return tx.DeleteCollection(b.Collection)
		}
	}
}

// Purge removes up to most cards of an account, and its books once they are
// empty; it reports whether something is left.
func Purge(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error) {
	for _, b := range List(tx, a) {
		before := b.Count
		if left, err = b.empty(tx, most); left || err != nil {
			return left, err
		}
		if err := tx.DeleteCollection(b.Collection); err != nil {
			return false, err
		}
		if most -= int(before); most <= 0 {
			return true, nil
		}
	}
	return false, nil
}

// empty removes up to most cards.
func (b Book) empty(tx *storage.Tx, most int) (left bool, err error) {
	var cards []Card
	b.scanItems(tx, func(c Card) bool {
		cards = append(cards, c)
		return len(cards) < most
	})
	for _, c := range cards {
		if err := Remove(tx, b, c); err != nil {
			return false, err
		}
	}
	return b.Count > 0, nil
}

func key(prefix byte, c storage.CollectionID, rest string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{prefix}, uint32(c)), rest...)
}

func readItem(v []byte) (storage.ItemID, bool) {
	if len(v) != 4 {
		return 0, false
	}
	return storage.ItemID(binary.BigEndian.Uint32(v)), true
}

func itemValue(id storage.ItemID) []byte { return binary.BigEndian.AppendUint32(nil, uint32(id)) }
