// Package kv is an ordered, transactional key-value store with bodies beside
// it: what every room above stands on, and all that an engine must offer.
//
// What an engine promises:
//
//   - Update runs its function alone, on the newest state, and returns nil only
//     when what it did is on stable storage. A function that fails or panics
//     leaves no trace. The function does no I/O and asks no clock.
//   - An Update whose function failed or changed nothing returns only when what
//     the function saw is on stable storage: an answer made of it ("exists
//     already") is one that a View can give from then on. If that is lost, the
//     Update returns why, and not the function's error.
//   - View sees one state: the newest that is on stable storage when it begins.
//     Nobody reads what a power cut could still take back.
//   - A body is attached in the same transaction as what refers to it, and
//     lasts as it does.
//   - What was read is what was written, or an error that wraps ErrCorrupt.
//   - An error of stable storage is final: the engine fails every later Update,
//     and Failed tells. It leaves a note where it can: the next life verifies
//     what it finds, and after a second failure, or if it finds damage, serves
//     for reading only, which ReadOnly tells.
//
// Package kvtest holds what every engine must pass; kv/local is the default.
package kv

import (
	"context"
	"errors"

	"essaim.coop/essaim/storage/blob"
)

// MaxKey is the longest key in bytes; MaxValue the longest value.
const (
	MaxKey   = 512
	MaxValue = 4 << 20
)

var (
	ErrCorrupt  = errors.New("kv: stored data is damaged")
	ErrFull     = errors.New("kv: no space left")
	ErrFailed   = errors.New("kv: the engine failed to reach stable storage and has stopped")
	ErrClosed   = errors.New("kv: closed")
	ErrTooLarge = errors.New("kv: key or value too large")
	ErrNoBlob   = errors.New("kv: no such body")
	ErrReadOnly = errors.New("kv: for reading only")
)

// A Reader reads one state. It and what it returns are valid until the
// function it was given to returns; nothing may be changed in place. Damage
// met while reading reads as absence and fails the View or Update at its end.
type Reader interface {
	// Get returns the value of a key, nil when there is none.
	Get(key []byte) []byte
	// Scan calls fn in order of the keys in [from, to), a nil to being the end,
	// or backwards, until fn returns false. fn must not write.
	Scan(from, to []byte, reverse bool, fn func(key, value []byte) bool)
	// Blobs calls fn with every body and its size, in order of the IDs, until fn
	// returns false. In an Update, bodies that are not durable may be missing.
	Blobs(fn func(id blob.ID, size int64) bool)
}

// A Tx is the transaction of one Update. Errors are sticky: the Update fails.
type Tx interface {
	Reader
	// Put and Delete copy what they are given.
	Put(key, value []byte)
	Delete(key []byte)
	// Attach makes a staged body part of the transaction.
	Attach(*blob.Staged) blob.ID
	// Free deletes a body; its space comes back some time after the commit.
	Free(blob.ID)
}

// An Engine keeps keys, values and bodies. Safe for concurrent use.
type Engine interface {
	View(func(Reader) error) error
	Update(func(Tx) error) error
	// Stage starts a body that can be attached here.
	Stage() *blob.Writer
	// Open reads an attached body of the newest durable state.
	Open(blob.ID) (*blob.Reader, error)
	// Blobs calls fn with every body of the newest durable state, in order.
	Blobs(fn func(id blob.ID, size int64) bool) error
	// Snapshot copies the newest durable state to dir, from which an engine of
	// the same kind opens; a dir that holds an older snapshot of this store is
	// brought up to date at the price of what changed.
	Snapshot(ctx context.Context, dir string) error
	Stats() Stats
	// Verify calls bad with every damage in what it keeps besides the bodies,
	// naming the file. An error is what kept it from looking, or wraps ErrCorrupt
	// when keys and values should not be read any more.
	Verify(ctx context.Context, bad func(string)) error
	// VerifyBody reads an attached body; its error names the damaged file.
	VerifyBody(blob.ID) error
	// Failed is closed when stable storage has failed.
	Failed() <-chan struct{}
	// ReadOnly says why every Update is refused, with ErrReadOnly; "" if none is.
	ReadOnly() string
	// ClearFailure takes the note of an earlier failure away, which the next
	// Open then does not see.
	ClearFailure() error
	Close() error
}

// Stats are counters since the engine was opened, and sizes of now, in bytes.
type Stats struct {
	Commits, Groups, Syncs, Checkpoints uint64
	Written                             Written
	Overlay, Tree, TreeFree             int64
	Journal, JournalLive                int64
	Blobs                               int64
}

// Written is the bytes written to files, by cause.
type Written struct {
	Bodies uint64 // small bodies in the journal, in their stored form
	Redo   uint64 // what transactions did, in the journal
	Frames uint64 // the journal's own headers
	Rest   uint64 // of blocks that a group does not fill, which are written again with the next
	Files  uint64 // large bodies
	Tree   uint64 // pages of checkpoints, and of compaction
	Spare  uint64 // pages of the spare copy of the tree
}

// Journal is what groups of transactions took in the journal.
func (w Written) Journal() uint64 { return w.Bodies + w.Redo + w.Frames }
