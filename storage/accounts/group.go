package accounts

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/storage"
)

// maxNesting is how deep groups can be in groups.
const maxNesting = 5

func memberKey(group, a storage.AccountID) []byte {
	return binary.BigEndian.AppendUint32(key('A', group, ""), uint32(a))
}

func groupsKey(a, group storage.AccountID) []byte {
	return binary.BigEndian.AppendUint32(key('B', a, ""), uint32(group))
}

// AddMember puts an address into a group: an account of ours, which then has
// GroupRights on what the group has and what was given to the group, or somebody
// elsewhere, who gets mail only. ErrNotFound for an address of ours that nobody
// has, ErrInvalid when the group would be in itself or groups too deep in each
// other.
func AddMember(tx *storage.Tx, group storage.AccountID, address string) error {
	address, err := Normalize(address)
	if err != nil {
		return err
	}
	g, err := Get(tx, group)
	if err != nil || !g.Group {
		return fmt.Errorf("account %d is no group: %w", group, storage.ErrInvalid)
	}
	if _, domain, _ := strings.Cut(address, "@"); !LocalDomain(tx, domain) {
		tx.Put(key('g', group, address), []byte{})
		return nil
	}
	id, ok := find(tx, address)
	if !ok {
		return fmt.Errorf("address %s: %w", address, storage.ErrNotFound)
	}
	if slices.Contains(Identities(tx, group), id) || 1+above(tx, group, 0)+below(tx, id, 0) > maxNesting {
		return fmt.Errorf("%s in %s: groups too deep in each other: %w", address, g.Address, storage.ErrInvalid)
	}
	tx.Put(memberKey(group, id), []byte{})
	tx.Put(groupsKey(id, group), []byte{})
	memberChanged(tx, group, id)
	return nil
}

// memberChanged tells those who watch what an account has and may.
func memberChanged(tx *storage.Tx, group, a storage.AccountID) {
	tx.Touch(group)
	tx.Touch(a)
	tx.Touch(storage.House)
}

// above and below are how many groups deep one is in others, and others in it.
func above(tx *storage.Tx, a storage.AccountID, n int) int {
	return deepest(Groups(tx, a), n, func(g storage.AccountID) int { return above(tx, g, n+1) })
}

func below(tx *storage.Tx, a storage.AccountID, n int) int {
	return deepest(MemberAccounts(tx, a), n, func(m storage.AccountID) int { return below(tx, m, n+1) })
}

func deepest(ids []storage.AccountID, n int, down func(storage.AccountID) int) int {
	most := 0
	if n <= maxNesting {
		for _, id := range ids {
			most = max(most, 1+down(id))
		}
	}
	return most
}

// RemoveMember takes an address out of a group.
func RemoveMember(tx *storage.Tx, group storage.AccountID, address string) error {
	address, err := Normalize(address)
	if err != nil {
		return err
	}
	if k := key('g', group, address); tx.Get(k) != nil {
		tx.Delete(k)
		return nil
	}
	id, ok := find(tx, address)
	if !ok || tx.Get(memberKey(group, id)) == nil {
		return fmt.Errorf("%s in the group: %w", address, storage.ErrNotFound)
	}
	dropMember(tx, group, id)
	return nil
}

func dropMember(tx *storage.Tx, group, a storage.AccountID) {
	tx.Delete(memberKey(group, a))
	tx.Delete(groupsKey(a, group))
	memberChanged(tx, group, a)
}

// dropMemberships takes an account out of its groups, and its members out of
// it.
func dropMemberships(tx *storage.Tx, a storage.AccountID) {
	for _, g := range Groups(tx, a) {
		dropMember(tx, g, a)
	}
	for _, m := range MemberAccounts(tx, a) {
		dropMember(tx, a, m)
	}
}

// Members returns the addresses in a group, in order.
func Members(tx *storage.Tx, group storage.AccountID) []string {
	out := outside(tx, group)
	for _, id := range MemberAccounts(tx, group) {
		if a, err := Get(tx, id); err == nil {
			out = append(out, a.Address)
		}
	}
	slices.Sort(out)
	return out
}

// outside returns the members of a group who are elsewhere.
func outside(tx *storage.Tx, group storage.AccountID) (out []string) {
	tx.ScanPrefix(key('g', group, ""), func(rest, _ []byte) bool { out = append(out, string(rest)); return true })
	return out
}

// MemberAccounts returns the accounts that are in a group themselves.
func MemberAccounts(tx *storage.Tx, group storage.AccountID) []storage.AccountID {
	return accountsBelow(tx, key('A', group, ""))
}

// Groups returns the groups that an account is in itself.
func Groups(tx *storage.Tx, a storage.AccountID) []storage.AccountID {
	return accountsBelow(tx, key('B', a, ""))
}

func accountsBelow(tx *storage.Tx, prefix []byte) (out []storage.AccountID) {
	tx.ScanPrefix(prefix, func(rest, _ []byte) bool {
		out = append(out, storage.AccountID(binary.BigEndian.Uint32(rest)))
		return true
	})
	return out
}

// Identities returns an account and all groups it is in, directly or by
// another group: those whose rights it has. The account is the first.
func Identities(tx *storage.Tx, a storage.AccountID) []storage.AccountID {
	out := []storage.AccountID{a}
	for level, from := 0, 0; level <= maxNesting && from < len(out); level++ {
		end := len(out)
		for ; from < end; from++ {
			for _, g := range Groups(tx, out[from]) {
				if !slices.Contains(out, g) {
					out = append(out, g)
				}
			}
		}
	}
	return out
}

// Rights returns what an account, given by its Identities, may do with an
// object: everything with its own, GroupRights with what one of its groups
// has, and what entries on the object and on its collection say. Of the
// folders between the two the tree's room knows.
func Rights(tx *storage.Tx, identities []storage.AccountID, o storage.Object) (r storage.Rights) {
	c, err := tx.Collection(o.Collection)
	if err != nil {
		return 0
	}
	switch slices.Index(identities, c.Account) {
	case -1:
	case 0:
		return storage.OwnerRights
	default:
		r = storage.GroupRights
	}
	for _, id := range identities {
		r |= tx.RightsOf(c.ID.Object(), id)
		if o.Item != 0 {
			r |= tx.RightsOf(o, id)
		}
	}
	return r
}

// SharedWith returns the objects of others on which an account, given by its
// Identities, has an entry, itself or by a group: each once. The collections
// of its groups are not among them.
func SharedWith(tx *storage.Tx, identities []storage.AccountID) (out []storage.Object) {
	seen := map[storage.Object]bool{}
	for _, id := range identities {
		for _, o := range tx.SharedWith(id) {
			if c, err := tx.Collection(o.Collection); err == nil && !seen[o] && !slices.Contains(identities, c.Account) {
				seen[o] = true
				out = append(out, o)
			}
		}
	}
	return out
}

// Rename changes the name that people see.
func Rename(tx *storage.Tx, id storage.AccountID, name string) error {
	a, err := Get(tx, id)
	if err != nil {
		return err
	}
	a.Name = name
	return Save(tx, a)
}
