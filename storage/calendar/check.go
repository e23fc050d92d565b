package calendar

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// Check is the room's storage.CheckHook: every object of every calendar has its
// name, its UID, its months and its body, and nothing leads to an object that is
// not there.
func Check(tx *storage.Tx, r *storage.Report) {
	calendars := map[storage.CollectionID]bool{}
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		a := storage.AccountID(binary.BigEndian.Uint32(rest))
		for _, col := range append(tx.Collections(a, storage.KindCalendar), tx.Collections(a, storage.KindInbox)...) {
			calendars[col.ID] = true
			c, err := asCalendar(col)
			if err != nil {
				r.Problem("calendar %d: header %x", col.ID, col.Extra)
				continue
			}
			c.check(tx, r)
		}
		return true
	})
	strays := func(prefix byte, what string, item func(rest, v []byte) []byte) {
		tx.ScanPrefix([]byte{prefix}, func(rest, v []byte) bool {
			c := storage.CollectionID(binary.BigEndian.Uint32(rest))
			if id, ok := readItem(item(rest, v)); !ok || !calendars[c] || tx.Item(c, id) == nil {
				r.Problem("calendar %d: a %s leads to an object that is not there: %x", c, what, rest)
			}
			return true
		})
	}
	value := func(_, v []byte) []byte { return v }
	last := func(rest, _ []byte) []byte { return rest[max(0, len(rest)-4):] }
	strays('q', "name", value)
	strays('r', "UID", value)
	strays('s', "month", last)
	strays('t', "long list", last)
	checkChanges(tx, r)
	strays('j', "deadline", last)
	checkAlarms(tx, r)
	tx.ScanPrefix([]byte{'u'}, func(rest, _ []byte) bool {
		if len(rest) != 4 || !calendars[storage.CollectionID(binary.BigEndian.Uint32(rest))] {
			r.Problem("a time zone of calendar %x, which is not there", rest)
		}
		return true
	})
}

// checkAlarms: every object with a deadline has one row by it, and no other has.
func checkAlarms(tx *storage.Tx, r *storage.Report) {
	rows := 0
	tx.ScanPrefix([]byte{'j'}, func(rest, v []byte) bool {
		if len(rest) != 8 {
			r.Problem("deadline %x", rest)
			return true
		}
		c, id := storage.CollectionID(binary.BigEndian.Uint32(rest)), storage.ItemID(binary.BigEndian.Uint32(rest[4:]))
		a, ok := readAlarm(c, id, v)
		if rows++; !ok || tx.Get(ringKey(a.Due.Unix(), c, id)) == nil {
			r.Problem("calendar %d: object %d has no row by its deadline", c, id)
		}
		return true
	})
	tx.ScanPrefix([]byte{'z'}, func(_, _ []byte) bool { rows--; return true })
	if rows != 0 {
		r.Problem("%d deadlines too many or too few", -rows)
	}
}

// checkChanges: every change that waits refers to its bodies.
func checkChanges(tx *storage.Tx, r *storage.Report) {
	tx.ScanPrefix([]byte{'y'}, func(rest, v []byte) bool {
		ch, err := readChange(rest, v)
		if err != nil {
			r.Problem("change %x: %v", rest, err)
			return true
		}
		for _, id := range []blob.ID{ch.Old, ch.New} {
			if id != 0 {
				r.Refers(id)
			}
		}
		return true
	})
}

func (c Calendar) check(tx *storage.Tx, r *storage.Report) {
	size, rows := propertyBytes(tx, c.ID.Object()), 0
	tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		o, err := unmarshal(id, v)
		if err != nil {
			r.Problem("calendar %d: %v", c.ID, err)
			return true
		}
		r.Refers(o.Blob)
		size += o.Size + propertyBytes(tx, storage.Object{Collection: c.ID, Item: id})
		if got, err := Get(tx, c.ID, o.Name); err != nil || got.Item != id {
			r.Problem("calendar %d: object %d: name %q leads to %d, %v", c.ID, id, o.Name, got.Item, err)
		}
		if got, err := ByUID(tx, c.ID, o.UID); !c.inbox() && (err != nil || got.Item != id) {
			r.Problem("calendar %d: object %d: UID %q leads to %d, %v", c.ID, id, o.UID, got.Item, err)
		}
		o.rows(c.ID, func(k []byte) {
			if rows++; tx.Get(k) == nil {
				r.Problem("calendar %d: object %d is not in its months: %x", c.ID, id, k)
			}
		})
		return true
	})
	for _, prefix := range []byte{'s', 't'} {
		tx.ScanPrefix(key(prefix, c.ID, ""), func(_, _ []byte) bool { rows--; return true })
	}
	if rows != 0 {
		r.Problem("calendar %d: %d months too many or too few", c.ID, -rows)
	}
	if size != c.Bytes {
		r.Problem("calendar %d: %d bytes, its objects and properties have %d", c.ID, c.Bytes, size)
	}
}

// propertyBytes is what the properties of an object count against the quota.
func propertyBytes(tx *storage.Tx, o storage.Object) (n int64) {
	for _, owner := range append(tx.PropertyOwners(o), 0) {
		tx.Properties(o, owner, func(name string, v []byte) bool { n += int64(len(name) + len(v)); return true })
	}
	return n
}
