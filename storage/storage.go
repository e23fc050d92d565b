// Package storage is the floor that every room stands on: accounts own
// collections, collections hold items, and every change can be found again.
//
// What it promises: an Update happens entirely or not at all and is durable
// when it returns; a View sees only what is durable. Every change to an
// account takes the account's next ModSeq and is in the change log of its
// collection until the log's floor passes it; a removed item leaves a
// tombstone there. Quota is counted per household in the transaction that
// changes it. Watchers are nudged after the commit, and then read the log.
//
// Functions given to Update and View do no I/O, ask no clock and write to no
// network. Values handed out are valid until the function returns.
//
// Key schema; integers are big-endian, values are in codec.go:
//
//	01 name                     a fact about the store: schema, upgrade, epoch, clean, scrub, backups
//	02 name                     a sequence: the last number given
//	03 household(4)             quota and use, in bytes
//	04 account(4)               household, highest ModSeq
//	05 collection(4)            the collection's header
//	06 account(4) kind(1) name  the collection of that name
//	07 collection(4) item(4)    an item
//	08 collection(4) modseq(8)  items changed and removed at that ModSeq
//	09 blob(8)                  references to a body; no row is one reference
//	0a collection(4) item(4) account(4)
//	                            rights of an account on an object, 2 bytes (acl.go)
//	0b account(4) collection(4) item(4)
//	                            nothing: the object is shared with the account
//	0c name 00 account(4)       a cursor: the last ModSeq its owner has seen
//	0d time(8) hash(32)         nothing: a delivery not to be repeated (guard.go)
//	0f collection(4) item(4) modseq(8)
//	                            names the item left at that ModSeq (vacated.go)
//	10 collection(4) item(4) owner(4) name
//	                            a property of an object (property.go)
//	11 owner(4) collection(4) item(4)
//	                            nothing: the owner has properties on the object
//
// Prefixes from 20 on belong to the rooms above: 'a'-'h', 'A' and 'B' accounts,
// 'm'-'p' mailbox, 'K'-'M' locks, 'Q' and 'R' the queue, 'S'-'V' signin,
// 'X'-'Z' audit, 'I', 'J' and 'N' register, 'q' and 'r' resource,
// 's'-'u', 'j', 'y' and 'z' calendar, 'x' contacts, 'C'-'H' files.
package storage

import "errors"

type (
	AccountID    uint32
	CollectionID uint32 // unique in the store
	ItemID       uint32 // unique in its collection, never given twice
	HouseholdID  uint32
	// A ModSeq is a point in the history of one account.
	ModSeq uint64
)

// A Kind says what the items of a collection are.
type Kind uint8

const (
	KindMailbox Kind = 1 + iota
	KindFolder
	KindCalendar
	KindAddressBook
	KindInbox // of scheduling messages (RFC 6638 §2.2)
)

// The vocabulary of errors. Rooms wrap them; each door has one table that
// turns them into its dialect, and what matches none is an internal error.
var (
	ErrNotFound   = errors.New("not found")
	ErrConflict   = errors.New("exists already or has changed")
	ErrQuota      = errors.New("over quota")
	ErrPermission = errors.New("not permitted")
	ErrInvalid    = errors.New("invalid")
	ErrTemporary  = errors.New("temporarily unavailable")
	ErrReadOnly   = errors.New("read-only transaction")
	ErrFloor      = errors.New("the change log does not reach back that far")
	ErrFull       = errors.New("no space left on the disk")
)

// A Collection is the header of a mailbox, folder, calendar or address book.
// Name and Extra are edited and saved with Tx.SaveCollection; the rest is the
// floor's.
type Collection struct {
	ID          CollectionID
	Account     AccountID
	Kind        Kind
	Name        string
	UIDValidity uint32
	NextItem    ItemID // the next new item's ID
	Count       uint32 // items
	Bytes       int64  // what the items count against the quota
	Created     ModSeq
	Highest     ModSeq // of the last change
	Floor       ModSeq // the log knows every change after this
	LogRows     uint32
	Extra       []byte // the noun's own header

	stored string // the name it is indexed under
	dirty  bool
}

// A Range is a run of item IDs, both ends included.
type Range struct{ From, To ItemID }

// Changes are what happened to a collection since a ModSeq. An item that was
// changed and then removed is only in Removed.
type Changes struct {
	Changed, Removed []Range
	To               ModSeq
}
