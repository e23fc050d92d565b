package dav

import (
	"bytes"
	"net/http"
	"slices"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// HeldElement reads the value of a held property: the property's element, as it
// is kept in the store under the name that davxml.Name.String writes.
func HeldElement(value []byte) (*davxml.Element, error) {
	return davxml.Parse(bytes.NewReader(value), davxml.Limits{Bytes: int64(len(value))})
}

// object is what a resource keeps properties with; ok is false for none. What
// somebody keeps with their account is theirs alone to read.
func (s *Scope) object(r Resource) (o storage.Object, ok bool) {
	h, ok := r.(Holder)
	if !ok {
		return o, false
	}
	o = h.Object()
	return o, o.Collection != 0 || slices.Contains(s.Identities, storage.AccountID(o.Item))
}

// hold keeps a property's element with a resource; nil removes it.
func (s *Scope) hold(r Resource, personal bool, n davxml.Name, v *davxml.Element) error {
	o, ok := s.object(r)
	if !ok {
		return notHeld
	}
	var owner storage.AccountID
	if personal {
		owner = s.User
	}
	var value []byte
	if v != nil {
		var w davxml.Writer
		w.Element(v)
		value = w.Bytes()
	}
	if len(n.String()) > storage.MaxPropertyName || len(value) > storage.MaxPropertyBytes {
		return Status(http.StatusInsufficientStorage)
	}
	if err := s.Tx.SetProperty(o, owner, n.String(), value); err != nil {
		return err
	}
	if personal {
		return nil
	}
	return r.(Holder).Touch(s)
}
