package carddav

import (
	"bytes"
	"io"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

// A card is an address object resource.
type card struct {
	in *home.Collection
	contacts.Card
}

var (
	_ dav.Reader     = (*card)(nil)
	_ dav.Negotiator = (*card)(nil)
	_ dav.Canonical  = (*card)(nil)
	_ dav.Holder     = (*card)(nil)
	_ source         = (*card)(nil)
)

// Some clients, Thunderbird among them, ask for address-data in reports that it
// is not made for; they are given it as if they had said nothing more.
var cardKind = (&dav.Kind{Name: "card", Features: features, Lockable: true,
	Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivWriteContent | dav.PrivWriteProperties | dav.PrivUnlock}).
	Add(dav.Property{Name: addressDataName, Late: (&addressData{version: vcard.V3}).write}).AddReport(reports...)

func (c *card) Kind() *dav.Kind                               { return cardKind }
func (c *card) Owner() storage.AccountID                      { return c.in.Owner() }
func (c *card) Allowed(s *dav.Scope) dav.Privileges           { return c.in.Allowed(s) & cardKind.Privileges }
func (c *card) CanonicalPath() string                         { return c.in.CanonicalPath() + dav.Path(c.Name) }
func (c *card) Object() storage.Object                        { return storage.Object{Collection: c.in.ID, Item: c.Item} }
func (c *card) store() contacts.Book                          { return contacts.Book{Collection: c.in.Collection} }
func (c *card) version() vcard.Version                        { return c.Version }
func (c *card) bytes(db *storage.DB) ([]byte, error)          { return c.Read(db) }
func (c *card) Content(db *storage.DB) (io.ReadCloser, error) { return db.OpenBlob(c.Blob) }

func (c *card) Stat() dav.Stat {
	return dav.Stat{ETag: c.ETag(), Size: c.Size, Type: mediaType(c.Version), Modified: c.ModTime(), Created: time.Unix(c.Created, 0)}
}

// Touch is dav.Holder: a client that follows the book sees the card changed.
func (c *card) Touch(s *dav.Scope) error {
	return contacts.Touch(s.Tx, c.store(), c.Card)
}

// Negotiate is dav.Negotiator (RFC 6352 §5.1.1).
func (c *card) Negotiate(accept string) (dav.Resource, error) {
	v, err := negotiate(accept, c.Version)
	if err != nil || v == c.Version {
		return c, err
	}
	return &converted{c, v}, nil
}

// mediaType names the version of 4.0 only: it is the older one that clients
// take for granted.
func mediaType(v vcard.Version) string {
	if v == vcard.V4 {
		return "text/vcard; charset=utf-8; version=4.0"
	}
	return "text/vcard; charset=utf-8"
}

// A source has the bytes of a card; they are read outside any transaction.
type source interface {
	dav.Resource
	version() vcard.Version
	bytes(db *storage.DB) ([]byte, error)
}

// converted is a card in the version that it is not stored in.
type converted struct {
	source
	to vcard.Version
}

var _ dav.Reader = (*converted)(nil)

// Stat has no size, which only the conversion can tell. The entity tag is the
// card's, whatever it is converted to (RFC 6352 §6.3.2.3): a client puts a change
// back on the condition of the tag it has read.
func (c *converted) Stat() dav.Stat {
	st := c.source.Stat()
	st.Size, st.Type = -1, mediaType(c.to)
	return st
}

func (c *converted) Content(db *storage.DB) (io.ReadCloser, error) {
	raw, err := c.bytes(db)
	if err != nil {
		return nil, err
	}
	k, err := vcard.Parse(raw)
	if err == nil {
		k, err = k.Convert(c.to)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(k.Bytes())), nil
}
