package home

import (
	"slices"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A Collection is a calendar or an address book as one home shows it. Doors
// embed it and add what takes PUTs, DELETEs and copies.
type Collection struct {
	*storage.Collection
	Home *Home

	name      string // in the home
	foreign   bool   // not the home's own
	owner     accounts.Account
	canonical string
	allowed   dav.Privileges
}

var (
	_ dav.Syncer    = (*Collection)(nil)
	_ dav.Holder    = (*Collection)(nil)
	_ dav.Sharer    = (*Collection)(nil)
	_ dav.Canonical = (*Collection)(nil)
)

func (h *Home) own(s *dav.Scope, c *storage.Collection) *Collection {
	return h.collection(s, c, h.Account, c.Name, false)
}

// Own makes a Collection of one of the account's that the home lists apart: a
// door's Extra.
func (h *Home) Own(s *dav.Scope, c *storage.Collection) *Collection { return h.own(s, c) }

func (h *Home) foreign(s *dav.Scope, c *storage.Collection) *Collection {
	owner, err := accounts.Get(s.Tx, c.Account)
	if err != nil {
		owner = accounts.Account{ID: c.Account} // an account that is being removed
	}
	return h.collection(s, c, owner, othersName(c.ID), true)
}

func (h *Home) collection(s *dav.Scope, c *storage.Collection, owner accounts.Account, name string, foreign bool) *Collection {
	rights := accounts.Rights(s.Tx, s.Identities, c.ID.Object())
	return &Collection{
		Collection: c, Home: h, name: name, foreign: foreign, owner: owner,
		canonical: h.Tree.Path(owner.Address, c.Name),
		allowed:   dav.PrivilegesOf(rights) & h.Tree.Collection.Privileges,
	}
}

func (c *Collection) base() *Collection { return c }

func (c *Collection) Kind() *dav.Kind { return c.Home.Tree.Collection }

// Stat has no name to display: that is a member's own, see display.
func (c *Collection) Stat() dav.Stat { return dav.Stat{Size: -1} }

func (c *Collection) Owner() storage.AccountID { return c.Account }

// Allowed is what the user may do in the collection. Of its items the same.
func (c *Collection) Allowed(*dav.Scope) dav.Privileges { return c.allowed }

// CanonicalPath is where its owner has it.
func (c *Collection) CanonicalPath() string { return c.canonical }

// Path is where this home has an item, from the root of the server.
func (c *Collection) Path(item string) string {
	return c.Home.Tree.Path(c.Home.Account.Address, c.name, item)
}

// Member finds an item by its name.
func (c *Collection) Member(s *dav.Scope, name string) (dav.Resource, error) {
	return c.Home.Tree.Door.Named(s, c, name)
}

// Members is dav.Collection.
func (c *Collection) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	return c.Home.Tree.Door.Items(s, c, after, fn)
}

// Object is what its properties are kept with.
func (c *Collection) Object() storage.Object { return c.ID.Object() }

// Touch tells the watchers; the log is of items only (RFC 6578 §3.5).
func (c *Collection) Touch(s *dav.Scope) error { return s.Tx.SaveCollection(c.Collection) }

// ACL is dav.Sharer.
func (c *Collection) ACL(s *dav.Scope) []storage.ACE { return s.Tx.ACL(c.Object()) }

// SetACL is dav.Sharer: entries not given go.
func (c *Collection) SetACL(s *dav.Scope, acl []storage.ACE) error {
	given := func(a storage.AccountID) bool {
		return slices.ContainsFunc(acl, func(e storage.ACE) bool { return e.Account == a })
	}
	for _, e := range s.Tx.ACL(c.Object()) {
		if !given(e.Account) {
			if err := s.Tx.SetACL(c.Object(), e.Account, 0); err != nil {
				return err
			}
		}
	}
	for _, e := range acl {
		if err := s.Tx.SetACL(c.Object(), e.Account, e.Rights); err != nil {
			return err
		}
	}
	return nil
}

// display is what people read where neither the user nor the owner has called
// the collection anything: whose it is, for what is not the user's own.
func (c *Collection) display() string {
	name := c.Name
	if name == c.Home.Tree.Default {
		name = c.Home.Tree.Labels.In(c.Home.Account.Language)
	}
	if c.foreign {
		return c.ownersName() + ": " + name
	}
	return name
}

// view is whose properties a home shows first, 0 being everybody's.
func (c *Collection) view(s *dav.Scope) storage.AccountID {
	if c.foreign {
		return s.User
	}
	return 0
}

func (c *Collection) ownersName() string {
	if c.owner.Name != "" {
		return c.owner.Name
	}
	return c.owner.Address
}

// Personal makes a property of text that is set for everybody in the owner's home, and
// in any other for the user alone. missing gives the value when nobody did; nil
// is none.
func Personal(name davxml.Name, missing func(c *Collection) string) dav.Property {
	return personal(name, missing, true)
}

// Private is Personal but that what the owner has set is not shown to others.
func Private(name davxml.Name) dav.Property { return personal(name, nil, false) }

func personal(name davxml.Name, missing func(c *Collection) string, inherited bool) dav.Property {
	get := func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		c := r.(interface{ base() *Collection }).base()
		v := s.Tx.Property(c.Object(), c.view(s), name.String())
		if v == nil && c.foreign && inherited {
			v = s.Tx.Property(c.Object(), 0, name.String())
		}
		switch {
		case v == nil && missing == nil:
			return storage.ErrNotFound
		case v == nil:
			w.Text(missing(c))
			return nil
		}
		e, err := dav.HeldElement(v)
		if err == nil {
			w.Text(e.Text())
		}
		return err
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		c := r.(interface{ base() *Collection }).base()
		owner := c.view(s)
		var value []byte
		if v != nil {
			var w davxml.Writer
			w.Element(v)
			value = w.Bytes()
		}
		if err := s.Tx.SetProperty(c.Object(), owner, name.String(), value); err != nil {
			return err
		}
		if owner != 0 {
			s.Tx.Bump(owner)
			return nil
		}
		return c.Touch(s)
	}
	return dav.Property{Name: name, All: name == davxml.DAV("displayname"), Personal: true, Needs: dav.PrivReadOwn, Get: get, Set: set}
}
