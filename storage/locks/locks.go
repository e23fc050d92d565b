// Package locks keeps the write locks of WebDAV (RFC 4918 §6, 7): one table for
// the whole store, whoever holds them and by whatever tree they were taken.
//
// What it promises: a lock is there from the commit of its Put until its
// deadline, over restarts, and is not there after it, whether or not anybody has
// cleaned up; two locks that exclude each other are never there together. How
// many an account can hold and how large one can be is bounded. The caller
// opens the transaction and says what time it is.
//
// A lock stays with a name, not with what is under it (RFC 4918 §7.3): its root
// is a path, and there may be nothing there. Paths are canonical, as the door
// makes them: one resource has one path, whoever looks at it; they begin with a
// slash, have none at the end, and each segment is encoded in one way only. A
// path is above another when it is that path's beginning up to a slash.
//
// Key schema; values of 'K' are JSON, those of the others the root:
//
//	'K' root 00 token(16)            Lock; of a long root its beginning
//	'L' creator(4) token(16)         who holds it
//	'M' deadline(8) token(16)        when it ends
//
// RFCs: 4918 §6 and 7, done but for the methods, which are the door's; 4122
// §4.4 (tokens).
package locks

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

const (
	// MaxTimeout is the longest that a lock is held without a refresh.
	MaxTimeout = 24 * time.Hour
	// MaxOwner is the most a client can say about the owner, in bytes.
	MaxOwner = 4 << 10
	// MaxRoot is the longest path that can be locked, in bytes.
	MaxRoot = 8 << 10
	// MaxPerAccount is how many locks one account can hold.
	MaxPerAccount = 1000
	// MaxPerRoot is how many can share one root.
	MaxPerRoot = 50

	keyed   = 440 // bytes of a root that are in the key
	sweep   = 20  // expired locks that one Put takes away
	urnUUID = "urn:uuid:"
)

// A Lock is one lock.
type Lock struct {
	Token    string // a urn:uuid URI, see NewToken
	Root     string // the path that is locked
	Infinite bool   // and everything below it (Depth: infinity)
	Shared   bool
	Creator  storage.AccountID // the only one who may use the token
	Owner    []byte            // what the client said about the owner
	Until    time.Time
}

// NewToken makes a lock token: a random UUID as a URI (RFC 4918 §6.5).
func NewToken() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	h := hex.EncodeToString(u[:])
	return urnUUID + strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// uuid returns the bytes of a token.
func uuid(token string) ([]byte, error) {
	h, ok := strings.CutPrefix(token, urnUUID)
	b, err := hex.DecodeString(strings.ReplaceAll(h, "-", ""))
	if !ok || err != nil || len(b) != 16 {
		return nil, fmt.Errorf("lock token %.60q: %w", token, storage.ErrInvalid)
	}
	return b, nil
}

// clean is a path without a slash at its end; the top is "".
func clean(path string) string { return strings.TrimRight(path, "/") }

func rootPrefix(path string) []byte {
	return append([]byte{'K'}, path[:min(len(path), keyed)]...)
}

func rootKey(l Lock, id []byte) []byte { return append(append(rootPrefix(l.Root), 0), id...) }

func creatorKey(a storage.AccountID, id []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'L'}, uint32(a)), id...)
}

func deadlineKey(t time.Time, id []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{'M'}, uint64(t.UnixMilli())), id...)
}

// at calls fn with every lock whose root is the path, the expired ones too.
func at(tx *storage.Tx, path string, fn func(Lock) bool) {
	tx.ScanPrefix(append(rootPrefix(path), 0), func(_, v []byte) bool {
		l, ok := read(v)
		return !ok || l.Root != path || fn(l)
	})
}

func read(v []byte) (l Lock, ok bool) { return l, json.Unmarshal(v, &l) == nil }

// none reports that nothing is locked, as is mostly so.
func none(tx *storage.Tx) bool {
	empty := true
	tx.ScanPrefix([]byte{'K'}, func(_, _ []byte) bool { empty = false; return false })
	return empty
}

// Covering returns the locks on a path: its own and the infinite ones above it,
// from the path upwards.
func Covering(tx *storage.Tx, path string, now time.Time) (out []Lock) {
	if none(tx) {
		return nil
	}
	path = clean(path)
	for p := path; ; p = p[:strings.LastIndexByte(p, '/')] {
		at(tx, p, func(l Lock) bool {
			if now.Before(l.Until) && (l.Infinite || p == path) {
				out = append(out, l)
			}
			return true
		})
		if strings.IndexByte(p, '/') < 0 {
			return out
		}
	}
}

// Below calls fn with the locks held below a path, those on it left out, until
// it returns false.
func Below(tx *storage.Tx, path string, now time.Time, fn func(Lock) bool) {
	path = clean(path) + "/"
	tx.ScanPrefix(rootPrefix(path), func(_, v []byte) bool {
		l, ok := read(v)
		return !ok || !now.Before(l.Until) || !strings.HasPrefix(l.Root, path) || fn(l)
	})
}

// Put keeps a new lock, or one with the same token and root anew, which is a
// refresh. ErrConflict when another lock stands in its way (RFC 4918 §6.2,
// 7.4), ErrTemporary when its creator holds too many, ErrInvalid beyond the
// bounds.
func Put(tx *storage.Tx, l Lock, now time.Time) error {
	l.Root = clean(l.Root)
	id, err := uuid(l.Token)
	switch {
	case err != nil:
		return err
	case len(l.Owner) > MaxOwner, len(l.Root) > MaxRoot, strings.IndexByte(l.Root, 0) >= 0,
		l.Root != "" && l.Root[0] != '/', !now.Before(l.Until), l.Until.Sub(now) > MaxTimeout:
		return fmt.Errorf("lock on %.80q with %d bytes of owner until %s: %w", l.Root, len(l.Owner), l.Until, storage.ErrInvalid)
	}
	expire(tx, now)
	if other, ok := conflict(tx, l, now); ok {
		return fmt.Errorf("locked by %s: %w", other.Token, storage.ErrConflict)
	}
	if old, ok := read(tx.Get(rootKey(l, id))); ok {
		drop(tx, old, id)
	} else if err := room(tx, l, now); err != nil {
		return err
	}
	l.Until = l.Until.Truncate(time.Millisecond)
	v, err := json.Marshal(l)
	if err != nil {
		return err
	}
	tx.Put(rootKey(l, id), v)
	tx.Put(creatorKey(l.Creator, id), []byte(l.Root))
	tx.Put(deadlineKey(l.Until, id), []byte(l.Root))
	return nil
}

// room refuses one lock too many.
func room(tx *storage.Tx, l Lock, now time.Time) error {
	held, here := 0, 0
	tx.ScanPrefix(creatorKey(l.Creator, nil), func(_, _ []byte) bool { held++; return held < MaxPerAccount })
	at(tx, l.Root, func(o Lock) bool {
		if now.Before(o.Until) {
			here++
		}
		return here < MaxPerRoot
	})
	if held >= MaxPerAccount || here >= MaxPerRoot {
		return fmt.Errorf("%d locks of account %d, %d on %.80q: %w", held, l.Creator, here, l.Root, storage.ErrTemporary)
	}
	return nil
}

// conflict returns a lock that stands in the way of l: one that covers its root
// or, when it is infinite, is below; unless both are shared.
func conflict(tx *storage.Tx, l Lock, now time.Time) (other Lock, found bool) {
	look := func(o Lock) bool {
		if found = o.Token != l.Token && !(o.Shared && l.Shared); found {
			other = o
		}
		return !found
	}
	for _, o := range Covering(tx, l.Root, now) {
		if !look(o) {
			return other, true
		}
	}
	if l.Infinite {
		Below(tx, l.Root, now, look)
	}
	return other, found
}

// Remove takes a lock away. One that is not there is no error.
func Remove(tx *storage.Tx, l Lock) {
	id, err := uuid(l.Token)
	if err != nil {
		return
	}
	l.Root = clean(l.Root)
	if kept, ok := read(tx.Get(rootKey(l, id))); ok {
		drop(tx, kept, id)
	}
}

func drop(tx *storage.Tx, l Lock, id []byte) {
	tx.Delete(rootKey(l, id))
	tx.Delete(creatorKey(l.Creator, id))
	tx.Delete(deadlineKey(l.Until, id))
}

// RemoveTree takes away the locks on a path and below it, as what is there is
// deleted or moves (RFC 4918 §9.6, 7.6).
func RemoveTree(tx *storage.Tx, path string) {
	var gone []Lock
	gather := func(l Lock) bool { gone = append(gone, l); return true }
	at(tx, clean(path), gather)
	Below(tx, path, time.Time{}, gather) // the expired ones as well
	for _, l := range gone {
		Remove(tx, l)
	}
}

// RemoveAccount takes away the locks that an account holds.
func RemoveAccount(tx *storage.Tx, a storage.AccountID) {
	removeNamed(tx, creatorKey(a, nil), creatorKey(a+1, nil), MaxPerAccount)
}

// expire takes a few locks away whose time has come: each Put brings one and
// takes more, so none stay for long.
func expire(tx *storage.Tx, now time.Time) {
	removeNamed(tx, []byte{'M'}, deadlineKey(now.Add(time.Millisecond), nil), sweep)
}

// removeNamed takes away the locks that the rows in [from, to) lead to, at most
// so many.
func removeNamed(tx *storage.Tx, from, to []byte, most int) {
	type row struct {
		root string
		id   []byte
	}
	var rows []row
	tx.Scan(from, to, false, func(k, root []byte) bool {
		rows = append(rows, row{string(root), slices.Clone(k[len(k)-16:])})
		return len(rows) < most
	})
	for _, r := range rows {
		if l, ok := read(tx.Get(rootKey(Lock{Root: r.root}, r.id))); ok {
			drop(tx, l, r.id)
		}
	}
}
