package calendar

import (
	"bytes"
	"encoding/binary"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/resource"
)

// Check is the room's storage.CheckHook: every object of every calendar is in
// its months, and nothing leads to an object that is not there; the rest is checked
// by package resource.
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
	strays := func(prefix byte, what string) {
		tx.ScanPrefix([]byte{prefix}, func(rest, _ []byte) bool {
			c := storage.CollectionID(binary.BigEndian.Uint32(rest))
			if id, ok := resource.ReadItem(rest[max(0, len(rest)-4):]); !ok || !calendars[c] || tx.Item(c, id) == nil {
				r.Problem("calendar %d: a %s leads to an object that is not there: %x", c, what, rest)
			}
			return true
		})
	}
	strays('s', "month")
	strays('t', "long list")
	strays('j', "deadline")
	checkChanges(tx, r)
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
	rows := 0
	tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, _ []byte) bool {
		o, err := ByItem(tx, c.ID, id)
		if err != nil {
			r.Problem("calendar %d: %v", c.ID, err)
			return true
		}
		o.rows(c.ID, func(k []byte) {
			if rows++; !bytes.Equal(tx.Get(k), o.extent()) {
				r.Problem("calendar %d: object %d is not in its months: %x", c.ID, id, k)
			}
		})
		return true
	})
	for _, prefix := range []byte{'s', 't'} {
		tx.ScanPrefix(resource.Key(prefix, c.ID), func(_, _ []byte) bool { rows--; return true })
	}
	if rows != 0 {
		r.Problem("calendar %d: %d months too many or too few", c.ID, -rows)
	}
}
