// Package calendar keeps calendars: events, to-dos and journal entries, their
// identities, and an index by time from which a query opens few of them.
//
// What it promises: what package resource does of names, UIDs and bytes; a schedule
// tag changes exactly when somebody but the server changes an object (RFC 6638
// §3.2.10). Query gives every object that can have something in a time range,
// recurring without end included, and few others. The caller opens the
// transaction; nothing here does I/O inside one. Objects are parsed outside, by
// Prepare.
//
// Key schema, beside the resources (one collection per calendar, its name the last
// segment of its URL, its header in Extra; the tail of the rows in object.go):
//
//	's' calendar(4) type(1) month(2) item(4) first, last: it may have something in that month
//	't' calendar(4) type(1) item(4)         first, last: it may in more months than are listed
//	'u' calendar(4)                         the time zone, a VTIMEZONE in a VCALENDAR
//	'j' calendar(4) item(4)                 due(8) since(8): when to look at its e-mail alarms (alarm.go)
//	'z' due(8) calendar(4) item(4)          nothing: the same by deadline, in seconds since 1970
//	'y' change(8)                           a Change whose scheduling is to be done (change.go)
//
// An account's scheduling inbox is a calendar of messages (inbox.go), kept apart.
//
// What people call a calendar, its colour and order, and whether it counts as busy
// are properties of the collection, shared or a member's own. Alarms that a member
// sets in the object of somebody else are a property of the item, of that member's
// own (personal.go); such a member has another entity tag.
//
// RFCs: 4791 §4 and §5.2 (calendars), §5.3.2.1 (what a calendar refuses), 6638
// §2.2 (inbox) and §3.2.10 (Schedule-Tag), 7809 (time zones by name).
package calendar

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

const (
	// DefaultCalendar is the name of the calendar that every account starts with.
	DefaultCalendar = "calendar"
	// MaxZone is the longest text of a time zone, in bytes.
	MaxZone = 32 << 10
)

// A Types is a set of component types.
type Types uint8

const (
	Event Types = 1 << iota
	Todo
	Journal
	FreeBusy
	Availability

	// AllTypes are those that a calendar can have.
	AllTypes = Event | Todo | Journal | FreeBusy | Availability
)

var typeNames = []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

// TypeOf is the type of a component, 0 of others.
func TypeOf(name string) Types {
	if i := slices.Index(typeNames, name); i >= 0 {
		return 1 << i
	}
	return 0
}

// Names are those of the components in the set.
func (t Types) Names() (out []string) {
	for i, n := range typeNames {
		if t&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// A Calendar is a collection of calendar objects.
type Calendar struct{ *storage.Collection }

// The header: format (1), component types (1), the name of the time zone.
const headerFormat = 1

func asCalendar(c *storage.Collection) (Calendar, error) {
	if c.Kind != storage.KindCalendar && c.Kind != storage.KindInbox || len(c.Extra) < 2 || c.Extra[0] != headerFormat {
		return Calendar{}, fmt.Errorf("collection %d is no calendar: %w", c.ID, storage.ErrNotFound)
	}
	return Calendar{c}, nil
}

// Types are the component types that the calendar takes.
func (c Calendar) Types() Types { return Types(c.Extra[1]) }

// ZoneName is the name of the calendar's time zone, "" when it has none.
func (c Calendar) ZoneName() string { return string(c.Extra[2:]) }

// Ensure makes the calendar every account starts with, if it has none, and its
// inbox.
func Ensure(tx *storage.Tx, a storage.AccountID, now time.Time) error {
	if _, err := Inbox(tx, a); errors.Is(err, storage.ErrNotFound) {
		if _, err := tx.CreateCollection(a, storage.KindInbox, inboxName, []byte{headerFormat, byte(AllTypes)}, now); err != nil {
			return err
		}
	}
	if len(tx.Collections(a, storage.KindCalendar)) > 0 {
		return nil
	}
	_, err := Create(tx, a, DefaultCalendar, AllTypes, now)
	return err
}

// Create makes an empty calendar of some component types; none are all.
// ErrConflict when the account has one of that name, ErrQuota when it has too
// many.
func Create(tx *storage.Tx, a storage.AccountID, name string, types Types, now time.Time) (Calendar, error) {
	if types == 0 {
		types = AllTypes
	}
	c, err := resource.Create(tx, a, storage.KindCalendar, name, []byte{headerFormat, byte(types & AllTypes)}, now)
	return Calendar{c}, err
}

// Open finds an account's calendar by its name.
func Open(tx *storage.Tx, a storage.AccountID, name string) (Calendar, error) {
	c, err := tx.CollectionByName(a, storage.KindCalendar, name)
	if err != nil {
		return Calendar{}, err
	}
	return asCalendar(c)
}

// ByID finds a calendar.
func ByID(tx *storage.Tx, id storage.CollectionID) (Calendar, error) {
	c, err := tx.Collection(id)
	if err != nil {
		return Calendar{}, err
	}
	return asCalendar(c)
}

// Of is a collection that is known to be a calendar.
func Of(c *storage.Collection) (Calendar, error) { return asCalendar(c) }

// List returns an account's calendars in order of their names.
func List(tx *storage.Tx, a storage.AccountID) (out []Calendar) {
	for _, c := range tx.Collections(a, storage.KindCalendar) {
		if k, err := asCalendar(c); err == nil {
			out = append(out, k)
		}
	}
	return out
}

// SetTypes changes which component types the calendar takes from now on.
func SetTypes(tx *storage.Tx, c Calendar, types Types) error {
	if types&AllTypes == 0 {
		return fmt.Errorf("no component types: %w", storage.ErrInvalid)
	}
	c.Extra = append([]byte{headerFormat, byte(types & AllTypes)}, c.Extra[2:]...)
	return tx.SaveCollection(c.Collection)
}

const transpName = "transparent"

// Transparent reports whether what is in a calendar leaves a member free (RFC
// 6638 §9.1): as the member has set it, or else when it is not their own.
func Transparent(tx *storage.Tx, c Calendar, a storage.AccountID) bool {
	if v := tx.Property(c.ID.Object(), a, transpName); len(v) == 1 {
		return v[0] == 1
	}
	return c.Account != a
}

// SetTransparent sets it for one member.
func SetTransparent(tx *storage.Tx, c Calendar, a storage.AccountID, transparent bool) error {
	v := []byte{0}
	if transparent {
		v[0] = 1
	}
	tx.Bump(a)
	return tx.SetProperty(c.ID.Object(), a, transpName, v)
}

// Delete removes a calendar with its objects.
func Delete(tx *storage.Tx, c Calendar) error {
	_, err := purge(tx, []*storage.Collection{c.Collection}, math.MaxInt)
	return err
}

// Purge removes up to most objects of an account, and its calendars once they are
// empty; it reports whether something may be left.
func Purge(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error) {
	return purge(tx, append(tx.Collections(a, storage.KindCalendar), tx.Collections(a, storage.KindInbox)...), most)
}

func purge(tx *storage.Tx, all []*storage.Collection, most int) (left bool, err error) {
	remove := func(c *storage.Collection, id storage.ItemID) error {
		o, err := ByItem(tx, c.ID, id)
		if err == nil {
			err = Remove(tx, Calendar{c}, o)
		}
		return err
	}
	return resource.Purge(tx, all, most, remove, func(c *storage.Collection) error {
		tx.Delete(zoneKey(c.ID))
		return tx.DeleteCollection(c)
	})
}
