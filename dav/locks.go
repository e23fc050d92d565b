package dav

import (
	"time"

	"essaim.coop/essaim/storage"
)

// A Lock is a write lock (RFC 4918 §6, 7).
type Lock struct {
	Token    string            // a urn:uuid URI
	Root     string            // canonical path of the resource, without a trailing slash
	Infinite bool              // Depth: infinity
	Shared   bool              //
	Creator  storage.AccountID // the only one who may use the token
	Owner    []byte            // what the client said about the owner: XML that stands on its own
	Until    time.Time
}

// Locks keeps the locks of all trees in the store. Paths are canonical; a path
// is above another when it is that path's prefix up to a slash. A lock whose
// time has come is not there any more.
type Locks interface {
	// Covering returns the locks on a path: its own and the infinite ones above.
	Covering(tx *storage.Tx, path string, now time.Time) []Lock
	// Below calls fn with the locks held below a path, until it returns false.
	Below(tx *storage.Tx, path string, now time.Time, fn func(Lock) bool)
	// Put keeps a lock, new or refreshed. storage.ErrTemporary when its creator
	// holds too many. Whether it conflicts is for the engine to have asked.
	Put(tx *storage.Tx, l Lock, now time.Time) error
	// Remove takes a lock away.
	Remove(tx *storage.Tx, l Lock)
}
