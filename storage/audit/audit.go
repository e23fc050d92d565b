// Package audit keeps who did what to the cooperative's accounts and settings.
//
// What it promises: an entry is written in the transaction of what it tells,
// so neither is there without the other. Entries are chained by their hashes:
// one that was changed or taken out of the middle shows in Verify. Nothing of
// anybody's content is in them. Addresses of clients are forgotten after a
// week, entries after a season or as long as the cooperative decides.
//
// Key schema:
//
//	'Z' number(8)  hash(32) of the entry before, then the Entry as JSON
//	'X' account(4) number(8)  nothing: the entries by or about an account
//	'Y' number(8)  the client's address, as text
//	"Zend"         number(8) and hash(32) of the newest entry
//	"Zcut"         number(8) and hash(32) of the newest entry that was forgotten
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
)

// How long things are kept when the cooperative decides nothing else.
const (
	KeepClient = 7 * 24 * time.Hour
	KeepEntry  = 90 * 24 * time.Hour
)

// ErrBroken says that the chain of entries does not hold.
var ErrBroken = errors.New("the audit log was changed")

// An Entry is one thing that was done.
type Entry struct {
	Number uint64            `json:"-"`
	At     time.Time         `json:"at"`
	By     storage.AccountID `json:"by,omitempty"`     // 0 is the command line or the house itself
	Did    string            `json:"did"`              // a word, as member.suspend
	About  storage.AccountID `json:"about,omitempty"`  // whom it concerns; they may read it
	Detail string            `json:"detail,omitempty"` // an address, a device's name, a size; no content, no secret
	Client string            `json:"-"`                // address of who asked; forgotten first
}

// maxDetail bounds what a form can write into the log, in bytes.
const maxDetail = 500

var (
	endKey = []byte("Zend")
	cutKey = []byte("Zcut")
)

// Rows of entries are 'Z' and eight bytes, and numbers stay far below 2^56, so
// the named keys sort behind them.
func entryKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'Z'}, n) }
func accountKey(a storage.AccountID, n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{'X'}, uint32(a)), n)
}
func clientKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'Y'}, n) }

// Append writes an entry.
func Append(tx *storage.Tx, e Entry) error {
	if len(e.Detail) > maxDetail {
		e.Detail = e.Detail[:maxDetail]
	}
	n, before := mark(tx, endKey)
	n++
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	row := append(bytes.Clone(before), body...)
	tx.Put(entryKey(n), row)
	tx.Put(endKey, appendMark(n, row))
	for _, a := range e.accounts() {
		tx.Put(accountKey(a, n), []byte{})
	}
	if e.Client != "" {
		tx.Put(clientKey(n), []byte(e.Client))
	}
	return nil
}

// accounts are those an entry is by and about.
func (e Entry) accounts() (out []storage.AccountID) {
	if e.By != 0 {
		out = append(out, e.By)
	}
	if e.About != 0 && e.About != e.By {
		out = append(out, e.About)
	}
	return out
}

func appendMark(n uint64, row []byte) []byte {
	h := sha256.Sum256(row)
	return append(binary.BigEndian.AppendUint64(nil, n), h[:]...)
}

func mark(tx *storage.Tx, key []byte) (n uint64, hash []byte) {
	v := tx.Get(key)
	if len(v) != 8+sha256.Size {
		return 0, make([]byte, sha256.Size)
	}
	return binary.BigEndian.Uint64(v), v[8:]
}

// Entries calls fn with the entries before a number, newest first, until it
// returns false. Before 0 begins at the newest.
func Entries(tx *storage.Tx, before uint64, fn func(Entry) bool) error {
	if before == 0 {
		end, _ := mark(tx, endKey)
		before = end + 1
	}
	var err error
	tx.Scan(entryKey(0), entryKey(before), true, func(k, v []byte) bool {
		var e Entry
		if e, err = decode(k, v); err != nil {
			return false
		}
		e.Client = string(tx.Get(clientKey(e.Number)))
		return fn(e)
	})
	return err
}

// EntriesOf is Entries of those by or about an account; it reads no others.
func EntriesOf(tx *storage.Tx, a storage.AccountID, before uint64, fn func(Entry) bool) error {
	if before == 0 {
		end, _ := mark(tx, endKey)
		before = end + 1
	}
	var err error
	tx.Scan(accountKey(a, 0), accountKey(a, before), true, func(k, _ []byte) bool {
		n := binary.BigEndian.Uint64(k[5:])
		row := tx.Get(entryKey(n))
		if row == nil {
			return true // Verify tells of it
		}
		var e Entry
		if e, err = decode(entryKey(n), row); err != nil {
			return false
		}
		e.Client = string(tx.Get(clientKey(n)))
		return fn(e)
	})
	return err
}

func decode(k, v []byte) (e Entry, err error) {
	if len(k) != 9 || len(v) < sha256.Size {
		return e, fmt.Errorf("entry of %d bytes: %w", len(v), ErrBroken)
	}
	if err := json.Unmarshal(v[sha256.Size:], &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	e.Number = binary.BigEndian.Uint64(k[1:])
	return e, nil
}

// Check is the room's storage.CheckHook: the chain is whole.
func Check(tx *storage.Tx, r *storage.Report) {
	if err := Verify(tx); err != nil {
		r.Problem("audit log: %v", err)
	}
}

// Verify walks the whole chain: every entry follows the one before, from the
// last that was forgotten to the newest.
func Verify(tx *storage.Tx) error {
	n, hash := mark(tx, cutKey)
	hash = bytes.Clone(hash)
	var err error
	tx.Scan(entryKey(0), entryKey(1<<56), false, func(k, v []byte) bool {
		var e Entry
		if e, err = decode(k, v); err != nil {
			return false
		}
		if e.Number != n+1 || !bytes.Equal(v[:sha256.Size], hash) {
			err = fmt.Errorf("entry %d does not follow %d: %w", e.Number, n, ErrBroken)
			return false
		}
		h := sha256.Sum256(v)
		n, hash = e.Number, h[:]
		return true
	})
	if err != nil {
		return err
	}
	if end, last := mark(tx, endKey); end != n || n > 0 && !bytes.Equal(last, hash) {
		return fmt.Errorf("the log ends at %d and should at %d: %w", n, end, ErrBroken)
	}
	return nil
}

// Forget drops what is older than it may be, at most limit rows of each kind,
// and reports whether that was all.
func Forget(tx *storage.Tx, now time.Time, keepClient, keepEntry time.Duration, limit int) (done bool, err error) {
	var clients [][]byte
	var entries []Entry
	tx.Scan(entryKey(0), entryKey(1<<56), false, func(k, v []byte) bool {
		var e Entry
		if e, err = decode(k, v); err != nil || now.Sub(e.At) <= keepEntry {
			return false
		}
		entries = append(entries, e)
		return len(entries) < limit
	})
	if err != nil {
		return false, err
	}
	tx.Scan(clientKey(0), clientKey(1<<56), false, func(k, _ []byte) bool {
		n := binary.BigEndian.Uint64(k[1:])
		if v := tx.Get(entryKey(n)); v != nil {
			if e, bad := decode(entryKey(n), v); bad == nil && now.Sub(e.At) <= min(keepClient, keepEntry) {
				return false
			}
		}
		clients = append(clients, slices.Clone(k))
		return len(clients) < limit
	})
	for _, k := range clients {
		tx.Delete(k)
	}
	for _, e := range entries {
		tx.Put(cutKey, appendMark(e.Number, tx.Get(entryKey(e.Number))))
		tx.Delete(entryKey(e.Number))
		for _, a := range e.accounts() {
			tx.Delete(accountKey(a, e.Number))
		}
	}
	return len(clients) < limit && len(entries) < limit, nil
}
