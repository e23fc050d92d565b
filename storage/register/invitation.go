package register

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

// ErrInvitation says that a code invites nobody, or nobody any more.
var ErrInvitation = errors.New("no such invitation")

// An Invitation lets people join. Household 0 makes a new household for whoever
// takes it, with the quota and size it says; otherwise they join that one.
type Invitation struct {
	ID         string `json:"-"` // for lists; opens nothing
	Household  storage.HouseholdID
	Domain     string // where the new address will be
	Language   string
	Quota      int64 // bytes, of a new household
	Size       int   // accounts, of a new household
	Cooperator bool
	Subscriber bool
	Approve    bool // an administrator has to say yes before the account opens
	Uses       int  // how often it can still be taken
	Expires    time.Time
	Created    time.Time
	By         storage.AccountID
	Note       string `json:",omitempty"` // for whom, as the administrator wrote it
}

// MaxInvitations is how many can be open at once.
const MaxInvitations = 5000

var codeText = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

func invitationKey(code string) []byte {
	h := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(code))))
	return append([]byte{'N'}, h[:]...)
}

// Invite keeps an invitation and returns its code of 160 random bits, to be
// put in a link; it cannot be shown again.
func Invite(tx *storage.Tx, i Invitation, now time.Time) (code string, err error) {
	switch {
	case !i.Expires.After(now) || i.Expires.After(now.AddDate(1, 0, 1)):
		return "", fmt.Errorf("an invitation that ends %v: %w", i.Expires, storage.ErrInvalid)
	case i.Uses < 1 || i.Uses > 500 || len(i.Note) > 500 || i.Quota < 0 || i.Size < 0:
		return "", fmt.Errorf("invitation: %w", storage.ErrInvalid)
	}
	open := 0
	Invitations(tx, func(Invitation) bool { open++; return true })
	if open >= MaxInvitations {
		return "", fmt.Errorf("%d invitations are open: %w", open, storage.ErrInvalid)
	}
	raw := make([]byte, 20)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	code = codeText.EncodeToString(raw)
	i.Created = now
	return code, putInvitation(tx, invitationKey(code), i)
}

func putInvitation(tx *storage.Tx, key []byte, i Invitation) error {
	b, err := json.Marshal(i)
	if err == nil {
		tx.Put(key, b)
	}
	return err
}

// Invited returns the invitation of a code, or ErrInvitation.
func Invited(tx *storage.Tx, code string, now time.Time) (i Invitation, err error) {
	key := invitationKey(code)
	v := tx.Get(key)
	if v == nil {
		return i, ErrInvitation
	}
	if err := json.Unmarshal(v, &i); err != nil {
		return i, err
	}
	i.ID = hex.EncodeToString(key[1:9])
	if now.After(i.Expires) || i.Uses < 1 {
		return i, ErrInvitation
	}
	return i, nil
}

// Take uses an invitation once, in the transaction that makes the account.
func Take(tx *storage.Tx, code string, now time.Time) (Invitation, error) {
	i, err := Invited(tx, code, now)
	if err != nil {
		return i, err
	}
	key := invitationKey(code)
	if i.Uses--; i.Uses == 0 {
		tx.Delete(key)
		return i, nil
	}
	return i, putInvitation(tx, key, i)
}

// Invitations calls fn with each, expired ones included, in no order.
func Invitations(tx *storage.Tx, fn func(Invitation) bool) {
	tx.ScanPrefix([]byte{'N'}, func(rest, v []byte) bool {
		var i Invitation
		if json.Unmarshal(v, &i) != nil {
			return true
		}
		i.ID = hex.EncodeToString(rest[:8])
		return fn(i)
	})
}

// Withdraw takes an invitation back by its ID.
func Withdraw(tx *storage.Tx, id string) error {
	n := dropInvitations(tx, 1, func(i Invitation) bool { return i.ID == id })
	if n == 0 {
		return fmt.Errorf("invitation %.16q: %w", id, storage.ErrNotFound)
	}
	return nil
}

// Sweep removes at most limit expired invitations and reports whether that
// was all.
func Sweep(tx *storage.Tx, now time.Time, limit int) bool {
	return dropInvitations(tx, limit, func(i Invitation) bool { return now.After(i.Expires) }) < limit
}

func dropInvitations(tx *storage.Tx, limit int, which func(Invitation) bool) int {
	var keys [][]byte
	tx.ScanPrefix([]byte{'N'}, func(rest, v []byte) bool {
		var i Invitation
		bad := json.Unmarshal(v, &i) != nil
		if i.ID = hex.EncodeToString(rest[:8]); bad || which(i) {
			keys = append(keys, append([]byte{'N'}, slices.Clone(rest)...))
		}
		return len(keys) < limit
	})
	for _, k := range keys {
		tx.Delete(k)
	}
	return len(keys)
}
