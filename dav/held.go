package dav

import (
	"bytes"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// HeldElement reads the value of a held property: the property's element, as it
// is kept in the store under the name that davxml.Name.String writes.
func HeldElement(value []byte) (*davxml.Element, error) {
	return davxml.Parse(bytes.NewReader(value), davxml.Limits{Bytes: int64(len(value))})
}

// hold keeps a property's element with a resource; nil removes it.
func (s *Scope) hold(r Resource, personal bool, n davxml.Name, v *davxml.Element) error {
	h, ok := r.(Holder)
	if !ok || h.Object() == (storage.Object{}) {
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
	if err := s.Tx.SetProperty(h.Object(), owner, n.String(), value); err != nil {
		return err
	}
	if personal {
		return nil
	}
	return h.Touch(s)
}
