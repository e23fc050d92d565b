package calendar

import (
	"encoding/binary"
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// An Alarm is an object with e-mail alarms, and when to look at it next. Alarms
// until Since have been sent, or were over when the object came to be as it is.
type Alarm struct {
	Due, Since time.Time // whole seconds
	Calendar   storage.CollectionID
	Item       storage.ItemID
}

func ringKey(due int64, c storage.CollectionID, id storage.ItemID) []byte {
	k := binary.BigEndian.AppendUint64([]byte{'z'}, uint64(due))
	k = binary.BigEndian.AppendUint32(k, uint32(c))
	return binary.BigEndian.AppendUint32(k, uint32(id))
}

func alarmKey(c storage.CollectionID, id storage.ItemID) []byte {
	return resource.Key('j', c, id)
}

func readAlarm(c storage.CollectionID, id storage.ItemID, v []byte) (a Alarm, ok bool) {
	if len(v) != 16 {
		return a, false
	}
	at := func(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint64(b)), 0) }
	return Alarm{at(v), at(v[8:]), c, id}, true
}

// dropAlarm forgets an object's deadline.
func dropAlarm(tx *storage.Tx, c storage.CollectionID, id storage.ItemID) (had Alarm, ok bool) {
	k := alarmKey(c, id)
	if had, ok = readAlarm(c, id, tx.Get(k)); ok {
		tx.Delete(ringKey(had.Due.Unix(), c, id))
		tx.Delete(k)
	}
	return had, ok
}

func (a Alarm) save(tx *storage.Tx) {
	v := binary.BigEndian.AppendUint64(nil, uint64(a.Due.Unix()))
	tx.Put(alarmKey(a.Calendar, a.Item), binary.BigEndian.AppendUint64(v, uint64(a.Since.Unix())))
	tx.Put(ringKey(a.Due.Unix(), a.Calendar, a.Item), []byte{})
}

// setAlarm has an object that is new or has changed looked at now.
func setAlarm(tx *storage.Tx, c Calendar, id storage.ItemID, has bool, now time.Time) {
	dropAlarm(tx, c.ID, id)
	if has && !c.inbox() {
		Alarm{now, now, c.ID, id}.save(tx)
		tx.Touch(Changes)
	}
}

// Alarms calls fn with the objects to look at, in the order of their deadlines,
// until it returns false. fn must not write.
func Alarms(tx *storage.Tx, fn func(Alarm) bool) {
	tx.ScanPrefix([]byte{'z'}, func(rest, _ []byte) bool {
		if len(rest) != 16 {
			return true
		}
		c, id := storage.CollectionID(binary.BigEndian.Uint32(rest[8:])), storage.ItemID(binary.BigEndian.Uint32(rest[12:]))
		a, ok := readAlarm(c, id, tx.Get(alarmKey(c, id)))
		return !ok || fn(a)
	})
}

// Next has an object looked at again, once its alarms until since were sent. The
// zero due ends that. storage.ErrConflict when the object has changed meanwhile.
func (a Alarm) Next(tx *storage.Tx, due, since time.Time) error {
	had, ok := readAlarm(a.Calendar, a.Item, tx.Get(alarmKey(a.Calendar, a.Item)))
	if !ok || had != a {
		return fmt.Errorf("alarm of object %d in %d: %w", a.Item, a.Calendar, storage.ErrConflict)
	}
	dropAlarm(tx, a.Calendar, a.Item)
	if !due.IsZero() {
		Alarm{due, since, a.Calendar, a.Item}.save(tx)
	}
	return nil
}
