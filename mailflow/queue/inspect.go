package queue

import (
	"encoding/binary"
	"time"

	"essaim.coop/essaim/storage"
)

// List calls fn with every entry in order of arrival until it returns false.
func List(tx *storage.Tx, fn func(*Entry) bool) error {
	var failed error
	tx.Scan([]byte{'Q'}, []byte{'R'}, false, func(k, v []byte) bool {
		e, err := decode(binary.BigEndian.Uint64(k[1:9]), v)
		if err != nil {
			failed = err
			return false
		}
		return fn(e)
	})
	return failed
}

// Count returns how many entries there are.
func Count(tx *storage.Tx) (n int) {
	tx.Scan([]byte{'Q'}, []byte{'R'}, false, func(_, _ []byte) bool { n++; return true })
	return n
}

// Retry makes an entry due now and lets go of a hold.
func Retry(tx *storage.Tx, id uint64, now time.Time) error {
	return change(tx, id, func(e *Entry) { e.Due, e.Hold = now, false })
}

// Hold keeps an entry until Retry.
func Hold(tx *storage.Tx, id uint64) error {
	return change(tx, id, func(e *Entry) { e.Hold = true })
}

// Drop deletes an entry without telling its sender.
func Drop(tx *storage.Tx, id uint64) error {
	e, err := get(tx, id)
	if err == nil {
		remove(tx, e)
	}
	return err
}

func change(tx *storage.Tx, id uint64, edit func(*Entry)) error {
	e, err := get(tx, id)
	if err != nil {
		return err
	}
	old := *e
	edit(e)
	return save(tx, &old, e)
}
