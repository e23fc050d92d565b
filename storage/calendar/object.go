package calendar

import (
	"encoding/binary"
	"fmt"
	"math"

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

// The tail of an object's row: type with 80 for scheduling and 40 for what is its
// owner's alone, with the 40 the sum without that, then varints for the tag, first
// and last.
func (o *Object) tail() []byte {
	kind := byte(o.Type)
	if o.Scheduling {
		kind |= 0x80
	}
	if o.Personal {
		kind |= 0x40
	}
	b := append(make([]byte, 0, 32), kind)
	if o.Personal {
		b = append(b, o.Bare[:]...)
	}
	b = binary.AppendUvarint(b, o.Tag)
	return binary.AppendVarint(binary.AppendVarint(b, o.First), o.Last)
}

// read is the object of a resource that was found.
func read(r resource.Resource, tail []byte, err error) (Object, error) {
	if err != nil {
		return Object{}, err
	}
	if len(tail) == 0 {
		return Object{}, resource.Damaged(r.Item)
	}
	o := Object{Resource: r, Type: Types(tail[0] & 0x3f), Scheduling: tail[0]&0x80 != 0, Personal: tail[0]&0x40 != 0}
	if tail = tail[1:]; o.Personal {
		tail = tail[copy(o.Bare[:], tail):]
	}
	var n, first, last int
	o.Tag, n = binary.Uvarint(tail)
	if n > 0 {
		o.First, first = binary.Varint(tail[n:])
	}
	if first > 0 {
		o.Last, last = binary.Varint(tail[n+first:])
	}
	if last <= 0 {
		return Object{}, resource.Damaged(r.Item)
	}
	return o, nil
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

func each(fn func(Object) bool) func(resource.Resource, []byte) (bool, error) {
	return func(r resource.Resource, tail []byte) (bool, error) {
		o, err := read(r, tail, nil)
		return err == nil && fn(o), err
	}
}
