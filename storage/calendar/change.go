package calendar

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// Changes is what to Watch to hear of new changes; it stands for no account.
const Changes storage.AccountID = 1<<32 - 1

// A Change is what somebody did to an object that has an organizer. It waits, in
// the order of IDs, until its scheduling messages have been delivered or sent,
// and holds the bytes of both states until then.
type Change struct {
	ID       uint64 `json:"-"`
	By       storage.AccountID
	Owner    storage.AccountID // of the calendar
	Calendar storage.CollectionID
	Old, New blob.ID   // 0: it was not there, or is not any more
	Silent   bool      `json:",omitempty"` // Schedule-Reply: F (RFC 6638 §8.1)
	At       time.Time // when it was made
}

const changeFormat = 1

// Schedule notes a change in its own transaction. old or new is nil when the
// object is made or removed; an object without an organizer is nobody else's
// business.
func Schedule(tx *storage.Tx, c Calendar, old, new *Object, by storage.AccountID, silent bool, now time.Time) error {
	if (old == nil || !old.Scheduling) && (new == nil || !new.Scheduling) {
		return nil
	}
	ch := Change{By: by, Owner: c.Account, Calendar: c.ID, Silent: silent, At: now}
	if old != nil {
		ch.Old = old.Blob
		tx.Retain(old.Blob)
	}
	if new != nil {
		ch.New = new.Blob
		tx.Retain(new.Blob)
	}
	v, err := json.Marshal(ch)
	if err != nil {
		return err
	}
	tx.Put(changeKey(tx.NextID("calendar change")), append([]byte{changeFormat}, v...))
	tx.Touch(Changes)
	return nil
}

func changeKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'y'}, id) }

func readChange(rest, v []byte) (ch Change, err error) {
	if len(rest) != 8 || len(v) == 0 || v[0] != changeFormat {
		return ch, fmt.Errorf("row %x: %w", rest, storage.ErrInvalid)
	}
	err = json.Unmarshal(v[1:], &ch)
	ch.ID = binary.BigEndian.Uint64(rest)
	return ch, err
}

// NextChange is the first change that waits after another; false when there is
// none.
func NextChange(tx *storage.Tx, after uint64) (ch Change, ok bool, err error) {
	tx.Scan(changeKey(after+1), []byte{'y' + 1}, false, func(k, v []byte) bool {
		ch, err = readChange(k[1:], v)
		ch.ID = binary.BigEndian.Uint64(k[1:])
		ok = true
		return false
	})
	return ch, ok, err
}

// Done takes a change out, in the transaction that does its scheduling.
// storage.ErrNotFound when that was done already.
func (ch *Change) Done(tx *storage.Tx) error {
	k := changeKey(ch.ID)
	if tx.Get(k) == nil {
		return fmt.Errorf("change %d: %w", ch.ID, storage.ErrNotFound)
	}
	tx.Delete(k)
	for _, id := range []blob.ID{ch.Old, ch.New} {
		if id != 0 {
			tx.Release(id)
		}
	}
	return nil
}

// Bodies reads both states, outside any transaction; nil is one that is not
// there.
func (ch *Change) Bodies(db *storage.DB) (old, new []byte, err error) {
	read := func(id blob.ID) ([]byte, error) {
		if id == 0 {
			return nil, nil
		}
		return db.ReadBlob(id)
	}
	old, err1 := read(ch.Old)
	new, err2 := read(ch.New)
	return old, new, errors.Join(err1, err2)
}

// PutAs is Put by a client, and notes it for scheduling.
func PutAs(tx *storage.Tx, c Calendar, name string, in *Incoming, by storage.AccountID, silent bool, now time.Time) (Object, error) {
	old, err := Get(tx, c.ID, name)
	if err != nil {
		o, err := Put(tx, c, name, in, Client, now)
		if err == nil {
			err = Schedule(tx, c, nil, &o, by, silent, now)
		}
		return o, err
	}
	tx.Retain(old.Blob) // Put gives it back
	o, err := Put(tx, c, name, in, Client, now)
	if err == nil && o.Blob != old.Blob {
		err = Schedule(tx, c, &old, &o, by, silent, now)
	}
	if err == nil {
		tx.Release(old.Blob)
	}
	return o, err
}

// RemoveAs is Remove by a client, and notes it for scheduling.
func RemoveAs(tx *storage.Tx, c Calendar, o Object, by storage.AccountID, silent bool, now time.Time) error {
	if err := Schedule(tx, c, &o, nil, by, silent, now); err != nil {
		return err
	}
	return Remove(tx, c, o)
}
