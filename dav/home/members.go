package home

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A Home holds the collections of an account: of a member all they see, of a
// group its own.
type Home struct {
	Tree    *Tree
	Account accounts.Account
}

var (
	_ dav.Maker   = (*Home)(nil)
	_ dav.Deleter = (*Home)(nil)
	_ dav.Carrier = (*Home)(nil)
	_ dav.Holder  = (*Home)(nil)
)

func (h *Home) Kind() *dav.Kind          { return h.Tree.Home }
func (h *Home) Stat() dav.Stat           { return dav.Stat{Size: -1} }
func (h *Home) Owner() storage.AccountID { return h.Account.ID }

// Object is what properties of the home are kept with. Both kinds of homes keep
// theirs with the account, under names that do not meet.
func (h *Home) Object() storage.Object { return storage.AccountObject(h.Account.ID) }

// Touch is dav.Holder. Properties of accounts are in no log.
func (h *Home) Touch(s *dav.Scope) error {
	s.Tx.Bump(h.Account.ID)
	return nil
}

// homeName is what the account is called, which is not set here.
func homeName() dav.Property {
	return dav.Property{Name: davxml.DAV("displayname"), All: true, Needs: dav.PrivReadOwn, Get: func(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		w.Text(r.(*Home).name())
		return nil
	}}
}

func (h *Home) name() string {
	if h.Account.Name != "" {
		return h.Account.Name
	}
	return h.Account.Address
}

// Allowed is what an owner, or the member of a group, may do in a home.
func (h *Home) Allowed(s *dav.Scope) dav.Privileges {
	switch slices.Index(s.Identities, h.Account.ID) {
	case -1:
		return 0
	case 0:
		return dav.PrivilegesOf(storage.OwnerRights) & h.Kind().Privileges
	}
	return dav.PrivilegesOf(storage.GroupRights) & h.Kind().Privileges
}

const othersMark = "~" // how the names of collections of others begin

func othersName(id storage.CollectionID) string {
	return othersMark + strconv.FormatUint(uint64(id), 10)
}

// rank orders the members of a home: the default first, as some clients look at
// one collection only.
func (h *Home) rank(name string) int {
	switch {
	case name == "":
		return -1
	case name == h.Tree.Default:
		return 0
	case strings.HasPrefix(name, othersMark):
		return 3
	case slices.Contains(h.Tree.Reserved, name):
		return 2
	}
	return 1
}

func (h *Home) compare(a, b string) int {
	if d := h.rank(a) - h.rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// Member finds a collection by its name in the home.
func (h *Home) Member(s *dav.Scope, name string) (dav.Resource, error) {
	if slices.Contains(h.Tree.Reserved, name) {
		return h.Tree.Door.Extra(s, h, name)
	}
	if number, ok := strings.CutPrefix(name, othersMark); ok {
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil || othersName(storage.CollectionID(id)) != name {
			return nil, fmt.Errorf("%.80q: %w", name, storage.ErrNotFound)
		}
		return h.others(s, storage.CollectionID(id))
	}
	c, err := s.Tx.CollectionByName(h.Account.ID, h.Tree.Storage, name)
	if err != nil {
		return nil, err
	}
	return h.Tree.Door.Collection(h.own(s, c)), nil
}

// others finds a collection that is not the home's own and is seen in it.
func (h *Home) others(s *dav.Scope, id storage.CollectionID) (dav.Resource, error) {
	c, err := s.Tx.Collection(id)
	if err == nil && (!h.personal(s) || !h.sees(s, c)) {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("collection %d: %w", id, err)
	}
	return h.Tree.Door.Collection(h.foreign(s, c)), nil
}

// personal reports whether it is the user's own home and not a group's.
func (h *Home) personal(s *dav.Scope) bool { return h.Account.ID == s.User }

func (h *Home) sees(s *dav.Scope, c *storage.Collection) bool {
	return c.Kind == h.Tree.Storage && c.Account != h.Account.ID && !Hidden(s.Tx, c.ID, s.User) &&
		accounts.Rights(s.Tx, s.Identities, c.ID.Object()).Has(storage.RightLookup)
}

// collections returns everything in the home that the store has, unordered.
func (h *Home) collections(s *dav.Scope) (out []*Collection) {
	for _, c := range s.Tx.Collections(h.Account.ID, h.Tree.Storage) {
		out = append(out, h.own(s, c))
	}
	if !h.personal(s) {
		return out
	}
	for _, g := range s.Identities[1:] {
		for _, c := range s.Tx.Collections(g, h.Tree.Storage) {
			if h.sees(s, c) {
				out = append(out, h.foreign(s, c))
			}
		}
	}
	for _, o := range accounts.SharedWith(s.Tx, s.Identities) {
		if c, err := s.Tx.Collection(o.Collection); err == nil && o.Item == 0 && h.sees(s, c) {
			out = append(out, h.foreign(s, c))
		}
	}
	return out
}

// Members is dav.Collection.
func (h *Home) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	type named struct {
		name string
		r    dav.Resource
	}
	var all []named
	for _, c := range h.collections(s) {
		if h.compare(c.name, after) > 0 {
			all = append(all, named{c.name, h.Tree.Door.Collection(c)})
		}
	}
	for _, name := range h.Tree.Reserved {
		r, err := h.Tree.Door.Extra(s, h, name)
		if errors.Is(err, storage.ErrNotFound) || h.compare(name, after) <= 0 {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, named{name, r})
	}
	slices.SortFunc(all, func(a, b named) int { return h.compare(a.name, b.name) })
	for _, m := range all {
		if !fn(m.name, m.r) {
			return nil
		}
	}
	return nil
}

// Make is dav.Maker: collections of the door's type only, and no name that
// belongs to another (RFC 5689 §3.3).
func (h *Home) Make(s *dav.Scope, name string, types []davxml.Name) (dav.Resource, error) {
	if len(types) != 1 || types[0] != h.Tree.Type {
		return nil, dav.Forbidden(davxml.DAV("valid-resourcetype"))
	}
	if h.taken(name) {
		return nil, fmt.Errorf("name %q is taken: %w", name, storage.ErrConflict)
	}
	c, err := h.Tree.Door.Make(s, h.Account.ID, name)
	if err != nil {
		return nil, err
	}
	return h.Tree.Door.Collection(h.own(s, c)), nil
}

// Delete is dav.Deleter: of what is not the home's own only the view of it goes.
func (h *Home) Delete(s *dav.Scope, name string, r dav.Resource) error {
	m, ok := r.(interface{ base() *Collection })
	if !ok || slices.Contains(h.Tree.Reserved, name) {
		return dav.Status(403) // an extra
	}
	c := m.base()
	if !c.foreign {
		return h.Tree.Door.Remove(s, c.Collection)
	}
	if s.Tx.RightsOf(c.ID.Object(), s.User) != 0 {
		if err := s.Tx.SetACL(c.ID.Object(), s.User, 0); err != nil {
			return err
		}
	}
	if accounts.Rights(s.Tx, s.Identities, c.ID.Object()) != 0 { // by a group
		return Hide(s.Tx, c.ID, s.User, true)
	}
	return nil
}

const hiddenName = "hidden"

// Hidden reports whether an account does not want to see a collection that a
// group has or that was shared with a group.
func Hidden(tx *storage.Tx, c storage.CollectionID, a storage.AccountID) bool {
	return tx.Property(c.Object(), a, hiddenName) != nil
}

// Hide sets whether an account sees such a collection.
func Hide(tx *storage.Tx, c storage.CollectionID, a storage.AccountID, hidden bool) error {
	tx.Bump(a)
	if !hidden {
		return tx.SetProperty(c.Object(), a, hiddenName, nil)
	}
	return tx.SetProperty(c.Object(), a, hiddenName, []byte{1})
}
