package storage

import (
	"encoding/binary"
	"slices"
	"time"
)

// How long deliveries are noted: those of this life of the process until their
// answers have long arrived, those of one that crashed until the other side
// has given up sending again.
const (
	guardRunning = 15 * time.Minute
	guardCrashed = 24 * time.Hour
)

// SeenBefore notes a delivery and reports whether it was noted in a life of the
// process that crashed: then its answer may have been cut off, and this is the
// same delivery again. Deliveries of this life are never taken for repeated.
func (tx *Tx) SeenBefore(db *DB, hash [32]byte, now time.Time) bool {
	key := append([]byte{0x0e}, hash[:]...)
	if v := tx.Get(key); len(v) == 8 && !db.clean {
		if at := time.UnixMilli(int64(binary.BigEndian.Uint64(v))); at.Before(db.opened) && now.Sub(at) < guardCrashed {
			return true
		}
	}
	at := guardTime(now)
	if old := tx.Get(key); old != nil {
		tx.Delete(append(append([]byte{0x0d}, old...), hash[:]...))
	}
	tx.Put(key, at)
	tx.Put(append(append([]byte{0x0d}, at...), hash[:]...), []byte{})
	tx.forget(time.UnixMilli(0), now.Add(-guardCrashed))
	tx.forget(db.opened, now.Add(-guardRunning))
	return false
}

func guardTime(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

// forget drops a few notes of a time; every delivery brings one and takes more.
func (tx *Tx) forget(from, to time.Time) {
	var old [][]byte
	tx.Scan(append([]byte{0x0d}, guardTime(from)...), append([]byte{0x0d}, guardTime(to)...), false, func(k, _ []byte) bool {
		old = append(old, slices.Clone(k))
		return len(old) < 3
	})
	for _, k := range old {
		tx.Delete(k)
		tx.Delete(append([]byte{0x0e}, k[9:]...))
	}
}
