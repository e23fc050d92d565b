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

const maxNesting = 5 // groups in groups

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
	for _, m := range Members(tx, id) {
		if inner, ok := find(tx, m); ok {
			if err := d.add(tx, inner, depth+1); err != nil {
				return err
			}
		} else if _, domain, _ := strings.Cut(m, "@"); !LocalDomain(tx, domain) && !slices.Contains(d.External, m) {
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
	for _, c := range []string{address, base + "@" + domain} {
		v := tx.Get(append([]byte{'b'}, c...))
		if len(v) != 4 {
			continue
		}
		id := storage.AccountID(binary.BigEndian.Uint32(v))
		if id == a {
			return true
		}
		if g, err := Get(tx, id); err == nil && g.Group && isMember(tx, id, a) {
			return true
		}
	}
	return false
}

func isMember(tx *storage.Tx, group, a storage.AccountID) bool {
	for _, m := range Members(tx, group) {
		if id, ok := find(tx, m); ok && id == a {
			return true
		}
	}
	return false
}

// AddMember puts an address into a group. A member of ours gets rights on the
// group's collections.
func AddMember(tx *storage.Tx, group storage.AccountID, address string) error {
	address, err := Normalize(address)
	if err != nil {
		return err
	}
	g, err := Get(tx, group)
	if err != nil || !g.Group {
		return fmt.Errorf("account %d is no group: %w", group, storage.ErrInvalid)
	}
	tx.Put(key('g', group, address), []byte{})
	return share(tx, group, address, storage.GroupRights)
}

// RemoveMember takes an address out of a group.
func RemoveMember(tx *storage.Tx, group storage.AccountID, address string) error {
	address, err := Normalize(address)
	if err != nil {
		return err
	}
	if tx.Get(key('g', group, address)) == nil {
		return fmt.Errorf("%s in the group: %w", address, storage.ErrNotFound)
	}
	tx.Delete(key('g', group, address))
	return share(tx, group, address, 0)
}

func share(tx *storage.Tx, group storage.AccountID, address string, rights storage.Rights) error {
	id, ok := find(tx, address)
	if !ok {
		return nil // somebody elsewhere
	}
	for _, k := range []storage.Kind{storage.KindMailbox, storage.KindFolder, storage.KindCalendar, storage.KindAddressBook} {
		for _, c := range tx.Collections(group, k) {
			if err := tx.SetACL(c.ID.Object(), id, rights); err != nil {
				return err
			}
		}
	}
	return nil
}

// Members returns the addresses in a group, in order.
func Members(tx *storage.Tx, group storage.AccountID) (out []string) {
	tx.ScanPrefix(key('g', group, ""), func(rest, _ []byte) bool { out = append(out, string(rest)); return true })
	return out
}
