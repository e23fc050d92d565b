package queue

import (
	"encoding/binary"
	"time"

	"essaim.coop/essaim/storage"
)

// Check is the queue's part of a check of the store: every entry has a body and
// somebody to go to, and the due index is what the entries say.
func Check(tx *storage.Tx, r *storage.Report) {
	waiting := map[uint64]int64{}
	tx.ScanPrefix([]byte{'Q'}, func(rest, v []byte) bool {
		if len(rest) != 8 {
			r.Problem("queue: key %x", rest)
			return true
		}
		e, err := decode(binary.BigEndian.Uint64(rest), v)
		if err != nil {
			r.Problem("%v", err)
			return true
		}
		r.Refers(e.Blob)
		if len(e.Recipients) == 0 || (e.Domain == "") != (e.Account != 0) {
			r.Problem("queue entry %d: nobody to go to", e.ID)
		}
		if !e.Hold {
			waiting[e.ID] = e.Due.UnixMilli()
		}
		return true
	})
	tx.ScanPrefix([]byte{'R'}, func(rest, _ []byte) bool {
		if len(rest) != 16 {
			r.Problem("queue: due key %x", rest)
			return true
		}
		id, at := binary.BigEndian.Uint64(rest[8:]), int64(binary.BigEndian.Uint64(rest))
		if due, ok := waiting[id]; !ok || due != at {
			r.Problem("queue entry %d: due at %s, the entry does not say so", id, time.UnixMilli(at).UTC().Format(time.RFC3339))
			return true
		}
		delete(waiting, id)
		return true
	})
	for id := range waiting {
		r.Problem("queue entry %d: waits without being due", id)
	}
}
