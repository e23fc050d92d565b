package mailbox

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"essaim.coop/essaim/storage"

	"golang.org/x/text/unicode/norm"
)

// Delimiter separates the levels of mailbox names.
const Delimiter = '/'

// What an account sees of others' mailboxes begins with one of these; no
// account has a mailbox of its own there (RFC 2342 §5).
const (
	OtherUsers = "Other Users"
	Shared     = "Shared"
)

// Limits of names: bytes, which fit in a key, and levels.
const (
	maxName   = 400
	maxLevels = 20
)

// Canonical checks the name of a mailbox in its account and returns it as it is
// kept: in NFC, INBOX in capitals at the first level (RFC 9051 §5.1). There are
// no empty levels, no control characters and nothing that breaks a line (RFC
// 5198 §2), nothing that is not UTF-8, and nothing where the mailboxes of others
// are.
func Canonical(name string) (string, error) {
	name = Spell(name)
	first, _, _ := strings.Cut(name, "/")
	switch {
	case name == "" || len(name) > maxName || !utf8.ValidString(name):
	case strings.Count(name, "/") >= maxLevels || slices.Contains(strings.Split(name, "/"), ""):
	case strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == 0xfffd || r == 0x2028 || r == 0x2029
	}):
	case strings.EqualFold(first, OtherUsers) || strings.EqualFold(first, Shared):
	default:
		return name, nil
	}
	return "", fmt.Errorf("mailbox name %q: %w", name, storage.ErrInvalid)
}

// Spell returns a name in NFC and with INBOX in capitals, whatever it names.
func Spell(name string) string {
	name = norm.NFC.String(name)
	first, rest, more := strings.Cut(name, "/")
	if !strings.EqualFold(first, "INBOX") {
		return name
	}
	if more {
		return "INBOX/" + rest
	}
	return "INBOX"
}

func subscriptionKey(a storage.AccountID, name string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'p'}, uint32(a)), name...)
}

// maxSubscribed is longer than any name: that of a mailbox of others has its
// namespace and their address in front.
const maxSubscribed = 500

// Subscribe adds a name to those that an account's clients show, or takes it
// away. It is a name as the account sees it, with that of its namespace, and
// stays when its mailbox goes (RFC 9051 §6.3.7).
func Subscribe(tx *storage.Tx, a storage.AccountID, name string, on bool) error {
	switch key := subscriptionKey(a, name); {
	case name == "" || len(name) > maxSubscribed:
		return fmt.Errorf("mailbox name %q: %w", name, storage.ErrInvalid)
	case on:
		tx.Put(key, []byte{})
	case tx.Get(key) != nil:
		tx.Delete(key)
	}
	return nil
}

// Subscriptions returns the names an account is subscribed to, sorted.
func Subscriptions(tx *storage.Tx, a storage.AccountID) (out []string) {
	tx.ScanPrefix(subscriptionKey(a, ""), func(rest, _ []byte) bool {
		out = append(out, string(rest))
		return true
	})
	return out
}

// renameSubscription lets the owner's follow a mailbox.
func renameSubscription(tx *storage.Tx, a storage.AccountID, from, to string) {
	if k := subscriptionKey(a, from); tx.Get(k) != nil {
		tx.Delete(k)
		tx.Put(subscriptionKey(a, to), []byte{})
	}
}
