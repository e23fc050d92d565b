package storage

import (
	"fmt"
	"strings"
)

// Rights are what an account may do with an Object: the letters of RFC 4314
// §2.1, the common ground of every protocol. On a folder, a calendar or an
// address book they say:
//
//	l  see that it is there; of a calendar also when its owner is busy
//	r  read items
//	s  keep a state of one's own on items
//	w  change items and properties
//	i  add items
//	p  send to it; of a calendar, invite it
//	k  make collections or folders in it
//	x  delete the object itself
//	t  delete items
//	e  remove deleted items for good
//	a  see and change who has rights
type Rights uint16

const (
	RightLookup Rights = 1 << iota
	RightRead
	RightSeen
	RightWrite
	RightInsert
	RightPost
	RightCreate
	RightDeleteCollection
	RightDeleteItems
	RightExpunge
	RightAdminister

	rightsEnd
)

const (
	// OwnerRights are all of them: what an account has on what is its own.
	OwnerRights = rightsEnd - 1
	// GroupRights are what a member of a group has on the group's collections.
	GroupRights = OwnerRights &^ RightAdminister
)

const rightLetters = "lrswipkxtea" // in the order of the constants

// Has reports whether all of want are among r.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Union returns what is in r or in s.
func (r Rights) Union(s Rights) Rights { return r | s }

// String writes the letters in the order of RFC 4314 §2.1.
func (r Rights) String() string {
	var b strings.Builder
	for i, letter := range rightLetters {
		if r&(1<<i) != 0 {
			b.WriteRune(letter)
		}
	}
	return b.String()
}

// ParseRights reads letters, in any order and also the two of older clients: c
// is k and x, d is t and e (RFC 4314 §2.1.1). Others are ErrInvalid.
func ParseRights(s string) (r Rights, err error) {
	for _, letter := range s {
		i := strings.IndexRune(rightLetters, letter)
		switch {
		case i >= 0:
			r |= 1 << i
		case letter == 'c':
			r |= RightCreate | RightDeleteCollection
		case letter == 'd':
			r |= RightDeleteItems | RightExpunge
		default:
			return 0, fmt.Errorf("right %q: %w", letter, ErrInvalid)
		}
	}
	return r, nil
}
