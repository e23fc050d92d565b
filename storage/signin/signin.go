// Package signin keeps how people prove on the web who they are, beyond their
// main password: sessions, one-time codes, recovery codes and passkeys.
//
// What it promises: nothing is kept that would let a reader of the store sign
// in. Of tokens and recovery codes only hashes are here (both are random, so a
// fast hash is enough), of passkeys the public key; the secret of one-time
// codes has to be readable and is sealed with a key of the store's own, which
// keeps it out of a stolen table and no more. A one-time code and a recovery
// code are good once. A session ends after half a day without use, after
// thirty days in any case, and when its account's password changes.
//
// The caller opens the transaction and says what time it is.
//
// Key schema; values are JSON:
//
//	'S' hash(32)           a Session, by the hash of its token
//	'T' account(4) hash    nothing: the sessions of an account
//	'U' account(4) kind(1) 't' one-time codes, 'r' recovery codes
//	"Ukey"                 the key that seals their secrets, random bytes
//	'V' account(4) id      a Passkey
package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
)

// How long a session lasts.
const (
	Idle     = 12 * time.Hour      // without use
	Absolute = 30 * 24 * time.Hour // in any case
	StepUp   = 10 * time.Minute    // after proving again who one is, for what an administrator does
)

// noted is how exactly the last use is known; it spares a write a request.
const noted = 15 * time.Minute

// MaxSessions is how many an account can have; a new one ends the oldest.
const MaxSessions = 50

// ErrNoSession says that a token opens none, or none any more.
var ErrNoSession = errors.New("no such session")

// A Session is one browser that is signed in.
type Session struct {
	ID      string `json:"-"` // for lists; opens nothing
	Account storage.AccountID
	Agent   string // what the browser calls itself
	Created time.Time
	Seen    time.Time // to a quarter of an hour
	Proved  time.Time // when the person last proved who they are
}

// Fresh reports whether the person proved lately who they are.
func (s Session) Fresh(now time.Time) bool { return now.Sub(s.Proved) < StepUp }

func (s Session) expired(now time.Time) bool {
	return now.Sub(s.Seen) > Idle || now.Sub(s.Created) > Absolute
}

func sessionKey(hash []byte) []byte { return append([]byte{'S'}, hash...) }

func accountKey(prefix byte, a storage.AccountID, rest []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{prefix}, uint32(a)), rest...)
}

func hashOf(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// Begin opens a session and returns its token of 256 random bits, which is
// shown once.
func Begin(tx *storage.Tx, a storage.AccountID, agent string, now time.Time) (token string, err error) {
	old := Sessions(tx, a, now)
	for len(old) >= MaxSessions {
		if err := End(tx, a, old[0].ID); err != nil {
			return "", err
		}
		old = old[1:]
	}
	if len(agent) > 200 {
		agent = agent[:200]
	}
	return write(tx, Session{Account: a, Agent: agent, Created: now, Seen: now, Proved: now})
}

func write(tx *storage.Tx, s Session) (token string, err error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, store(tx, hashOf(token), s)
}

func store(tx *storage.Tx, hash []byte, s Session) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tx.Put(sessionKey(hash), b)
	tx.Put(accountKey('T', s.Account, hash), []byte{})
	return nil
}

// Resume returns the session that a token opens, or ErrNoSession. When stale
// is true, the use should be noted with Touch.
func Resume(tx *storage.Tx, token string, now time.Time) (s Session, stale bool, err error) {
	s, err = read(tx, hashOf(token))
	if err != nil || s.expired(now) {
		return Session{}, false, ErrNoSession
	}
	return s, now.Sub(s.Seen) > noted, nil
}

func read(tx *storage.Tx, hash []byte) (s Session, err error) {
	b := tx.Get(sessionKey(hash))
	if b == nil {
		return s, ErrNoSession
	}
	s.ID = hex.EncodeToString(hash[:8])
	return s, json.Unmarshal(b, &s)
}

// Touch notes that a session is in use.
func Touch(tx *storage.Tx, token string, now time.Time) error {
	s, _, err := Resume(tx, token, now)
	if err != nil {
		return err
	}
	s.Seen = now
	return store(tx, hashOf(token), s)
}

// Prove notes that the person proved again who they are and moves the session
// to a new token, so that one that leaked before is worth nothing after.
func Prove(tx *storage.Tx, token string, now time.Time) (fresh string, err error) {
	s, _, err := Resume(tx, token, now)
	if err != nil {
		return "", err
	}
	drop(tx, s.Account, hashOf(token))
	s.Seen, s.Proved = now, now
	return write(tx, s)
}

func drop(tx *storage.Tx, a storage.AccountID, hash []byte) {
	tx.Delete(sessionKey(hash))
	tx.Delete(accountKey('T', a, hash))
}

// Sessions returns an account's sessions that are not over, oldest first.
func Sessions(tx *storage.Tx, a storage.AccountID, now time.Time) (out []Session) {
	tx.ScanPrefix(accountKey('T', a, nil), func(hash, _ []byte) bool {
		if s, err := read(tx, hash); err == nil && !s.expired(now) {
			out = append(out, s)
		}
		return true
	})
	slices.SortStableFunc(out, func(x, y Session) int { return x.Created.Compare(y.Created) })
	return out
}

// End ends the session with an ID; ErrNotFound when the account has none such.
func End(tx *storage.Tx, a storage.AccountID, id string) error {
	found := false
	for _, hash := range hashes(tx, a) {
		if hex.EncodeToString(hash[:8]) == id {
			drop(tx, a, hash)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("session %.16q: %w", id, storage.ErrNotFound)
	}
	return nil
}

// EndOthers ends every session of an account but the one of a token, which may
// be empty; it also clears away those that are over.
func EndOthers(tx *storage.Tx, a storage.AccountID, token string) {
	keep := hashOf(token)
	for _, hash := range hashes(tx, a) {
		if token == "" || !slices.Equal(hash, keep) {
			drop(tx, a, hash)
		}
	}
}

func hashes(tx *storage.Tx, a storage.AccountID) (out [][]byte) {
	tx.ScanPrefix(accountKey('T', a, nil), func(hash, _ []byte) bool {
		out = append(out, slices.Clone(hash))
		return true
	})
	return out
}

// Sweep removes at most limit sessions that are over and reports whether it
// looked at all of them.
func Sweep(tx *storage.Tx, now time.Time, limit int) (done bool) {
	type over struct {
		hash    []byte
		account storage.AccountID
	}
	var gone []over
	tx.ScanPrefix([]byte{'S'}, func(hash, v []byte) bool {
		var s Session
		if json.Unmarshal(v, &s) != nil || s.expired(now) {
			gone = append(gone, over{slices.Clone(hash), s.Account})
		}
		return len(gone) < limit
	})
	for _, g := range gone {
		drop(tx, g.account, g.hash)
	}
	return len(gone) < limit
}

// Forget removes everything of an account that is going away.
func Forget(tx *storage.Tx, a storage.AccountID) {
	EndOthers(tx, a, "")
	RemoveCodes(tx, a)
	for _, p := range Passkeys(tx, a) {
		tx.Delete(accountKey('V', a, p.ID))
	}
}
