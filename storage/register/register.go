// Package register keeps what a cooperative knows of its households beyond
// their accounts: what they are called, until when they paid, and who is
// invited to join.
//
// What it promises: a household has one structured reference for its payments,
// which no other ever has. Being late changes nothing by itself: what follows
// is the administrator's to do. Of an invitation only the hash of its code is
// kept; an invitation is good until it expires or is used as often as it says.
// The caller opens the transaction and says what time it is.
//
// Key schema; values are JSON unless said:
//
//	'I' household(4)     a Household
//	'J' reference(12)    household(4), by the digits of its reference
//	"Jcoop"              the Coop
//	'N' hash(32)         an Invitation, by the hash of its code
package register

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"essaim.coop/essaim/storage"
)

// A Household shares a quota and a subscription.
type Household struct {
	ID        storage.HouseholdID `json:"-"`
	Name      string
	Size      int       // accounts it may have; 0 is no limit
	Paid      time.Time // until the end of this day; zero when nothing was paid yet
	Reference string    // twelve digits; Structured writes them as banks do
	Note      string    `json:",omitempty"` // the administrators', about money and keys; the members can read it
}

// Late reports whether a household that ever paid is behind.
func (h Household) Late(now time.Time) bool {
	return !h.Paid.IsZero() && !now.Before(h.Paid.AddDate(0, 0, 1))
}

func householdKey(h storage.HouseholdID) []byte {
	return binary.BigEndian.AppendUint32([]byte{'I'}, uint32(h))
}

// Get returns what is known of a household; one that was never put has only
// its ID.
func Get(tx *storage.Tx, id storage.HouseholdID) (h Household, err error) {
	h.ID = id
	if v := tx.Get(householdKey(id)); v != nil {
		err = json.Unmarshal(v, &h)
	}
	return h, err
}

// Put writes what is known of a household and gives it a reference when it has
// none. The reference itself never changes.
func Put(tx *storage.Tx, h Household) (Household, error) {
	switch {
	case utf8.RuneCountInString(h.Name) > 100 || len(h.Note) > 2000:
		return h, fmt.Errorf("name or note too long: %w", storage.ErrInvalid)
	case h.Size < 0 || h.Size > 1000:
		return h, fmt.Errorf("household of %d accounts: %w", h.Size, storage.ErrInvalid)
	}
	old, err := Get(tx, h.ID)
	if err != nil {
		return h, err
	}
	if h.Reference = old.Reference; h.Reference == "" {
		h.Reference = withCheck(tx.NextID("reference"))
		tx.Put(append([]byte{'J'}, h.Reference...), binary.BigEndian.AppendUint32(nil, uint32(h.ID)))
	}
	b, err := json.Marshal(h)
	if err == nil {
		tx.Put(householdKey(h.ID), b)
	}
	return h, err
}

// ByReference returns the household that a payment is from.
func ByReference(tx *storage.Tx, reference string) (Household, error) {
	digits, err := ParseReference(reference)
	if err != nil {
		return Household{}, err
	}
	v := tx.Get(append([]byte{'J'}, digits...))
	if len(v) != 4 {
		return Household{}, fmt.Errorf("reference %s: %w", Structured(digits), storage.ErrNotFound)
	}
	return Get(tx, storage.HouseholdID(binary.BigEndian.Uint32(v)))
}

// Households calls fn with each that was put, in order of IDs.
func Households(tx *storage.Tx, fn func(Household) bool) error {
	var err error
	tx.ScanPrefix([]byte{'I'}, func(rest, v []byte) bool {
		h := Household{ID: storage.HouseholdID(binary.BigEndian.Uint32(rest))}
		if err = json.Unmarshal(v, &h); err != nil {
			return false
		}
		return fn(h)
	})
	return err
}

// Remove forgets a household and takes its invitations back. Its reference
// stays taken, as a late payment must not be another's.
func Remove(tx *storage.Tx, id storage.HouseholdID) {
	tx.Delete(householdKey(id))
	dropInvitations(tx, MaxInvitations, func(i Invitation) bool { return i.Household == id })
}

// withCheck makes twelve digits of a number: the tenfold is spread so that
// neighbours differ in more than their end, and the last two are the
// remainder by 97, which is how Belgian banks check a reference.
func withCheck(n uint64) string {
	base := (n*7_919_000_079 + 1_203) % 10_000_000_000
	check := base % 97
	if check == 0 {
		check = 97
	}
	return fmt.Sprintf("%010d%02d", base, check)
}

// ParseReference reads a reference as people and banks write it, +++ and
// slashes or not, and returns its twelve digits. A wrong check is ErrInvalid.
func ParseReference(s string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("+*/ .-", r) {
			return -1
		}
		return r
	}, s)
	var base, check uint64
	if len(digits) != 12 || strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", fmt.Errorf("reference %.30q: %w", s, storage.ErrInvalid)
	}
	if _, err := fmt.Sscanf(digits, "%10d%2d", &base, &check); err != nil || base%97 != check%97 {
		return "", fmt.Errorf("reference %.30q: %w", s, storage.ErrInvalid)
	}
	return digits, nil
}

// Structured writes twelve digits as +++123/4567/89012+++.
func Structured(digits string) string {
	if len(digits) != 12 {
		return digits
	}
	return "+++" + digits[:3] + "/" + digits[3:7] + "/" + digits[7:] + "+++"
}
