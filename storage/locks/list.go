package locks

import (
	"bytes"
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
)

// List calls fn with every lock in order of roots, until it returns false.
func List(tx *storage.Tx, now time.Time, fn func(Lock) bool) {
	tx.ScanPrefix([]byte{'K'}, func(_, v []byte) bool {
		l, ok := read(v)
		return !ok || !now.Before(l.Until) || fn(l)
	})
}

// Break takes the lock with a token away, whoever holds it; ErrNotFound when
// there is none. It is the administrator's way: a client that still has the
// token is told when it uses it.
func Break(tx *storage.Tx, token string, now time.Time) error {
	var found *Lock
	List(tx, now, func(l Lock) bool {
		if l.Token == token {
			found = &l
		}
		return found == nil
	})
	if found == nil {
		return fmt.Errorf("lock %.60q: %w", token, storage.ErrNotFound)
	}
	Remove(tx, *found)
	return nil
}

// Check is the room's storage.CheckHook: every lock has its deadline and its
// holder, and every row of those leads to a lock.
func Check(tx *storage.Tx, r *storage.Report) {
	locks := 0
	tx.ScanPrefix([]byte{'K'}, func(rest, v []byte) bool {
		l, ok := read(v)
		id, err := uuid(l.Token)
		switch {
		case !ok || err != nil || !bytes.Equal(rootKey(l, id)[1:], rest):
			r.Problem("lock at %q: row of %d bytes", rest, len(v))
			return true
		case tx.Household(l.Creator) == 0:
			r.Problem("lock %s on %q: account %d is missing", l.Token, l.Root, l.Creator)
		case string(tx.Get(creatorKey(l.Creator, id))) != l.Root, string(tx.Get(deadlineKey(l.Until, id))) != l.Root:
			r.Problem("lock %s on %q: a row that leads to it is missing", l.Token, l.Root)
		}
		locks++
		return true
	})
	for _, prefix := range []byte{'M', 'L'} {
		rows := 0
		tx.ScanPrefix([]byte{prefix}, func(_, _ []byte) bool { rows++; return true })
		if rows != locks {
			r.Problem("%d locks, %d rows of %c lead to them", locks, rows, prefix)
		}
	}
}
