package calendar

import (
	"encoding/binary"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// An object is listed in each month that it may have something in, if these are
// few; otherwise on the long list, which every query reads.
const maxMonths = 14

// month numbers months in UTC from the year 0; false outside of its range.
func month(t int64) (uint16, bool) {
	if t < -62135596800 || t > 253402300799 { // before the year 1 or after 9999
		return 0, false
	}
	y, m, _ := time.Unix(t, 0).UTC().Date()
	n := y*12 + int(m) - 1
	return uint16(n), n < 1<<16-1
}

// months are those of an object, false when it belongs on the long list.
func (o *Object) months() (from, to uint16, ok bool) {
	from, ok1 := month(o.First)
	to, ok2 := month(o.Last)
	return from, to, ok1 && ok2 && to >= from && to-from < maxMonths
}

func monthKey(c storage.CollectionID, t Types, m uint16, id storage.ItemID) []byte {
	k := append(resource.Key('s', c), byte(t))
	k = binary.BigEndian.AppendUint16(k, m)
	return binary.BigEndian.AppendUint32(k, uint32(id))
}

func longKey(c storage.CollectionID, t Types, id storage.ItemID) []byte {
	return binary.BigEndian.AppendUint32(append(resource.Key('t', c), byte(t)), uint32(id))
}

// index writes an object's rows by time, unindex removes them.
func (o *Object) index(tx *storage.Tx, c storage.CollectionID) {
	o.rows(c, func(k []byte) { tx.Put(k, []byte{}) })
}

func (o *Object) unindex(tx *storage.Tx, c storage.CollectionID) { o.rows(c, tx.Delete) }

func (o *Object) rows(c storage.CollectionID, fn func(key []byte)) {
	from, to, ok := o.months()
	if !ok {
		fn(longKey(c, o.Type, o.Item))
		return
	}
	for m := from; m <= to; m++ {
		fn(monthKey(c, o.Type, m, o.Item))
	}
}

// within reports whether an object can have something in a range.
func (o *Object) within(from, to int64) bool { return o.First < to && o.Last >= from }

// Query calls fn, in no order, with the objects of some types that can have
// something from one time until another, in seconds since 1970 (Ever and Forever
// are open), each once, until it returns false. fn must not write.
func Query(tx *storage.Tx, c storage.CollectionID, types Types, from, to int64, fn func(Object) bool) error {
	first, ok1 := month(from)
	last, ok2 := month(to)
	if !ok1 || !ok2 || int(last)-int(first) > 24 {
		return scanTypes(tx, c, types, func(o Object) bool { return !o.within(from, to) || fn(o) })
	}
	var err error
	more := true
	give := func(id storage.ItemID, at uint16, long bool) bool {
		var o Object
		if o, err = ByItem(tx, c, id); err != nil {
			return false
		}
		if start, _, _ := o.months(); !long && at != max(start, first) {
			return true // given with an earlier month
		}
		if o.within(from, to) {
			more = fn(o)
		}
		return more
	}
	for t := Types(1); t < AllTypes && more && err == nil; t <<= 1 {
		if types&t == 0 {
			continue
		}
		tx.Scan(monthKey(c, t, first, 0), monthKey(c, t, last+1, 0), false, func(k, _ []byte) bool {
			return give(storage.ItemID(binary.BigEndian.Uint32(k[8:])), binary.BigEndian.Uint16(k[6:]), false)
		})
		if more && err == nil {
			tx.ScanPrefix(append(resource.Key('t', c), byte(t)), func(rest, _ []byte) bool {
				return give(storage.ItemID(binary.BigEndian.Uint32(rest)), 0, true)
			})
		}
	}
	return err
}

// scanTypes reads every object of some types.
func scanTypes(tx *storage.Tx, c storage.CollectionID, types Types, fn func(Object) bool) error {
	return Items(tx, c, 0, ^storage.ItemID(0), func(o Object) bool { return o.Type&types == 0 || fn(o) })
}
