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

// index writes an object's rows by time, unindex removes them. A row says from when
// until when the object may have something, so that it is read for no other time.
func (o *Object) index(tx *storage.Tx, c storage.CollectionID) {
	v := o.extent()
	o.rows(c, func(k []byte) { tx.Put(k, v) })
}

func (o *Object) unindex(tx *storage.Tx, c storage.CollectionID) { o.rows(c, tx.Delete) }

func (o *Object) extent() []byte {
	return binary.AppendVarint(binary.AppendVarint(make([]byte, 0, 12), o.First), o.Last)
}

// readExtent reads an index row; of one that is damaged nothing is known.
func readExtent(v []byte) Object {
	first, n := binary.Varint(v)
	if n > 0 {
		if last, m := binary.Varint(v[n:]); m > 0 {
			return Object{First: first, Last: last}
		}
	}
	return Object{First: Ever, Last: Forever}
}

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
func Query(tx *storage.Tx, c storage.CollectionID, types Types, from, to int64, fn func(Object) bool) (err error) {
	if wide(from, to) {
		return scan(tx, c, types, from, to, fn)
	}
	find(tx, c, types, from, to, func(id storage.ItemID) bool {
		var o Object
		o, err = ByItem(tx, c, id)
		return err == nil && fn(o)
	})
	return err
}

// Candidates is Query of which only the items are asked for: none is read.
func Candidates(tx *storage.Tx, c storage.CollectionID, types Types, from, to int64, fn func(storage.ItemID) bool) error {
	if wide(from, to) {
		return scan(tx, c, types, from, to, func(o Object) bool { return fn(o.Item) })
	}
	find(tx, c, types, from, to, fn)
	return nil
}

// wide reports whether so much time is asked for that reading all costs less.
func wide(from, to int64) bool {
	first, ok1 := month(from)
	last, ok2 := month(to)
	return !ok1 || !ok2 || int(last)-int(first) > 24
}

// find looks into the index.
func find(tx *storage.Tx, c storage.CollectionID, types Types, from, to int64, fn func(storage.ItemID) bool) {
	first, _ := month(from)
	last, _ := month(to)
	more := true
	for t := Types(1); t < AllTypes && more; t <<= 1 {
		if types&t == 0 {
			continue
		}
		tx.Scan(monthKey(c, t, first, 0), monthKey(c, t, last+1, 0), false, func(k, v []byte) bool {
			o := readExtent(v)
			start, _, _ := o.months()
			if binary.BigEndian.Uint16(k[6:]) == max(start, first) && o.within(from, to) { // else given with an earlier month
				more = fn(storage.ItemID(binary.BigEndian.Uint32(k[8:])))
			}
			return more
		})
		if !more {
			return
		}
		tx.ScanPrefix(append(resource.Key('t', c), byte(t)), func(rest, v []byte) bool {
			if o := readExtent(v); o.within(from, to) {
				more = fn(storage.ItemID(binary.BigEndian.Uint32(rest)))
			}
			return more
		})
	}
}

// scan reads every object.
func scan(tx *storage.Tx, c storage.CollectionID, types Types, from, to int64, fn func(Object) bool) error {
	return Items(tx, c, 0, ^storage.ItemID(0), func(o Object) bool {
		return o.Type&types == 0 || !o.within(from, to) || fn(o)
	})
}
