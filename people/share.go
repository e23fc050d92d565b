package people

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/mailbox"
)

// What can keep rights from being given, or something from being removed. All
// are storage.ErrConflict.
var (
	ErrInGroup  = fmt.Errorf("who is in the group can write already: %w", storage.ErrConflict)
	ErrStandard = fmt.Errorf("it goes with the group only: %w", storage.ErrConflict)
	ErrNotEmpty = fmt.Errorf("it is not empty: %w", storage.ErrConflict)
)

// Rights in words. Who may write may not remove the thing itself, nor speak for
// it (p); who manages it may everything.
const (
	MayRead   = storage.RightLookup | storage.RightRead | storage.RightSeen
	MayWrite  = MayRead | storage.RightWrite | storage.RightInsert | storage.RightCreate | storage.RightDeleteItems | storage.RightExpunge
	MayManage = storage.OwnerRights
)

// Share makes a mailbox, folder, calendar or address book of a group. Its
// members find it in their programs; nobody else does before being given rights.
// ErrConflict when the group has one of that name.
func Share(tx *storage.Tx, group storage.AccountID, kind ShareKind, name string, by Actor, now time.Time) (Shared, error) {
	g, err := accounts.Get(tx, group)
	if err == nil && !g.Group {
		err = fmt.Errorf("%s is no group: %w", g.Address, storage.ErrNotFound)
	}
	if err != nil {
		return Shared{}, err
	}
	o, err := makeShared(tx, g.ID, kind, strings.TrimSpace(name), by, now)
	if err == nil {
		err = mark(tx, kind, g.ID, o, true)
	}
	if err != nil {
		return Shared{}, err
	}
	s, err := FindShared(tx, o)
	if err != nil {
		return s, err
	}
	return s, by.log(tx, "shared.make", g.ID, s.Name+", "+g.Address, now)
}

func makeShared(tx *storage.Tx, g storage.AccountID, kind ShareKind, name string, by Actor, now time.Time) (o storage.Object, err error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r == '/' || unicode.IsControl(r) }) {
		return o, fmt.Errorf("name %q: %w", name, storage.ErrInvalid)
	}
	switch kind {
	case Mailbox:
		b, err := mailbox.Create(tx, g, name, "", now)
		if err != nil {
			return o, err
		}
		return b.ID.Object(), nil
	case Folder:
		t, err := files.Open(tx, g)
		if err != nil {
			return o, err
		}
		n, err := files.Mkdir(tx, t, files.Root, name, files.Attr{By: by.Account, Now: now})
		return storage.Object{Collection: t.ID, Item: n.ID}, err
	case Calendar, AddressBook:
		return makeCollection(tx, g, kind, name, now)
	}
	return o, fmt.Errorf("kind %.20q: %w", kind, storage.ErrInvalid)
}

// notNames are what CalDAV and CardDAV homes call something else; what begins
// with ~ is a collection of others there.
var notNames = []string{"inbox", "outbox", "directory"}

func makeCollection(tx *storage.Tx, g storage.AccountID, kind ShareKind, name string, now time.Time) (o storage.Object, err error) {
	if strings.HasPrefix(name, "~") || slices.Contains(notNames, name) || name == "." || name == ".." {
		return o, fmt.Errorf("name %q: %w", name, storage.ErrInvalid)
	}
	if kind == Calendar {
		c, err := calendar.Create(tx, g, name, calendar.AllTypes, now)
		if err != nil {
			return o, err
		}
		return c.ID.Object(), nil
	}
	b, err := contacts.Create(tx, g, name, now)
	if err != nil {
		return o, err
	}
	return b.ID.Object(), nil
}

// GiveRights gives an account, or all of another group, rights in place of those
// it had; none takes them. What they are called is for the audit log.
// ErrInGroup for less than MayManage to who is in the group anyway.
func GiveRights(tx *storage.Tx, o storage.Object, to storage.AccountID, r storage.Rights, called string, by Actor, now time.Time) error {
	s, err := FindShared(tx, o)
	if err != nil {
		return err
	}
	a, err := accounts.Get(tx, to)
	if err != nil {
		return err
	}
	if to == s.Group.ID || r != 0 && r != MayManage && slices.Contains(accounts.Identities(tx, to), s.Group.ID) {
		return fmt.Errorf("%s: %w", a.Address, ErrInGroup)
	}
	if err := tx.SetACL(o, to, r); err != nil {
		return err
	}
	if r == 0 && !s.Standard { // it stays in the list
		if err := mark(tx, s.Kind, s.Group.ID, o, true); err != nil {
			return err
		}
	}
	return by.log(tx, "shared.rights", to, a.Address+": "+called+", "+s.Name+", "+s.Group.Address, now)
}

// Unshare removes what a group shares. What is in it has to be wanted gone, too:
// else ErrNotEmpty. ErrStandard for what every group has. A folder goes to the
// group's trash, from which members bring it back; anything else is gone.
func Unshare(tx *storage.Tx, o storage.Object, contents bool, by Actor, now time.Time) error {
	s, err := FindShared(tx, o)
	switch {
	case err != nil:
		return err
	case s.Standard:
		return fmt.Errorf("%s: %w", s.Name, ErrStandard)
	case s.Items > 0 && !contents:
		return fmt.Errorf("%s with %d things: %w", s.Name, s.Items, ErrNotEmpty)
	}
	if err := s.remove(tx, files.Attr{By: by.Account, Now: now}); err != nil {
		return err
	}
	return by.log(tx, "shared.remove", s.Group.ID, s.Name+", "+s.Group.Address, now)
}

func (s Shared) remove(tx *storage.Tx, at files.Attr) error {
	switch s.Kind {
	case Folder:
		t, err := files.Open(tx, s.Group.ID)
		if err != nil {
			return err
		}
		return files.Delete(tx, t, s.Object.Item, at)
	case Calendar:
		c, err := calendar.ByID(tx, s.Object.Collection)
		if err != nil {
			return err
		}
		return calendar.Delete(tx, c)
	case AddressBook:
		b, err := contacts.ByID(tx, s.Object.Collection)
		if err != nil {
			return err
		}
		return contacts.Delete(tx, b)
	}
	boxes, err := mailbox.List(tx, s.Group.ID)
	if err == nil {
		err = mark(tx, s.Kind, s.Group.ID, s.Object, false)
	}
	for _, b := range boxes {
		if err == nil && (b.Name == s.Name || below(b.Name, s.Name)) {
			err = mailbox.Delete(tx, b)
		}
	}
	return err
}
