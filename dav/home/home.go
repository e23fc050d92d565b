// Package home is what calendar homes and address-book homes have in common: a
// tree with one home for each account, in which its collections, those of its
// groups and those shared with it stand side by side.
//
// What it promises: a member has one home and finds everything in it, as most
// clients look at the first href of a home set only. What belongs to others is
// under a name that no collection of one's own can have, and stays under it
// when it is renamed. What a member does to the name, colour or place of a
// collection of others is seen by that member alone; deleting it ends the
// sharing, or for what a group has hides it, and never destroys anything.
//
// Paths below the prefix, with the account's address as the name of its home:
//
//	/                           the user's home and those of the user's groups
//	/ann@coop.example/          a home
//	/ann@coop.example/contacts/ a collection of the account's own
//	/ann@coop.example/~37/      one that is not, by its number in the store
//
// A door (package caldav, package carddav) says what collections hold; see
// Door. RFCs: 5689 (extended MKCOL), 6578 (sync), 3744 (privileges), 6352 §7.1.1
// and 4791 §6.2.1 (home sets).
package home

import (
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A Door is what is particular to calendars or to address books.
type Door interface {
	// Collection makes the door's resource of a collection; the result embeds c,
	// and is of one type for all collections.
	Collection(c *Collection) dav.Collection
	// Item returns an item of a collection; storage.ErrNotFound when it is gone.
	Item(s *dav.Scope, c *Collection, id storage.ItemID) (name string, r dav.Resource, err error)
	// Run calls fn with the items from one to another, both included, in order.
	Run(s *dav.Scope, c *Collection, from, to storage.ItemID, fn func(name string, r dav.Resource)) error
	// Named finds an item by its name, Items calls fn with those whose names
	// follow after in the order of names, until it returns false.
	Named(s *dav.Scope, c *Collection, name string) (dav.Resource, error)
	Items(s *dav.Scope, c *Collection, after string, fn func(name string, r dav.Resource) bool) error
	// Make makes an empty collection in the store, Remove removes one with its
	// items.
	Make(s *dav.Scope, owner storage.AccountID, name string) (*storage.Collection, error)
	Remove(s *dav.Scope, c *storage.Collection) error
	// Extra returns a resource of the homes that is no collection of the store,
	// by one of Options.Reserved; storage.ErrNotFound when this home has none.
	Extra(s *dav.Scope, h *Home, name string) (dav.Resource, error)
}

// Options of New.
type Options struct {
	Prefix  string       // where the tree is mounted, such as /dav/calendars/
	Storage storage.Kind // of the collections
	Type    davxml.Name  // the resource type that a MKCOL must ask for
	// Default is the name of the collection every account starts with, Labels
	// what people read where nobody called it anything.
	Default    string
	Labels     Words
	Reserved   []string  // names of Extra resources, in order
	Home       *dav.Kind // the kind of homes; New adds to it
	Collection *dav.Kind // the kind of Collection's results; New adds to it
}

// Words are the same in the languages of the house.
type Words struct{ EN, FR, NL string }

// In returns them in an account's language; English where it has none of these.
func (w Words) In(language string) string {
	switch language {
	case "fr":
		return w.FR
	case "nl":
		return w.NL
	}
	return w.EN
}

// A Tree is the homes of all accounts. It is a dav.Tree.
type Tree struct {
	Options
	Door   Door
	prefix []string
	root   *dav.Kind
}

var _ dav.Tree = (*Tree)(nil)

// New makes the tree of a door.
func New(o Options, d Door) *Tree {
	t := &Tree{Options: o, Door: d, prefix: strings.Split(strings.Trim(o.Prefix, "/"), "/")}
	t.root = &dav.Kind{Name: o.Home.Name + "s", Collection: true, Features: o.Home.Features, Privileges: dav.PrivRead | dav.PrivReadOwn}
	o.Home.Collection, o.Collection.Collection = true, true
	o.Home.Add(homeTag(), homeName())
	o.Collection.Add(Personal(davxml.DAV("displayname"), (*Collection).display))
	return t
}

// Path returns the path of segments below the prefix, from the root of the
// server and without a slash at its end.
func (t *Tree) Path(segments ...string) string {
	return dav.Path(append(slices.Clip(t.prefix), segments...)...)
}

// Resolve is dav.Tree.
func (t *Tree) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	if len(path) == 0 {
		return &root{t}, nil
	}
	h, err := t.home(s, path[0])
	if err != nil {
		return nil, err
	}
	var r dav.Resource = h
	for _, name := range path[1:] {
		p, ok := r.(parent)
		if !ok {
			return nil, storage.ErrNotFound
		}
		if r, err = p.Member(s, name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// A parent finds a member by its name: homes, collections and, where they have
// members, the door's extras.
type parent interface {
	Member(s *dav.Scope, name string) (dav.Resource, error)
}

var (
	_ parent = (*Home)(nil)
	_ parent = (*Collection)(nil)
)

// home finds a home by its address: the user's own, or one of a group the user
// is in. Of others nobody is told whether they are there.
func (t *Tree) home(s *dav.Scope, address string) (*Home, error) {
	a, err := s.Lookup(address)
	if err != nil {
		return nil, fmt.Errorf("home %.80q: %w", address, storage.ErrNotFound)
	}
	if !slices.Contains(s.Identities, a.ID) {
		return nil, fmt.Errorf("home of account %d: %w", a.ID, storage.ErrNotFound)
	}
	return &Home{t, a}, nil
}

// HomeSet makes the property of principals that names their home: the user's own
// only, and only to credentials that are good for it. Some clients follow it from groups, too, and would find there again what
// is in the user's home already.
func (t *Tree) HomeSet(name davxml.Name) dav.Property {
	return dav.Property{Name: name, Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		if r.Owner() != s.User || !s.Sees(t.Prefix) {
			return storage.ErrNotFound
		}
		a, err := accounts.Get(s.Tx, r.Owner())
		if err == nil {
			w.Href(t.Path(a.Address) + "/")
		}
		return err
	}}
}

// root is the collection of homes.
type root struct{ t *Tree }

var _ dav.Collection = (*root)(nil)

func (r *root) Kind() *dav.Kind                   { return r.t.root }
func (r *root) Stat() dav.Stat                    { return dav.Stat{Size: -1} }
func (r *root) Owner() storage.AccountID          { return 0 }
func (r *root) Allowed(*dav.Scope) dav.Privileges { return r.t.root.Privileges }

// Members are the homes the user can see.
func (r *root) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	homes := make([]*Home, 0, len(s.Identities))
	for _, id := range s.Identities {
		a, err := accounts.Get(s.Tx, id)
		if err != nil {
			return err
		}
		if a.Address > after {
			homes = append(homes, &Home{r.t, a})
		}
	}
	slices.SortFunc(homes, func(a, b *Home) int { return strings.Compare(a.Account.Address, b.Account.Address) })
	for _, h := range homes {
		if !fn(h.Account.Address, h) {
			return nil
		}
	}
	return nil
}
