package storage

import (
	"encoding/binary"
	"slices"
	"time"

	"essaim.coop/essaim/storage/kv"
)

// How long deliveries are noted: those of this life of the process until their
// answers have long arrived, those of one that crashed until the other side
// has given up sending again.
const (
	guardRunning = 15 * time.Minute
	guardCrashed = 24 * time.Hour
)

// repeats are the deliveries of a life that crashed, read once when the store
// opens: no row but the one in order of time is written for a delivery.
type repeats map[[32]byte]time.Time

// readRepeats returns what was noted in the day before.
func readRepeats(r kv.Reader, now time.Time) repeats {
	out := repeats{}
	from := append([]byte{0x0d}, guardTime(now.Add(-guardCrashed))...)
	r.Scan(from, []byte{0x0e}, false, func(k, _ []byte) bool {
		if len(k) == 1+8+32 {
			out[[32]byte(k[9:])] = time.UnixMilli(int64(binary.BigEndian.Uint64(k[1:])))
		}
		return true
	})
	return out
}

// SeenBefore notes a delivery and reports whether it was noted in a life of the
// process that crashed: then its answer may have been cut off, and this is the
// same delivery again. Deliveries of this life are never taken for repeated.
func (tx *Tx) SeenBefore(db *DB, hash [32]byte, now time.Time) bool {
	if at, ok := db.repeats[hash]; ok && now.Sub(at) < guardCrashed {
		return true
	}
	tx.Put(append(append([]byte{0x0d}, guardTime(now)...), hash[:]...), []byte{})
	if now.Sub(db.tidied).Abs() >= time.Second && // not at every delivery, unless many are due
		tx.forget(time.UnixMilli(0), now.Add(-guardCrashed))+tx.forget(db.opened, now.Add(-guardRunning)) < forgetBatch {
		db.tidied = now
	}
	return false
}

func guardTime(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

// forgetBatch is how many notes of a range one delivery drops at most.
const forgetBatch = 100

// forget drops the oldest notes of a time and returns how many.
func (tx *Tx) forget(from, to time.Time) int {
	var old [][]byte
	tx.Scan(append([]byte{0x0d}, guardTime(from)...), append([]byte{0x0d}, guardTime(to)...), false, func(k, _ []byte) bool {
		old = append(old, slices.Clone(k))
		return len(old) < forgetBatch
	})
	for _, k := range old {
		tx.Delete(k)
	}
	return len(old)
}
