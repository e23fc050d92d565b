package carddav

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// directoryName is the directory's in a home.
const directoryName = "directory"

// A directory is the cooperative's: a read-only book of the members and groups
// that want to be found. It is in no store; its cards are made of the accounts.
type directory struct {
	home   *home.Home
	people []accounts.Account // in the order of their names here
}

var _ dav.Collection = (*directory)(nil)

var directoryKind = func() *dav.Kind {
	k := &dav.Kind{Name: "directory", Collection: true, Features: features, Privileges: dav.PrivRead | dav.PrivReadOwn,
		Types: []davxml.Name{davxml.CardDAV("addressbook"), davxml.CardDAV("directory")}}
	k.Add(bookProperties()...)
	return k.Add(dav.Property{Name: davxml.CalendarServer("getctag"), Get: directoryTag}).AddReport(reports...)
}()

// Extra is home.Door: a member's home has the directory, a group's has not.
func (d *door) Extra(s *dav.Scope, h *home.Home, name string) (dav.Resource, error) {
	if name != directoryName || h.Account.ID != s.User {
		return nil, storage.ErrNotFound
	}
	visible, err := d.dir.Visible()
	if err != nil {
		return nil, err
	}
	people := slices.Clone(visible)
	slices.SortFunc(people, func(a, b accounts.Account) int { return strings.Compare(cardName(a), cardName(b)) })
	return &directory{h, people}, nil
}

func cardName(a accounts.Account) string { return strconv.FormatUint(uint64(a.ID), 10) + ".vcf" }

func (d *directory) Kind() *dav.Kind                   { return directoryKind }
func (d *directory) Stat() dav.Stat                    { return dav.Stat{Size: -1, Display: "Directory"} }
func (d *directory) Owner() storage.AccountID          { return 0 }
func (d *directory) Allowed(*dav.Scope) dav.Privileges { return directoryKind.Privileges }

// Members is dav.Collection.
func (d *directory) Members(_ *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	for _, a := range d.people {
		if name := cardName(a); name > after && !fn(name, &person{a}) {
			return nil
		}
	}
	return nil
}

// Member finds one of its cards.
func (d *directory) Member(_ *dav.Scope, name string) (dav.Resource, error) {
	for _, a := range d.people {
		if cardName(a) == name {
			return &person{a}, nil
		}
	}
	return nil, fmt.Errorf("card %.80q of the directory: %w", name, storage.ErrNotFound)
}

func (d *directory) cards() []source {
	out := make([]source, len(d.people))
	for i, a := range d.people {
		out[i] = &person{a}
	}
	return out
}

func directoryTag(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	sum := fnv.New64a()
	for _, a := range r.(*directory).people {
		_, _ = sum.Write((&person{a}).text())
	}
	w.Text(strconv.FormatUint(sum.Sum64(), 16))
	return nil
}

// gateway is Apple's property of principals that leads to the directory
// (draft-daboo-carddav-directory-gateway).
func (d *door) gateway() dav.Property {
	return dav.Property{Name: davxml.CardDAV("directory-gateway"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		if r.Owner() != s.User {
			return storage.ErrNotFound
		}
		a, err := accounts.Get(s.Tx, s.User)
		if err == nil {
			w.Href(d.tree.Path(a.Address, directoryName) + "/")
		}
		return err
	}}
}

// principalAddress is the card of a principal (RFC 6352 §7.1.2).
func (d *door) principalAddress() dav.Property {
	return dav.Property{Name: davxml.CardDAV("principal-address"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		who, err := accounts.Get(s.Tx, r.Owner())
		if err == nil && who.Hidden {
			err = storage.ErrNotFound
		}
		if err != nil {
			return err
		}
		me, err := accounts.Get(s.Tx, s.User)
		if err == nil {
			w.Href(d.tree.Path(me.Address, directoryName, cardName(who)))
		}
		return err
	}}
}

// A person is a card of the directory.
type person struct{ accounts.Account }

var (
	_ dav.Reader     = (*person)(nil)
	_ dav.Negotiator = (*person)(nil)
	_ source         = (*person)(nil)
)

var personKind = (&dav.Kind{Name: "directory card", Features: features, Privileges: dav.PrivRead | dav.PrivReadOwn}).AddReport(reports...)

func (p *person) Kind() *dav.Kind                   { return personKind }
func (p *person) Owner() storage.AccountID          { return 0 }
func (p *person) Allowed(*dav.Scope) dav.Privileges { return personKind.Privileges }
func (p *person) name() string                      { return cardName(p.Account) }
func (p *person) version() vcard.Version            { return vcard.V3 }
func (p *person) bytes(*storage.DB) ([]byte, error) { return p.text(), nil }
func (p *person) Content(*storage.DB) (io.ReadCloser, error) {
	return readSeekNopCloser{bytes.NewReader(p.text())}, nil
}

type readSeekNopCloser struct{ *bytes.Reader }

func (readSeekNopCloser) Close() error { return nil }

func (p *person) Stat() dav.Stat {
	text := p.text()
	sum := sha256.Sum256(text)
	return dav.Stat{ETag: hex.EncodeToString(sum[:12]), Size: int64(len(text)), Type: mediaType(vcard.V3), Created: p.Created}
}

// Negotiate is dav.Negotiator.
func (p *person) Negotiate(accept string) (dav.Resource, error) {
	v, err := negotiate(accept, vcard.V3)
	if err != nil || v == vcard.V3 {
		return p, err
	}
	return &converted{p, v}, nil
}

// text is the card. It says no more than the member's name and address; a group
// is shown as an organization, which every client can write to.
func (p *person) text() []byte {
	c := vcard.New(vcard.V3)
	name := p.Name
	if name == "" {
		name, _, _ = strings.Cut(p.Address, "@")
	}
	c.Add("UID", fmt.Sprintf("account-%d.essaim", p.ID))
	c.Add("FN", name)
	if p.Group {
		c.AddFields("N", name, "", "", "", "")
		c.AddFields("ORG", name)
		c.Add("X-ABSHOWAS", "COMPANY")
	} else {
		given, family, _ := strings.Cut(name, " ")
		c.AddFields("N", family, given, "", "", "")
	}
	c.Add("EMAIL", p.Address, vcard.Param{Name: "TYPE", Values: []string{"INTERNET", "pref"}})
	return c.Bytes()
}
