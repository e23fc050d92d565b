// Package carddav is the door to address books: contacts for every program
// that speaks CardDAV.
//
// What it promises: a card is given back byte for byte as it was stored,
// unless the other version of vCard is asked for; what was refused was refused
// with the precondition that names why. A query opens only cards that the
// store's index cannot decide. All books a member can see are in one home; the
// cooperative's directory is one of them, read-only, and shows those who want
// to be shown.
//
//	RFC 6352   CardDAV          done; addressbook-query with Depth 0 or 1 only
//	RFC 6350   vCard 4.0        done, and converted to 3.0 for those who ask
//	RFC 2426   vCard 3.0        done, and converted to 4.0
//	RFC 5689   extended MKCOL   done
//	RFC 6578   sync-collection  done, but for the directory
//	directory-gateway (Apple)   done
//	vCard 2.1, xCard, jCard     refused: supported-address-data
package carddav

import (
	"strconv"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

// Prefix is where Mount puts the address books.
const Prefix = "/dav/addressbooks/"

var features = []string{"addressbook"} // RFC 6352 §6.1

// A door is dav/home's for address books.
type door struct{ tree *home.Tree }

var _ home.Door = (*door)(nil)

// Mount puts the address books of everybody into an engine.
func Mount(e *dav.Engine) {
	d := &door{}
	d.tree = home.New(home.Options{
		Prefix: Prefix, Storage: storage.KindAddressBook, Type: davxml.CardDAV("addressbook"),
		Default: contacts.DefaultBook, Labels: home.Words{EN: "Contacts", FR: "Contacts", NL: "Contacten"}, Reserved: []string{directoryName},
		Home: homeKind(), Collection: bookKind(),
	}, d)
	e.Principal.Features = append(e.Principal.Features, features...)
	e.Principal.Add(d.tree.HomeSet(davxml.CardDAV("addressbook-home-set")), d.gateway(), d.principalAddress())
	e.Mount(Prefix, d.tree)
}

func homeKind() *dav.Kind {
	k := &dav.Kind{Name: "address book home", Features: features, Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivWrite}
	return k.Add(maxResourceSize())
}

func bookKind() *dav.Kind {
	k := &dav.Kind{Name: "address book", Types: []davxml.Name{davxml.CardDAV("addressbook")}, Features: features,
		Privileges: dav.PrivFiles, Lockable: true, MaxBody: vcard.MaxBytes}
	k.Add(bookProperties()...)
	return k.Add(home.Personal(davxml.CardDAV("addressbook-description"), nil),
		home.Personal(davxml.Name{Space: "http://inf-it.com/ns/ab/", Local: "addressbook-color"}, nil),
	).AddReport(reports...)
}

// reports are those of books and of cards (RFC 6352 §8).
var reports = []dav.Report{
	{Name: davxml.CardDAV("addressbook-query"), Run: query},
	{Name: davxml.CardDAV("addressbook-multiget"), Run: multiget},
}

// bookProperties are those that the directory has, too.
func bookProperties() []dav.Property {
	return []dav.Property{
		maxResourceSize(),
		// RFC 6352 §6.2.2
		constant("supported-address-data", func(w *davxml.Writer) {
			for _, v := range []vcard.Version{vcard.V3, vcard.V4} {
				w.Empty(davxml.CardDAV("address-data-type"), "content-type", "text/vcard", "version", string(v))
			}
		}),
		// RFC 6352 §8.3.1
		constant("supported-collation-set", func(w *davxml.Writer) {
			for _, c := range vcard.Collations {
				w.Leaf(davxml.CardDAV("supported-collation"), c)
			}
		}),
	}
}

func maxResourceSize() dav.Property { // RFC 6352 §6.2.3
	return constant("max-resource-size", func(w *davxml.Writer) { w.Text(strconv.Itoa(vcard.MaxBytes)) })
}

func constant(local string, write func(*davxml.Writer)) dav.Property {
	return dav.Property{Name: davxml.CardDAV(local), Get: func(_ *dav.Scope, _ dav.Resource, w *davxml.Writer) error {
		write(w)
		return nil
	}}
}

// Collection, Make and Remove are home.Door.
func (d *door) Collection(c *home.Collection) dav.Collection { return &book{c} }

func (d *door) Make(s *dav.Scope, owner storage.AccountID, name string) (*storage.Collection, error) {
	b, err := contacts.Create(s.Tx, owner, name, s.Now)
	return b.Collection, err
}

func (d *door) Remove(s *dav.Scope, c *storage.Collection) error {
	return contacts.Delete(s.Tx, contacts.Book{Collection: c})
}

// Item, Run, Named and Items are home.Door.
func (d *door) Item(s *dav.Scope, c *home.Collection, id storage.ItemID) (string, dav.Resource, error) {
	k, err := contacts.ByItem(s.Tx, c.ID, id)
	if err != nil {
		return "", nil, err
	}
	return k.Name, &card{c, k}, nil
}

func (d *door) Run(s *dav.Scope, c *home.Collection, from, to storage.ItemID, fn func(string, dav.Resource)) error {
	return contacts.Items(s.Tx, c.ID, from, to, func(k contacts.Card) bool { fn(k.Name, &card{c, k}); return true })
}

func (d *door) Named(s *dav.Scope, c *home.Collection, name string) (dav.Resource, error) {
	k, err := contacts.Get(s.Tx, c.ID, name)
	if err != nil {
		return nil, err
	}
	return &card{c, k}, nil
}

func (d *door) Items(s *dav.Scope, c *home.Collection, after string, fn func(string, dav.Resource) bool) error {
	return contacts.Scan(s.Tx, c.ID, after, func(k contacts.Card) bool { return fn(k.Name, &card{c, k}) })
}
