package carddav

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
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

var directoryWords = home.Words{EN: "Directory", FR: "Annuaire", NL: "Ledengids"}

// A directory is the cooperative's: a read-only book of the members and groups
// that want to be found. It is in no store; its cards are made of the accounts.
type directory struct{ home *home.Home }

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
	return &directory{h}, nil
}

// A card's name is the account's number, which stays when its address changes.
func cardName(a accounts.Account) string { return strconv.FormatUint(uint64(a.ID), 10) + ".vcf" }

// accountOf is the number in a card's name, 0 for any other name.
func accountOf(name string) storage.AccountID {
	number, ok := strings.CutSuffix(name, ".vcf")
	id, err := strconv.ParseUint(number, 10, 32)
	if a := (accounts.Account{ID: storage.AccountID(id)}); !ok || err != nil || cardName(a) != name {
		return 0
	}
	return storage.AccountID(id)
}

func (d *directory) Kind() *dav.Kind { return directoryKind }
func (d *directory) Stat() dav.Stat {
	return dav.Stat{Size: -1, Display: directoryWords.In(d.home.Account.Language)}
}
func (d *directory) Owner() storage.AccountID          { return 0 }
func (d *directory) Allowed(*dav.Scope) dav.Privileges { return directoryKind.Privileges }

// each calls fn with those who want to be found, in order of their numbers, until
// it returns false.
func (d *directory) each(s *dav.Scope, fn func(*person) bool) error {
	return accounts.List(s.Tx, func(a accounts.Account) bool { return a.Hidden || fn(&person{a}) })
}

// Members is dav.Collection.
func (d *directory) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	last := accountOf(after)
	return d.each(s, func(p *person) bool { return p.ID <= last || fn(p.name(), p) })
}

// Member finds one of its cards.
func (d *directory) Member(s *dav.Scope, name string) (dav.Resource, error) {
	a, err := accounts.Get(s.Tx, accountOf(name))
	if err == nil && a.Hidden {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("card %.80q of the directory: %w", name, err)
	}
	return &person{a}, nil
}

func (d *directory) cards(s *dav.Scope) (out []source, err error) {
	err = d.each(s, func(p *person) bool { out = append(out, p); return true })
	return out, err
}

func directoryTag(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	sum := fnv.New64a()
	err := r.(*directory).each(s, func(p *person) bool {
		fmt.Fprintf(sum, "%d %q %q\n", p.ID, p.Name, p.Address)
		return true
	})
	w.Text(strconv.FormatUint(sum.Sum64(), 16))
	return err
}

// gateway is Apple's property of principals that leads to the directory
// (draft-daboo-carddav-directory-gateway).
func (d *door) gateway() dav.Property {
	return dav.Property{Name: davxml.CardDAV("directory-gateway"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		if r.Owner() != s.User || !s.Sees(Prefix) {
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
