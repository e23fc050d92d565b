package calendar

import (
	"encoding/binary"
	"fmt"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/resource"
)

const (
	inboxName = "inbox"
	// MaxInbox is how many messages an inbox keeps: the oldest go first, as what
	// they said is in the calendars.
	MaxInbox = 1000
)

// Inbox is an account's scheduling inbox (RFC 6638 §2.2): a calendar of messages
// that were applied already and stay until a client has shown and deleted them.
// Messages come in by Deliver only.
func Inbox(tx *storage.Tx, a storage.AccountID) (Calendar, error) {
	c, err := tx.CollectionByName(a, storage.KindInbox, inboxName)
	if err != nil {
		return Calendar{}, err
	}
	return asCalendar(c)
}

func (c Calendar) inbox() bool { return c.Kind == storage.KindInbox }

// PrepareMessage reads a staged iTIP message, outside any transaction; uid and
// component are what it is about.
func PrepareMessage(body *blob.Staged, uid, component string) (*Incoming, error) {
	in := &Incoming{body: body, row: Object{Resource: resource.Of(body, uid), Type: TypeOf(component), First: Ever, Last: Forever}}
	if in.row.Type == 0 || uid == "" {
		return nil, fmt.Errorf("a message about a %.40q: %w", component, storage.ErrInvalid)
	}
	raw, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	if first, last, ok := MessageExtent(raw); ok {
		in.row.First, in.row.Last = first, last
	}
	return in, nil
}

// MessageExtent is when what an iTIP message is about happens, in seconds since 1970
// or Ever and Forever. Of one that says no more than which thing it is about,
// nothing is known.
func MessageExtent(raw []byte) (from, to int64, ok bool) {
	cal, err := ical.Parse(raw)
	if err != nil {
		return 0, 0, false
	}
	p := cal.Edit()
	p.Drop(cal.Component, "METHOD")
	s, err := filter.ReadText(p.Apply(), nil)
	if err != nil {
		return 0, 0, false
	}
	first, last := filter.Extent(s)
	if from, to = Ever, Forever; !first.IsZero() {
		from = first.Unix()
	}
	if !last.IsZero() {
		to = last.Unix()
	}
	return from, to, true
}

// Deliver puts a message into an inbox. The oldest goes when there are MaxInbox.
func Deliver(tx *storage.Tx, inbox Calendar, in *Incoming, now time.Time) (Object, error) {
	if inbox.Count >= MaxInbox {
		if err := dropOldest(tx, inbox); err != nil {
			return Object{}, err
		}
	}
	return Put(tx, inbox, fmt.Sprintf("%d.ics", inbox.NextItem), in, Server, now)
}

func dropOldest(tx *storage.Tx, inbox Calendar) error {
	var oldest Object
	err := Items(tx, inbox.ID, 0, ^storage.ItemID(0), func(o Object) bool { oldest = o; return false })
	if err != nil || oldest.Item == 0 {
		return err
	}
	return Remove(tx, inbox, oldest)
}

// The property of an inbox that says which calendar is the default one.
const defaultName = "default"

// Default is the calendar into which invitations of an account go (RFC 6638
// §4.3): the one that was chosen, or else the one it started with, or else its
// first that takes events. ErrNotFound when it has none.
func Default(tx *storage.Tx, a storage.AccountID) (Calendar, error) {
	if inbox, err := Inbox(tx, a); err == nil {
		if v := tx.Property(inbox.ID.Object(), 0, defaultName); len(v) == 4 {
			if c, err := ByID(tx, storage.CollectionID(binary.BigEndian.Uint32(v))); err == nil && c.Account == a {
				return c, nil
			}
		}
	}
	if c, err := Open(tx, a, DefaultCalendar); err == nil && c.Types()&Event != 0 {
		return c, nil
	}
	for _, c := range List(tx, a) {
		if c.Types()&Event != 0 {
			return c, nil
		}
	}
	return Calendar{}, fmt.Errorf("account %d has no calendar for invitations: %w", a, storage.ErrNotFound)
}

// SetDefault chooses it among the account's own.
func SetDefault(tx *storage.Tx, c Calendar) error {
	inbox, err := Inbox(tx, c.Account)
	if err != nil {
		return err
	}
	tx.Bump(c.Account)
	return tx.SetProperty(inbox.ID.Object(), 0, defaultName, binary.BigEndian.AppendUint32(nil, uint32(c.ID)))
}

// Find finds the object of a UID in all calendars of an account, one that is
// scheduled before others.
func Find(tx *storage.Tx, a storage.AccountID, uid string) (c Calendar, o Object, err error) {
	err = fmt.Errorf("UID %.80q: %w", uid, storage.ErrNotFound)
	for _, k := range List(tx, a) {
		if got, e := ByUID(tx, k.ID, uid); e == nil && (err != nil || got.Scheduling && !o.Scheduling) {
			c, o, err = k, got, nil
		}
	}
	return c, o, err
}
