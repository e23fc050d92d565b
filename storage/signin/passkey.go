package signin

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
)

// MaxPasskeys is how many an account can have.
const MaxPasskeys = 20

// A Passkey is a WebAuthn credential of an account.
type Passkey struct {
	ID         []byte // the credential's
	Name       string // as its owner calls it
	Credential []byte // what the web side's library keeps of it, with its public key and counter
	Created    time.Time
	Used       time.Time
}

// PutPasskey adds a passkey or writes what changed in one.
func PutPasskey(tx *storage.Tx, a storage.AccountID, p Passkey) error {
	if len(p.ID) == 0 || len(p.ID) > 400 || len(p.Credential) > 16<<10 || len(p.Name) > 200 {
		return fmt.Errorf("passkey: %w", storage.ErrInvalid)
	}
	if tx.Get(accountKey('V', a, p.ID)) == nil && len(Passkeys(tx, a)) >= MaxPasskeys {
		return fmt.Errorf("more than %d passkeys: %w", MaxPasskeys, storage.ErrInvalid)
	}
	b, err := json.Marshal(p)
	if err == nil {
		tx.Put(accountKey('V', a, p.ID), b)
	}
	return err
}

// Passkeys returns an account's.
func Passkeys(tx *storage.Tx, a storage.AccountID) (out []Passkey) {
	tx.ScanPrefix(accountKey('V', a, nil), func(_, v []byte) bool {
		var p Passkey
		if json.Unmarshal(v, &p) == nil {
			out = append(out, p)
		}
		return true
	})
	return out
}

// RemovePasskey takes one away.
func RemovePasskey(tx *storage.Tx, a storage.AccountID, id []byte) error {
	if !slices.ContainsFunc(Passkeys(tx, a), func(p Passkey) bool { return slices.Equal(p.ID, id) }) {
		return fmt.Errorf("passkey: %w", storage.ErrNotFound)
	}
	tx.Delete(accountKey('V', a, id))
	return nil
}
