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
	body  *blob.Staged
	row   Object // what the text says
	rings bool   // it has alarms by e-mail
}

// Prepare reads a staged body, outside any transaction. Refused are with
// ical.ErrLimit what is too large, ical.ErrSyntax what is broken, ical.ErrObject
// what is no calendar object (RFC 4791 §4.1), recur.ErrRScale, ErrAttendees and
// ErrInstances.
func Prepare(body *blob.Staged) (*Incoming, error) {
	if body.Size > int64(ical.DefaultLimits.Bytes) {
		return nil, fmt.Errorf("%w: %d bytes", ical.ErrLimit, body.Size)
	}
	r, err := body.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := filter.ReadText(raw, nil)
	if err != nil {
		return nil, err
	}
	in := &Incoming{body: body, row: Object{UID: strings.Clone(s.UID), Type: TypeOf(s.Type), Size: body.Size}}
	copy(in.row.Sum[:], body.Sum[:])
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

// Scheduling reports whether the object has an organizer.
func (in *Incoming) Scheduling() bool { return in.row.Scheduling }

// A UIDConflict says that an object cannot have its UID (RFC 4791 §5.3.2.1,
// no-uid-conflict). It is an ErrConflict.
type UIDConflict struct {
	UID  string
	Name string // the object that has the UID, or that would get another one
}

func (e *UIDConflict) Error() string { return fmt.Sprintf("UID %.80q: held by %q", e.UID, e.Name) }
func (e *UIDConflict) Unwrap() error { return storage.ErrConflict }

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
	old, exists, err := place(tx, c, name, &in.row)
	if err != nil {
		return Object{}, err
	}
	o := in.row
	o.Name, o.Created, o.Modified, o.Tag = name, now.Unix(), now.Unix(), 1
	if exists {
		if old.Sum == o.Sum && old.Size == o.Size {
			return old, nil // nothing for others to learn
		}
		o.Item, o.Created, o.Tag = old.Item, old.Created, old.Tag
		if by == Client {
			o.Tag++
		}
		old.unindex(tx, c.ID)
	}
	o.Blob = tx.Attach(in.body)
	if err := o.save(tx, c, o.Size-old.Size); err != nil {
		return Object{}, err
	}
	if exists {
		tx.Release(old.Blob)
	}
	setAlarm(tx, c, o.Item, in.rings, now)
	return o, nil
}

// place finds the object that a name has, and whether another can go there.
func place(tx *storage.Tx, c Calendar, name string, o *Object) (old Object, exists bool, err error) {
	if err := checkName(name); err != nil {
		return old, false, err
	}
	if c.Types()&o.Type == 0 {
		return old, false, &TypeError{o.Type}
	}
	if id, ok := readItem(tx.Get(key('q', c.ID, name))); ok {
		if old, err = ByItem(tx, c.ID, id); err != nil {
			return old, true, err
		}
		if old.UID != o.UID {
			return old, true, &UIDConflict{o.UID, name}
		}
		return old, true, nil
	}
	if holder, err := ByUID(tx, c.ID, o.UID); err == nil && !c.inbox() {
		return old, false, &UIDConflict{o.UID, holder.Name}
	}
	return old, false, nil
}

// save writes an object's rows. A new one has no Item yet.
func (o *Object) save(tx *storage.Tx, c Calendar, delta int64) error {
	id, _, err := tx.PutItem(c.Collection, o.Item, o.marshal(), delta)
	if err != nil {
		return err
	}
	if o.Item == 0 {
		o.Item = id
		tx.Put(key('q', c.ID, o.Name), itemValue(id))
		if !c.inbox() {
			tx.Put(uidKey(c.ID, o.UID), itemValue(id))
		}
	}
	o.index(tx, c.ID)
	return nil
}

// Remove takes an object out of its calendar.
func Remove(tx *storage.Tx, c Calendar, o Object) error {
	if err := tx.Vacate(c.Collection, o.Item, o.Name); err != nil {
		return err
	}
	if _, err := tx.RemoveItem(c.Collection, o.Item, o.Size); err != nil {
		return err
	}
	tx.Delete(key('q', c.ID, o.Name))
	if !c.inbox() {
		tx.Delete(uidKey(c.ID, o.UID))
	}
	o.unindex(tx, c.ID)
	dropAlarm(tx, c.ID, o.Item)
	tx.Release(o.Blob)
	return nil
}

// Touch notes an object as changed, as its properties are.
func Touch(tx *storage.Tx, c Calendar, o Object) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	tx.ReplaceItem(c.Collection, o.Item, o.marshal())
	return nil
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
	old, exists, err := place(tx, to, name, &o)
	if err == nil && exists {
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
	n.Item, n.Name, n.Created, n.Modified, n.Tag = 0, name, now.Unix(), now.Unix(), 1
	if err := n.save(tx, to, n.Size); err != nil {
		return Object{}, err
	}
	_, rings := readAlarm(from.ID, o.Item, tx.Get(alarmKey(from.ID, o.Item)))
	setAlarm(tx, to, n.Item, rings, now)
	return n, tx.CopyProperties(storage.Object{Collection: from.ID, Item: o.Item}, storage.Object{Collection: to.ID, Item: n.Item})
}

// Move puts an object into another calendar or renames it; see Copy.
func Move(tx *storage.Tx, from Calendar, o Object, to Calendar, name string, bare *Incoming, now time.Time) (Object, error) {
	if from.ID == to.ID {
		return rename(tx, from, o, name)
	}
	n, err := Copy(tx, from, o, to, name, bare, now)
	if err != nil {
		return Object{}, err
	}
	n.Created, n.Modified = o.Created, o.Modified
	tx.ReplaceItem(to.Collection, n.Item, n.marshal())
	return n, Remove(tx, from, o)
}

func rename(tx *storage.Tx, c Calendar, o Object, name string) (Object, error) {
	if name == o.Name {
		return o, nil
	}
	if err := checkName(name); err != nil {
		return Object{}, err
	}
	if old, err := Get(tx, c.ID, name); err == nil { // its UID is another
		return Object{}, &UIDConflict{o.UID, old.Name}
	}
	if err := tx.Vacate(c.Collection, o.Item, o.Name); err != nil {
		return Object{}, err
	}
	tx.Delete(key('q', c.ID, o.Name))
	o.Name = name
	tx.Put(key('q', c.ID, name), itemValue(o.Item))
	tx.ReplaceItem(c.Collection, o.Item, o.marshal())
	return o, nil
}
