// Package contacts keeps address books: cards, their identities, and an index
// from which most queries are answered without opening a card.
//
// What it promises: what package resource does of names, UIDs and bytes, and that
// Query rules out no card that a filter selects. The caller opens the
// transaction; nothing here does I/O inside one. Cards are parsed outside, by
// Prepare.
//
// Key schema, beside the resources (one collection per book, its name the last
// segment of its URL; the tail of the rows in card.go):
//
//	'x' collection(4) item(4)    the folded text of a card (index.go)
//
// What people call a book, and its colour, are properties of the collection,
// shared or a member's own.
//
// RFCs: 6352 §5 (address objects and books), §6.3.2.1 (no-uid-conflict), §10.5
// (filters).
package contacts

import (
	"fmt"
	"math"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// DefaultBook is the name of the book that every account starts with.
const DefaultBook = "contacts"

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
	c, err := resource.Create(tx, a, storage.KindAddressBook, name, nil, now)
	return Book{c}, err
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
	_, err := purge(tx, []*storage.Collection{b.Collection}, math.MaxInt)
	return err
}

// Purge removes up to most cards of an account, and its books once they are
// empty; it reports whether something may be left.
func Purge(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error) {
	return purge(tx, tx.Collections(a, storage.KindAddressBook), most)
}

func purge(tx *storage.Tx, all []*storage.Collection, most int) (left bool, err error) {
	remove := func(c *storage.Collection, id storage.ItemID) error {
		k, err := ByItem(tx, c.ID, id)
		if err == nil {
			err = Remove(tx, Book{c}, k)
		}
		return err
	}
	return resource.Purge(tx, all, most, remove, tx.DeleteCollection)
}
