// Package queue keeps mail for other hosts until it is delivered or returned.
//
// What it promises: a message put into the queue in a transaction is, once the
// transaction is durable, delivered to the next host or returned to its sender
// in a delivery status notification (RFC 3464); neither a crash nor a restart
// loses it. A delivery whose answer was cut off may happen twice, never not at
// all (RFC 5321 §4.1.1.4); one that was answered is written down before the next
// begins. A recipient that was refused for good is not asked for again. The
// queue sleeps until the next entry is due; an empty queue never wakes.
//
// One entry is one message for one domain, as all its recipients can go to the
// same host in one conversation, or for one mailbox here that had no room
// (here.go). Entries for one destination share a lane
// (run.go) with few connections, each used for many of them (carry.go); what
// became of an entry is one transaction with its reports (settle.go).
//
// Key schema:
//
//	'Q' id(8)          the Entry, as JSON with a leading version byte
//	'R' due(8) id(8)   the domain; due is in milliseconds since 1970, held entries have no row
//
// RFCs: 5321 §4.5.4 (retry strategy) and §5 (MX), 7505 (null MX), 3461 (DSN
// parameters), 3464 and 6533 (reports), 3463 (codes), 3834 §2 (no reports
// about reports).
package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// An Entry is one message on its way to the recipients of one domain.
type Entry struct {
	ID         uint64 `json:"-"`
	Domain     string // A-label form; empty with an Account
	Sender     string // reverse-path; empty for reports
	Recipients []Recipient
	Blob       blob.ID
	Prefix     []byte            `json:",omitempty"` // header fields in front of the blob
	Size       int64             // prefix and blob
	Header     int               // bytes of the header block, prefix included
	Ret, EnvID string            `json:",omitempty"` // RFC 3461 §4.3, §4.4
	UTF8       bool              `json:",omitempty"` // needs SMTPUTF8 (RFC 6531)
	EightBit   bool              `json:",omitempty"`
	Account    storage.AccountID `json:",omitempty"` // whose mailbox here was full
	Login      storage.AccountID `json:",omitempty"` // who had logged in to send it there
	Created    time.Time
	Due        time.Time
	Attempts   int    `json:",omitempty"`
	Hold       bool   `json:",omitempty"`
	Warned     bool   `json:",omitempty"` // a delay report was sent
	Host       string `json:",omitempty"` // last host tried
	LastError  string `json:",omitempty"`
}

// A Recipient is an address of an entry that has not been dealt with.
type Recipient struct {
	Addr   string
	ORCPT  string   `json:",omitempty"` // RFC 3461 §4.2, as given
	Notify []string `json:",omitempty"` // NEVER, or some of SUCCESS FAILURE DELAY; empty is FAILURE and DELAY

	LastError string `json:",omitempty"`
}

// subject names an entry in traces.
func (e *Entry) subject() string {
	if e.Account != 0 {
		return fmt.Sprintf("%d account %d", e.ID, e.Account)
	}
	return fmt.Sprintf("%d %s", e.ID, e.Domain)
}

// wants reports whether the sender asked to hear of an event (RFC 3461 §4.1).
func (r Recipient) wants(event string) bool {
	if len(r.Notify) == 0 {
		return event != "SUCCESS"
	}
	for _, n := range r.Notify {
		if strings.EqualFold(n, event) {
			return true
		}
	}
	return false
}

const entryVersion = 1

// Put adds an entry, due now, and takes over one reference to its blob. Wake
// the queue after the transaction.
func Put(tx *storage.Tx, e Entry, now time.Time) (uint64, error) {
	e.ID = tx.NextID("queue")
	e.Created, e.Due = now, now
	return e.ID, save(tx, nil, &e)
}

// save writes the entry and moves its row in the due index.
func save(tx *storage.Tx, old, e *Entry) error {
	if old != nil {
		tx.Delete(dueKey(old.Due, old.ID))
	}
	v, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	tx.Put(entryKey(e.ID), append([]byte{entryVersion}, v...))
	if !e.Hold {
		tx.Put(dueKey(e.Due, e.ID), []byte(e.Domain))
	}
	return nil
}

// remove deletes the entry and gives its blob back.
func remove(tx *storage.Tx, e *Entry) {
	tx.Delete(dueKey(e.Due, e.ID))
	tx.Delete(entryKey(e.ID))
	tx.Release(e.Blob)
}

// get reads an entry, or ErrNotFound.
func get(tx *storage.Tx, id uint64) (*Entry, error) {
	return decode(id, tx.Get(entryKey(id)))
}

func decode(id uint64, v []byte) (*Entry, error) {
	switch {
	case v == nil:
		return nil, fmt.Errorf("queue entry %d: %w", id, storage.ErrNotFound)
	case len(v) == 0 || v[0] != entryVersion:
		return nil, fmt.Errorf("queue entry %d: unknown version: %w", id, storage.ErrInvalid)
	}
	e := &Entry{}
	if err := json.Unmarshal(v[1:], e); err != nil {
		return nil, fmt.Errorf("queue entry %d: %w", id, err)
	}
	e.ID = id
	return e, nil
}

// due calls fn with the entries that are due, oldest first, and returns when
// the next one after those is; zero when there is none.
func due(tx *storage.Tx, now time.Time, fn func(id uint64, domain string) bool) (next time.Time) {
	tx.Scan([]byte{'R'}, []byte{'S'}, false, func(k, v []byte) bool {
		at := time.UnixMilli(int64(binary.BigEndian.Uint64(k[1:9])))
		if at.After(now) {
			next = at
			return false
		}
		return fn(binary.BigEndian.Uint64(k[9:17]), string(v))
	})
	return next
}

func entryKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'Q'}, id) }

func dueKey(t time.Time, id uint64) []byte {
	k := binary.BigEndian.AppendUint64([]byte{'R'}, uint64(t.UnixMilli()))
	return binary.BigEndian.AppendUint64(k, id)
}
