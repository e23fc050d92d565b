package dav

import (
	"errors"
	"slices"
	"strings"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// principalPrefix is where users and groups are: users/ADDRESS/ and
// groups/ADDRESS/ below it, with their primary address.
const principalPrefix = "/dav/principals/"

// A Principal is a user or group as a resource (RFC 3744 §2).
type Principal struct {
	kind    *Kind
	Account accounts.Account
}

var _ Holder = (*Principal)(nil)

func newPrincipalKind() *Kind {
	k := &Kind{Name: "principal", Collection: true, Types: []davxml.Name{davxml.DAV("principal")}, Privileges: PrivRead | PrivReadOwn | PrivWriteProperties}
	return k.Add(
		Property{Name: davxml.DAV("displayname"), All: true, Needs: PrivReadOwn, Get: getDisplayName},
		Property{Name: davxml.DAV("principal-URL"), Get: getPrincipalURL},
		Property{Name: davxml.DAV("alternate-URI-set"), Get: getAlternateURIs},
		Property{Name: davxml.DAV("group-membership"), Get: getMembership},
		Property{Name: davxml.DAV("group-member-set"), Get: getMembers},
		Property{Name: davxml.CalendarServer("email-address-set"), Get: getAddresses},
	)
}

func (p *Principal) Kind() *Kind              { return p.kind }
func (p *Principal) Owner() storage.AccountID { return p.Account.ID }
func (p *Principal) Stat() Stat {
	return Stat{Size: -1, Display: p.Account.Name, Created: p.Account.Created}
}

// Allowed lets everyone see who there is, and change what is their own.
func (p *Principal) Allowed(s *Scope) Privileges {
	if p.Account.ID == s.User {
		return PrivRead | PrivReadOwn | PrivWriteProperties
	}
	return PrivRead | PrivReadOwn
}

// Members is empty: what belongs to a user is elsewhere.
func (p *Principal) Members(*Scope, string, func(string, Resource) bool) error { return nil }

// Object keeps a user's preferences with the account.
func (p *Principal) Object() storage.Object { return storage.AccountObject(p.Account.ID) }

// Touch has no change log to note anything in.
func (p *Principal) Touch(*Scope) error { return nil }

func principalHref(a accounts.Account) string {
	where := "users"
	if a.Group {
		where = "groups"
	}
	return principalPrefix + where + "/" + string(appendSegment(nil, a.Address)) + "/"
}

// PrincipalHref returns the URL path of an account, "" when there is none.
func (s *Scope) PrincipalHref(id storage.AccountID) string {
	if h, ok := s.x.people[id]; ok {
		return h
	}
	h := ""
	if a, err := accounts.Get(s.Tx, id); err == nil {
		h = principalHref(a)
	}
	if s.x.people == nil {
		s.x.people = map[storage.AccountID]string{}
	}
	s.x.people[id] = h
	return h
}

// FindPrincipal returns the account a reference to a principal names: a URL of
// this server, or mailto: and an address. storage.ErrNotFound for any other.
func (s *Scope) FindPrincipal(ref string) (accounts.Account, error) {
	ref = strings.TrimSpace(ref)
	if len(ref) > 7 && strings.EqualFold(ref[:7], "mailto:") {
		return accounts.Lookup(s.Tx, ref[7:])
	}
	r, err := s.x.Find(s, ref)
	if p, ok := r.(*Principal); ok {
		return p.Account, nil
	}
	if err == nil {
		err = storage.ErrNotFound
	}
	return accounts.Account{}, err
}

// writePrincipal writes a reference to an account that is there.
func (s *Scope) writePrincipal(w *davxml.Writer, id storage.AccountID) error {
	h := s.PrincipalHref(id)
	if id == 0 || h == "" {
		return storage.ErrNotFound
	}
	w.Href(h)
	return nil
}

func getPrincipalURL(_ *Scope, r Resource, w *davxml.Writer) error {
	w.Href(principalHref(r.(*Principal).Account))
	return nil
}

func getAlternateURIs(_ *Scope, r Resource, w *davxml.Writer) error {
	w.Href("mailto:" + r.(*Principal).Account.Address)
	return nil
}

func getMembership(s *Scope, r Resource, w *davxml.Writer) error {
	for _, g := range accounts.Groups(s.Tx, r.(*Principal).Account.ID) {
		if h := s.PrincipalHref(g); h != "" {
			w.Href(h)
		}
	}
	return nil
}

func getMembers(s *Scope, r Resource, w *davxml.Writer) error {
	p := r.(*Principal)
	if !p.Account.Group {
		return storage.ErrNotFound
	}
	if !slices.Contains(s.Identities, p.Account.ID) {
		return storage.ErrPermission // who is in a group is for those who are to know
	}
	for _, m := range accounts.MemberAccounts(s.Tx, p.Account.ID) {
		if h := s.PrincipalHref(m); h != "" {
			w.Href(h)
		}
	}
	return nil
}

func getAddresses(s *Scope, r Resource, w *davxml.Writer) error {
	p := r.(*Principal)
	for _, a := range p.addresses(s) {
		w.Leaf(davxml.CalendarServer("email-address"), a)
	}
	return nil
}

// addresses are those the user may know: of others the primary one.
func (p *Principal) addresses(s *Scope) []string {
	if !slices.Contains(s.Identities, p.Account.ID) {
		return []string{p.Account.Address}
	}
	out := []string{p.Account.Address}
	for _, a := range accounts.Addresses(s.Tx, p.Account.ID) {
		if a != p.Account.Address {
			out = append(out, a)
		}
	}
	return out
}

// principals is the tree of users and groups.
type principals struct{ engine *Engine }

// A roll is a collection of principals; the root holds the two others.
type roll struct {
	engine *Engine
	name   string // "", users or groups
}

var rollKind = &Kind{Name: "principals", Collection: true, Privileges: PrivRead | PrivReadOwn}

var _ Collection = (*roll)(nil)

func (r *roll) Kind() *Kind               { return rollKind }
func (r *roll) Stat() Stat                { return Stat{Size: -1} }
func (r *roll) Owner() storage.AccountID  { return 0 }
func (r *roll) Allowed(*Scope) Privileges { return rollKind.Privileges }

// Resolve finds a principal by its primary address, also one that is not shown
// in lists: who knows the name may share with it.
func (t *principals) Resolve(s *Scope, path []string) (Resource, error) {
	if len(path) > 2 || len(path) > 0 && path[0] != "users" && path[0] != "groups" {
		return nil, storage.ErrNotFound
	}
	if len(path) < 2 {
		return &roll{t.engine, strings.Join(path, "")}, nil
	}
	a, err := accounts.Lookup(s.Tx, path[1])
	if errors.Is(err, storage.ErrInvalid) || err == nil && (a.Group != (path[0] == "groups") || a.Address != strings.ToLower(path[1])) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &Principal{t.engine.Principal, a}, nil
}

// Members lists who is shown to members.
func (r *roll) Members(s *Scope, after string, fn func(string, Resource) bool) error {
	if r.name == "" {
		for _, name := range []string{"groups", "users"} {
			if name > after && !fn(name, &roll{r.engine, name}) {
				break
			}
		}
		return nil
	}
	people, err := r.engine.visible(s, func(a accounts.Account) bool { return a.Group == (r.name == "groups") && a.Address > after })
	for _, a := range people {
		if !fn(a.Address, &Principal{r.engine.Principal, a}) {
			break
		}
	}
	return err
}

// visible returns those of the accounts shown to members that fit, and always
// the user, in order of addresses.
func (e *Engine) visible(s *Scope, fits func(accounts.Account) bool) (out []accounts.Account, err error) {
	err = accounts.List(s.Tx, func(a accounts.Account) bool {
		if (!a.Hidden || a.ID == s.User) && fits(a) {
			out = append(out, a)
		}
		return true
	})
	slices.SortFunc(out, func(a, b accounts.Account) int { return strings.Compare(a.Address, b.Address) })
	return out, err
}
