package carddav

import (
	"errors"
	"mime"
	"net/http"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage/contacts"
)

// A book is an address book in a home.
type book struct{ *home.Collection }

var (
	_ dav.Writer  = (*book)(nil)
	_ dav.Deleter = (*book)(nil)
	_ dav.Carrier = (*book)(nil)
	_ dav.Syncer  = (*book)(nil)
)

func (b *book) store() contacts.Book { return contacts.Book{Collection: b.Collection.Collection} }

// Receive is dav.Writer: the preconditions of RFC 6352 §6.3.2.1 that concern
// the card alone.
func (b *book) Receive(up *dav.Upload) error {
	if !isVCard(up.Type) {
		return dav.Forbidden(davxml.CardDAV("supported-address-data"))
	}
	in, err := contacts.Prepare(up.Body)
	if err != nil {
		return refusal(err)
	}
	up.Parsed = in
	return nil
}

// isVCard accepts the types of a vCard and those of clients that do not say
// what they send.
func isVCard(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	switch t {
	case "text/vcard", "text/x-vcard", "text/directory", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

// refusal names the precondition that a card does not meet, and says in it why.
func refusal(err error) error {
	var e *dav.StatusError
	switch {
	case errors.Is(err, vcard.ErrTooLarge):
		e = dav.Forbidden(davxml.CardDAV("max-resource-size"))
	case errors.Is(err, vcard.ErrVersion):
		e = dav.Forbidden(davxml.CardDAV("supported-address-data"))
	case errors.Is(err, vcard.ErrSyntax):
		e = dav.Forbidden(davxml.CardDAV("valid-address-data"))
	default:
		return err
	}
	e.Err = err
	e.Detail = func(w *davxml.Writer) { w.Text(err.Error()) }
	return e
}

// Write is dav.Writer.
func (b *book) Write(s *dav.Scope, name string, _ dav.Resource, up *dav.Upload) (dav.Resource, error) {
	in, ok := up.Parsed.(*contacts.Incoming)
	if !ok { // the empty body of a LOCK
		return nil, dav.Forbidden(davxml.CardDAV("valid-address-data"))
	}
	c, err := contacts.Put(s.Tx, b.store(), name, in, up.Now)
	return b.result(c, err)
}

// result is the card, or the conflict with the one that has the UID.
func (b *book) result(c contacts.Card, err error) (dav.Resource, error) {
	var conflict *contacts.UIDConflict
	if errors.As(err, &conflict) {
		e := dav.Conflict(davxml.CardDAV("no-uid-conflict"))
		e.Err = err
		return nil, e.WithHref(b.Path(conflict.Name))
	}
	if err != nil {
		return nil, err
	}
	return &card{b.Collection, c}, nil
}

// Delete is dav.Deleter.
func (b *book) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	return contacts.Remove(s.Tx, b.store(), r.(*card).Card)
}

// Copy is dav.Carrier.
func (b *book) Copy(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	src, err := carried(c)
	if err != nil {
		return nil, err
	}
	n, err := contacts.Copy(s.Tx, src.store(), src.Card, b.store(), c.Name, s.Now)
	return b.result(n, err)
}

// Move is dav.Carrier.
func (b *book) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	src, err := carried(c)
	if err != nil {
		return nil, err
	}
	n, err := contacts.Move(s.Tx, src.store(), src.Card, b.store(), c.Name, s.Now)
	return b.result(n, err)
}

// carried is the card that is copied or moved. A book cannot be in a book (RFC
// 6352 §5.2), and one of the directory is not in the store.
func carried(c dav.Carriage) (*card, error) {
	switch src := c.Source.(type) {
	case *card:
		return src, nil
	case *book:
		return nil, dav.Forbidden(davxml.CardDAV("addressbook-collection-location-ok"))
	}
	return nil, dav.Status(http.StatusForbidden)
}
