package accounts

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/storage"
)

// A Destination is where mail for an address goes.
type Destination struct {
	Accounts []storage.AccountID
	External []string // members of forwarding groups who are elsewhere
}

// Resolve finds where mail for an address of ours goes: the address itself, the
// address without +tag, the same in the domain this one is an alias of, the
// domain's catch-all. ErrNotFound when nobody has it.
func Resolve(tx *storage.Tx, address string) (d Destination, err error) {
	address, err = Normalize(address)
	if err != nil {
		return d, err
	}
	id, ok := find(tx, address)
	if !ok {
		return d, fmt.Errorf("address %s: %w", address, storage.ErrNotFound)
	}
	return d, d.add(tx, id, 0)
}

// Holder finds the account whose address this is, as Resolve does but for the
// domain's catch-all: nobody is invited by a slip of the pen.
func Holder(tx *storage.Tx, address string) (Account, error) {
	address, err := Normalize(address)
	if err != nil {
		return Account{}, err
	}
	id, ok := find(tx, address)
	if !ok {
		return Account{}, fmt.Errorf("address %s: %w", address, storage.ErrNotFound)
	}
	a, err := Get(tx, id)
	if err != nil {
		return a, err
	}
	_, domain, _ := strings.Cut(address, "@")
	var dom Domain
	if get(tx, append([]byte{'d'}, domain...), &dom) == nil && dom.CatchAll != "" && address != dom.CatchAll && !isOwn(tx, a.ID, address, dom) {
		return Account{}, fmt.Errorf("address %s: %w", address, storage.ErrNotFound)
	}
	return a, nil
}

// SchedulesAs tells in whose name a user schedules in a calendar: in that of its
// owner, and in a calendar of a group also in the user's own.
func SchedulesAs(tx *storage.Tx, owner, user storage.AccountID) func(address string) bool {
	o, err := Get(tx, owner)
	group := err == nil && o.Group
	return func(address string) bool {
		a, err := Holder(tx, address)
		return err == nil && (a.ID == owner || group && a.ID == user)
	}
}

// isOwn reports whether an address leads to an account otherwise than by the
// catch-all of its domain.
func isOwn(tx *storage.Tx, a storage.AccountID, address string, dom Domain) bool {
	local, domain, _ := strings.Cut(address, "@")
	if dom.AliasOf != "" {
		domain = dom.AliasOf
	}
	base, _, _ := strings.Cut(local, "+")
	for _, c := range []string{address, local + "@" + domain, base + "@" + domain} {
		if tx.Get(key('c', a, c)) != nil {
			return true
		}
	}
	return false
}

func find(tx *storage.Tx, address string) (storage.AccountID, bool) {
	local, domain, _ := strings.Cut(address, "@")
	var dom Domain
	if get(tx, append([]byte{'d'}, domain...), &dom) != nil {
		return 0, false
	}
	if dom.AliasOf != "" {
		domain = dom.AliasOf
	}
	base, _, tagged := strings.Cut(local, "+")
	candidates := []string{address, local + "@" + domain}
	if tagged && base != "" {
		candidates = append(candidates, base+"@"+domain)
	}
	for _, c := range append(candidates, dom.CatchAll) {
		if v := tx.Get(append([]byte{'b'}, c...)); len(v) == 4 {
			return storage.AccountID(binary.BigEndian.Uint32(v)), true
		}
	}
	return 0, false
}

func (d *Destination) add(tx *storage.Tx, id storage.AccountID, depth int) error {
	if slices.Contains(d.Accounts, id) {
		return nil
	}
	a, err := Get(tx, id)
	if err != nil {
		return err
	}
	d.Accounts = append(d.Accounts, id)
	if !a.Group || !a.Forward || depth >= maxNesting {
		return nil
	}
	for _, inner := range MemberAccounts(tx, id) {
		if err := d.add(tx, inner, depth+1); err != nil {
			return err
		}
	}
	for _, m := range outside(tx, id) {
		if !slices.Contains(d.External, m) {
			d.External = append(d.External, m)
		}
	}
	return nil
}

// MaySendAs reports whether an account may write a sender address: its own,
// with any +tag, or that of a group it is in.
func MaySendAs(tx *storage.Tx, a storage.AccountID, address string) bool {
	address, err := Normalize(address)
	if err != nil {
		return false
	}
	local, domain, _ := strings.Cut(address, "@")
	base, _, _ := strings.Cut(local, "+")
	ids := Identities(tx, a)
	for _, c := range []string{address, base + "@" + domain} {
		v := tx.Get(append([]byte{'b'}, c...))
		if len(v) == 4 && slices.Contains(ids, storage.AccountID(binary.BigEndian.Uint32(v))) {
			return true
		}
	}
	return false
}
