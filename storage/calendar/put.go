package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/resource"
)

const (
	// MaxAttendees is how many attendees one instance can have.
	MaxAttendees = 500
	// MaxInstances is how many instances an object can have; of one without end,
	// in its first year.
	MaxInstances = 10_000
)

// What is refused beside the errors of package ical.
var (
	ErrAttendees = fmt.Errorf("more than %d attendees: %w", MaxAttendees, storage.ErrInvalid)
	ErrInstances = fmt.Errorf("more than %d instances: %w", MaxInstances, storage.ErrInvalid)
)

// An Incoming is an object that was read and found good, ready to be put.
type Incoming struct {
	body   *blob.Staged
	object *ical.Object
	row    Object // what the text says
	rings  bool   // it has alarms by e-mail
}

// Prepare reads a staged body, outside any transaction. Refused are with
// ical.ErrLimit what is too large, ical.ErrSyntax what is broken, ical.ErrObject
// what is no calendar object (RFC 4791 §4.1), recur.ErrRScale, ErrAttendees and
// ErrInstances.
func Prepare(body *blob.Staged) (*Incoming, error) {
	if body.Size > int64(ical.DefaultLimits.Bytes) {
		return nil, fmt.Errorf("%w: %d bytes", ical.ErrLimit, body.Size)
	}
	raw, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := filter.ReadText(raw, nil)
	if err != nil {
		return nil, err
	}
	in := &Incoming{body: body, object: s.Object, row: Object{Resource: resource.Of(body, strings.Clone(s.UID)), Type: TypeOf(s.Type)}}
	in.rings = filter.HasAlarm(s.Object, "EMAIL")
	if err := in.row.bare(s); err != nil {
		return nil, err
	}
	if s.Attendees() > MaxAttendees {
		return nil, ErrAttendees
	}
	if err := count(s.Series); err != nil {
		return nil, err
	}
	for _, p := range s.Parts {
		in.row.Scheduling = in.row.Scheduling || p.Prop("ORGANIZER") != nil
	}
	in.row.Once = filter.OnceOf(s)
	first, last := filter.Extent(s)
	in.row.First, in.row.Last = Ever, Forever
	if !first.IsZero() {
		in.row.First = first.Unix()
	}
	if !last.IsZero() {
		in.row.Last = last.Unix()
	}
	return in, nil
}

// count holds the instances of a series against MaxInstances.
func count(s *recur.Series) error {
	if len(s.Rules()) == 0 {
		return nil // what is written out is bounded by its size
	}
	var until time.Time
	if first, _, endless, _ := s.Extent(); endless {
		until = first.AddDate(1, 0, 0)
	}
	n := 0
	err := s.Each(time.Time{}, until, func(recur.Instance) bool { n++; return n <= MaxInstances })
	if n > MaxInstances {
		return ErrInstances
	}
	if errors.Is(err, recur.ErrBudget) {
		return nil // few, and far between
	}
	return err
}

// Object is what was read, not to be changed; nil of a message.
func (in *Incoming) Object() *ical.Object { return in.object }

// Scheduling reports whether the object has an organizer.
func (in *Incoming) Scheduling() bool { return in.row.Scheduling }

// A UIDConflict says that an object cannot have its UID.
type UIDConflict = resource.UIDConflict

// A TypeError says that a calendar does not take a type of component (RFC 4791
// §5.3.2.1, supported-calendar-component). It is an ErrInvalid.
type TypeError struct{ Type Types }

func (e *TypeError) Error() string { return fmt.Sprintf("no %v in this calendar", e.Type.Names()) }
func (e *TypeError) Unwrap() error { return storage.ErrInvalid }

// By says who changes an object.
type By bool

const (
	Client By = false
	// Server is a change that leaves the schedule tag as it is (RFC 6638 §3.2.10).
	Server By = true
)

// Put makes the object of a name, or replaces it. A *UIDConflict when another
// object of the calendar has its UID, or the object of that name has another UID;
// a *TypeError when the calendar does not take it. The same bytes again change
// nothing. On an error the transaction must not be committed.
func Put(tx *storage.Tx, c Calendar, name string, in *Incoming, by By, now time.Time) (Object, error) {
	old, err := place(tx, c, name, &in.row)
	if err != nil {
		return Object{}, err
	}
	if old.Item != 0 && old.Same(&in.row.Resource) {
		return old, nil // nothing for others to learn
	}
	o := in.row
	o.Name, o.Created, o.Modified, o.Tag = name, now.Unix(), now.Unix(), old.Tag
	if by == Client || old.Item == 0 {
		o.Tag++
	}
	o.Blob = tx.Attach(in.body)
	if err := o.put(tx, c, &old); err != nil {
		return Object{}, err
	}
	setAlarm(tx, c, o.Item, in.rings, now)
	return o, nil
}

// place finds the object that a name has, Item 0 when it is free for another.
func place(tx *storage.Tx, c Calendar, name string, o *Object) (Object, error) {
	if c.Types()&o.Type == 0 {
		return Object{}, &TypeError{o.Type}
	}
	old, tail, err := resource.Place(tx, c.Collection, name, o.UID)
	if err != nil || old.Item == 0 {
		return Object{}, err
	}
	return read(old, tail, nil)
}

// put writes an object's rows in the place of old.
func (o *Object) put(tx *storage.Tx, c Calendar, old *Object) error {
	if err := resource.Put(tx, c.Collection, &o.Resource, &old.Resource, o.tail()); err != nil {
		return err
	}
	if old.Item != 0 {
		old.unindex(tx, c.ID)
	}
	o.index(tx, c.ID)
	return nil
}

// Remove takes an object out of its calendar.
func Remove(tx *storage.Tx, c Calendar, o Object) error {
	o.unindex(tx, c.ID)
	dropAlarm(tx, c.ID, o.Item)
	return resource.Remove(tx, c.Collection, &o.Resource)
}

// Touch notes an object as changed, as its properties are.
func Touch(tx *storage.Tx, c Calendar, o Object) error {
	return resource.Touch(tx, c.Collection, &o.Resource, o.tail())
}

// Copy puts an object into another calendar. An object of the same UID that has
// the name there is replaced; see Put for the conflicts. Nothing goes with it that
// is of one member alone: of an object with what is its owner's, bare is to be the
// text without it when the calendars are not of one account, ErrInvalid otherwise.
func Copy(tx *storage.Tx, from Calendar, o Object, to Calendar, name string, bare *Incoming, now time.Time) (Object, error) {
	switch {
	case from.Account == to.Account || !o.Personal:
		bare = nil
	case bare == nil || bare.row.UID != o.UID || bare.row.Sum != o.Bare:
		return Object{}, fmt.Errorf("object %d has what is its owner's: %w", o.Item, storage.ErrInvalid)
	}
	old, err := place(tx, to, name, &o)
	if err == nil && old.Item != 0 {
		err = Remove(tx, to, old)
	}
	if err != nil {
		return Object{}, err
	}
	n := o
	if bare != nil {
		n = bare.row
		n.Blob = tx.Attach(bare.body)
	} else {
		tx.Retain(o.Blob)
	}
	n.Name, n.Created, n.Modified, n.Tag = name, now.Unix(), now.Unix(), 1
	if err := n.put(tx, to, &Object{}); err != nil {
		return Object{}, err
	}
	_, rings := readAlarm(from.ID, o.Item, tx.Get(alarmKey(from.ID, o.Item)))
	setAlarm(tx, to, n.Item, rings, now)
	return n, tx.CopyProperties(storage.Object{Collection: from.ID, Item: o.Item}, storage.Object{Collection: to.ID, Item: n.Item})
}

// Move puts an object into another calendar or renames it; see Copy.
func Move(tx *storage.Tx, from Calendar, o Object, to Calendar, name string, bare *Incoming, now time.Time) (Object, error) {
	if from.ID == to.ID {
		err := resource.Rename(tx, from.Collection, &o.Resource, o.tail(), name)
		return o, err
	}
	n, err := Copy(tx, from, o, to, name, bare, now)
	if err != nil {
		return Object{}, err
	}
	n.Created, n.Modified = o.Created, o.Modified
	if err := Touch(tx, to, n); err != nil {
		return Object{}, err
	}
	return n, Remove(tx, from, o)
}
