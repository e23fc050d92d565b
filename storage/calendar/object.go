package calendar

import (
	"encoding/binary"
	"fmt"
	"math"

	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// An Object is what a calendar knows of one of its objects without opening it.
type Object struct {
	resource.Resource
	Type       Types        // one
	Scheduling bool         // it has an organizer (RFC 6638 §3.1)
	Personal   bool         // it has what is its owner's alone (package overlay)
	Bare       resource.Sum // Sum without that, when there is some
	Tag        uint64       // counts the changes that a schedule tag tells
	First      int64        // nothing of it is before, in seconds since 1970, or Ever
	Last       int64        // or after; Forever
	Once       filter.Once  // of an event that happens once
}

// Ever and Forever are the open ends of what has none.
const (
	Ever    = math.MinInt64
	Forever = math.MaxInt64
)

// ScheduleTag is its schedule tag, without quotes; "" when it is no scheduling
// object (RFC 6638 §3.2.10).
func (o *Object) ScheduleTag() string {
	if !o.Scheduling {
		return ""
	}
	return fmt.Sprintf("%d-%d", o.Item, o.Tag)
}

// The tail of an object's row: type with 80 for scheduling, 40 for what is its
// owner's alone and 20 for what happens once, with the 40 the sum without that,
// then varints for the tag, first and last, and with the 20 for how long after
// first it starts, and twice how long it is, one more if it floats.
func (o *Object) tail() []byte {
	kind := byte(o.Type)
	if o.Scheduling {
		kind |= 0x80
	}
	if o.Personal {
		kind |= 0x40
	}
	if o.Once.Is {
		kind |= 0x20
	}
	b := append(make([]byte, 0, 48), kind)
	if o.Personal {
		b = append(b, o.Bare[:]...)
	}
	b = binary.AppendUvarint(b, o.Tag)
	b = binary.AppendVarint(binary.AppendVarint(b, o.First), o.Last)
	if o.Once.Is {
		length := (o.Once.End - o.Once.Start) << 1
		if o.Once.Floating {
			length |= 1
		}
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(o.Once.Start-o.First)), uint64(length))
	}
	return b
}

// read is the object of a resource that was found.
func read(r resource.Resource, tail []byte, err error) (Object, error) {
	if err != nil {
		return Object{}, err
	}
	o := Object{Resource: r}
	if !o.readTail(tail) {
		return Object{}, resource.Damaged(r.Item)
	}
	return o, nil
}

func (o *Object) readTail(b []byte) bool {
	if len(b) < 1 {
		return false
	}
	kind := b[0]
	o.Type, o.Once.Is, o.Personal, o.Scheduling = Types(kind&0x1f), kind&0x20 != 0, kind&0x40 != 0, kind&0x80 != 0
	if b = b[1:]; o.Personal {
		b = b[copy(o.Bare[:], b):]
	}
	ok := true
	next := func(read func([]byte) (uint64, int)) uint64 {
		v, n := read(b)
		if ok = ok && n > 0; ok {
			b = b[n:]
		}
		return v
	}
	signed := func(b []byte) (uint64, int) { v, n := binary.Varint(b); return uint64(v), n }
	o.Tag = next(binary.Uvarint)
	o.First, o.Last = int64(next(signed)), int64(next(signed))
	if o.Once.Is {
		o.Once.Start = o.First + int64(next(binary.Uvarint))
		length := next(binary.Uvarint)
		o.Once.Floating, o.Once.End = length&1 != 0, o.Once.Start+int64(length>>1)
	}
	return ok
}

// Get finds an object by its name.
func Get(tx *storage.Tx, c storage.CollectionID, name string) (Object, error) {
	return read(resource.Get(tx, c, name))
}

// ByItem finds an object by its item.
func ByItem(tx *storage.Tx, c storage.CollectionID, id storage.ItemID) (Object, error) {
	return read(resource.ByItem(tx, c, id))
}

// ByUID finds an object by the UID it has within a calendar.
func ByUID(tx *storage.Tx, c storage.CollectionID, uid string) (Object, error) {
	return read(resource.ByUID(tx, c, uid))
}

// Scan calls fn with the objects whose names follow after, in order of names,
// until it returns false. fn must not write.
func Scan(tx *storage.Tx, c storage.CollectionID, after string, fn func(Object) bool) error {
	return resource.Scan(tx, c, after, each(fn))
}

// Items is Scan in order of items, of those from one to another, both included.
func Items(tx *storage.Tx, c storage.CollectionID, from, to storage.ItemID, fn func(Object) bool) error {
	return resource.Items(tx, c, from, to, each(fn))
}

func each(fn func(Object) bool) func(resource.Resource, []byte) (bool, error) {
	return func(r resource.Resource, tail []byte) (bool, error) {
		o, err := read(r, tail, nil)
		return err == nil && fn(o), err
	}
}
