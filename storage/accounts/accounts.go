// Package accounts keeps who there is: domains, people, households, groups,
// their addresses and their passwords.
//
// What it promises: an address leads to one account or group; being a
// cooperator and being a subscriber are two facts of a person and neither
// follows from the other; a household shares one quota among its accounts. No
// password is kept that could be read back. The caller opens the transaction.
//
// Key schema; values are JSON unless said:
//
//	'a' account(4)              Account
//	'b' address                 account(4): where mail for the address goes
//	'c' account(4) address      nothing: the addresses of an account
//	'd' domain                  Domain
//	'e' account(4) password(4)  AppPassword
//	'f' account(4)              mainPassword
//	'g' group(4) address        nothing: somebody elsewhere who is in a group
//	'h' name                    a secret of the store, random bytes
//	'A' group(4) account(4)     nothing: an account that is in a group
//	'B' account(4) group(4)     nothing: the groups an account is in
//
// Addresses are kept in lower case and NFC, domains as A-labels (RFC 5890).
package accounts

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/storage"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// An Account is a person's, or a group's.
type Account struct {
	ID        storage.AccountID `json:"-"`
	Address   string            // primary
	Name      string
	Language  string `json:",omitempty"` // fr, nl or en
	Household storage.HouseholdID

	Cooperator bool      `json:",omitempty"` // owns a share
	Subscriber bool      `json:",omitempty"` // pays for the service
	Admin      bool      `json:",omitempty"`
	Suspended  bool      `json:",omitempty"` // receives and reads, cannot send
	Group      bool      `json:",omitempty"` // has no password: what it has is shared
	Hidden     bool      `json:",omitempty"` // not shown to other members in the directory
	Forward    bool      `json:",omitempty"` // a group that also sends to its members
	Resource   string    `json:",omitempty"` // a group that is a Room or Equipment: it answers invitations itself
	Waiting    bool      `json:",omitempty"` // for an administrator's yes; cannot sign in
	Leaving    time.Time `json:",omitzero"`  // when it will be deleted, unless its owner comes back
	Created    time.Time
	Salt       []byte // of the SCRAM keys of its app passwords
}

// What a group can be that is no people (RFC 5545 §3.2.3).
const (
	Room      = "ROOM"
	Equipment = "RESOURCE"
)

// UserType is what kind of calendar user an account is (RFC 5545 §3.2.3).
func (a *Account) UserType() string {
	switch {
	case a.Resource != "":
		return a.Resource
	case a.Group:
		return "GROUP"
	}
	return "INDIVIDUAL"
}

// A NewAccount says what to create. Household 0 makes a new one with Quota.
type NewAccount struct {
	Address, Name, Language                       string
	Cooperator, Subscriber, Admin, Group, Forward bool
	Resource                                      string
	Household                                     storage.HouseholdID
	Quota                                         int64
}

// A Domain is one the cooperative receives mail for.
type Domain struct {
	Name     string `json:"-"`
	CatchAll string `json:",omitempty"` // address that gets what fits no other
	AliasOf  string `json:",omitempty"` // domain whose addresses are good here, too
	Created  time.Time
}

// Normalize returns an address as it is kept. The local part is compared
// without regard to case, as people write it (RFC 5321 §2.4 lets us decide).
func Normalize(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 || len(address) > 320 {
		return "", fmt.Errorf("address %q: %w", address, storage.ErrInvalid)
	}
	local := strings.ToLower(norm.NFC.String(address[:at]))
	if strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '@' || r == '<' || r == '>' }) {
		return "", fmt.Errorf("address %q: %w", address, storage.ErrInvalid)
	}
	domain, err := NormalizeDomain(address[at+1:])
	return local + "@" + domain, err
}

// NormalizeDomain returns a domain's A-label form.
func NormalizeDomain(d string) (string, error) {
	a, err := idna.Lookup.ToASCII(strings.TrimSuffix(strings.ToLower(d), "."))
	if err != nil || a == "" || len(a) > 253 {
		return "", fmt.Errorf("domain %q: %w", d, storage.ErrInvalid)
	}
	return a, nil
}

func key(prefix byte, a storage.AccountID, rest string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{prefix}, uint32(a)), rest...)
}

func put(tx *storage.Tx, k []byte, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		tx.Put(k, b)
	}
	return err
}

func get(tx *storage.Tx, k []byte, v any) error {
	b := tx.Get(k)
	if b == nil {
		return storage.ErrNotFound
	}
	return json.Unmarshal(b, v)
}

// AddDomain makes a domain, with the address that catches all, or "".
func AddDomain(tx *storage.Tx, name, catchAll string) error {
	name, err := NormalizeDomain(name)
	if err != nil {
		return err
	}
	if tx.Get(append([]byte{'d'}, name...)) != nil {
		return fmt.Errorf("domain %s: %w", name, storage.ErrConflict)
	}
	return SetDomain(tx, Domain{Name: name, CatchAll: catchAll})
}

// SetDomain writes a domain's settings.
func SetDomain(tx *storage.Tx, d Domain) error {
	for _, s := range []*string{&d.CatchAll} {
		if *s == "" {
			continue
		}
		var err error
		if *s, err = Normalize(*s); err != nil {
			return err
		}
	}
	if d.AliasOf != "" && !LocalDomain(tx, d.AliasOf) {
		return fmt.Errorf("domain %s: %w", d.AliasOf, storage.ErrNotFound)
	}
	tx.Touch(storage.House)
	return put(tx, append([]byte{'d'}, d.Name...), d)
}

// RemoveDomain removes a domain no address is in.
func RemoveDomain(tx *storage.Tx, name string) error {
	name, err := NormalizeDomain(name)
	if err != nil {
		return err
	}
	if !LocalDomain(tx, name) {
		return fmt.Errorf("domain %s: %w", name, storage.ErrNotFound)
	}
	used := false
	tx.ScanPrefix([]byte{'b'}, func(addr, _ []byte) bool {
		used = strings.HasSuffix(string(addr), "@"+name)
		return !used
	})
	if used {
		return fmt.Errorf("domain %s has addresses: %w", name, storage.ErrConflict)
	}
	tx.Touch(storage.House)
	tx.Delete(append([]byte{'d'}, name...))
	return nil
}

// Domains returns all domains in order.
func Domains(tx *storage.Tx) (out []Domain, err error) {
	tx.ScanPrefix([]byte{'d'}, func(name, v []byte) bool {
		var d Domain
		if err = json.Unmarshal(v, &d); err == nil {
			d.Name = string(name)
			out = append(out, d)
		}
		return err == nil
	})
	return out, err
}

// LocalDomain reports whether mail for a domain is ours.
func LocalDomain(tx *storage.Tx, name string) bool {
	name, err := NormalizeDomain(name)
	return err == nil && tx.Get(append([]byte{'d'}, name...)) != nil
}

// Create makes an account with its primary address, whose domain must be ours.
func Create(tx *storage.Tx, n NewAccount, now time.Time) (Account, error) {
	addr, err := Normalize(n.Address)
	if err != nil {
		return Account{}, err
	}
	salt, err := newSalt()
	if err != nil {
		return Account{}, err
	}
	if n.Household == 0 {
		n.Household = tx.CreateHousehold(n.Quota)
	}
	a := Account{
		ID: tx.CreateAccount(n.Household), Address: addr, Name: n.Name, Language: n.Language, Household: n.Household,
		Cooperator: n.Cooperator, Subscriber: n.Subscriber, Admin: n.Admin, Group: n.Group, Forward: n.Forward, Resource: n.Resource, Created: now, Salt: salt,
	}
	if err := AddAddress(tx, addr, a.ID); err != nil {
		return Account{}, err
	}
	return a, Save(tx, a)
}

// Save writes an account's facts; ErrInvalid for a name that CheckName refuses.
func Save(tx *storage.Tx, a Account) error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	tx.Touch(storage.House)
	return put(tx, key('a', a.ID, ""), a)
}

// Get returns an account.
func Get(tx *storage.Tx, id storage.AccountID) (a Account, err error) {
	if err := get(tx, key('a', id, ""), &a); err != nil {
		return a, fmt.Errorf("account %d: %w", id, err)
	}
	a.ID = id
	return a, nil
}

// Lookup finds the account that has exactly this address.
func Lookup(tx *storage.Tx, address string) (Account, error) {
	address, err := Normalize(address)
	if err != nil {
		return Account{}, err
	}
	v := tx.Get(append([]byte{'b'}, address...))
	if len(v) != 4 {
		return Account{}, fmt.Errorf("address %s: %w", address, storage.ErrNotFound)
	}
	return Get(tx, storage.AccountID(binary.BigEndian.Uint32(v)))
}

// List calls fn with every account until it returns false.
func List(tx *storage.Tx, fn func(Account) bool) (err error) {
	tx.ScanPrefix([]byte{'a'}, func(rest, v []byte) bool {
		var a Account
		if err = json.Unmarshal(v, &a); err != nil {
			return false
		}
		a.ID = storage.AccountID(binary.BigEndian.Uint32(rest))
		return fn(a)
	})
	return err
}

// AddAddress gives an account another address.
func AddAddress(tx *storage.Tx, address string, a storage.AccountID) error {
	address, err := Normalize(address)
	if err != nil {
		return err
	}
	if _, domain, _ := strings.Cut(address, "@"); !LocalDomain(tx, domain) {
		return fmt.Errorf("domain %s is not ours: %w", domain, storage.ErrNotFound)
	}
	if tx.Get(append([]byte{'b'}, address...)) != nil {
		return fmt.Errorf("address %s: %w", address, storage.ErrConflict)
	}
	tx.Put(append([]byte{'b'}, address...), binary.BigEndian.AppendUint32(nil, uint32(a)))
	tx.Put(key('c', a, address), []byte{})
	tx.Touch(storage.House)
	return nil
}

// RemoveAddress takes an address away; the primary one stays.
func RemoveAddress(tx *storage.Tx, address string) error {
	a, err := Lookup(tx, address)
	if err != nil {
		return err
	}
	if address, _ = Normalize(address); address == a.Address {
		return fmt.Errorf("%s is the account's primary address: %w", address, storage.ErrConflict)
	}
	tx.Delete(append([]byte{'b'}, address...))
	tx.Delete(key('c', a.ID, address))
	tx.Touch(storage.House)
	return nil
}

// Addresses returns an account's addresses in order.
func Addresses(tx *storage.Tx, a storage.AccountID) (out []string) {
	tx.ScanPrefix(key('c', a, ""), func(rest, _ []byte) bool { out = append(out, string(rest)); return true })
	return out
}

// Delete removes an account that has no collections any more, and takes it out
// of its groups; of a group, its members lose what they had by it.
func Delete(tx *storage.Tx, id storage.AccountID) error {
	a, err := Get(tx, id)
	if err != nil {
		return err
	}
	if err := tx.DeleteAccount(id); err != nil {
		return err
	}
	for _, addr := range Addresses(tx, id) {
		tx.Delete(append([]byte{'b'}, addr...))
	}
	dropMemberships(tx, id)
	tx.Touch(storage.House)
	for _, prefix := range []byte{'a', 'c', 'e', 'f', 'g'} {
		var keys [][]byte
		tx.ScanPrefix(key(prefix, a.ID, ""), func(rest, _ []byte) bool {
			keys = append(keys, key(prefix, a.ID, string(rest)))
			return true
		})
		for _, k := range keys {
			tx.Delete(k)
		}
	}
	return nil
}
