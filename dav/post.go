package dav

import (
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage/blob"
)

// post hands a POST to the resource, if it takes any (RFC 9110 §9.3.3).
func post(x *Exchange) error {
	var p Poster
	err := x.View(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		if err := s.require(r, x.at.raw, PrivReadOwn); err != nil {
			return err
		}
		var ok bool
		if p, ok = r.(Poster); !ok {
			parent, _, _ := s.parent(x.at)
			return x.notAllowed(r, parent)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.Post(x)
}

// Receive stages the body of a POST of at most limit bytes. The caller discards
// it when it was not attached.
func (x *Exchange) Receive(limit int64) (*blob.Staged, error) {
	return x.receive(limit, Status(http.StatusRequestEntityTooLarge), false)
}

// Body reads the XML of a POST, nil when there is none.
func (x *Exchange) Body() (*davxml.Element, error) { return x.body() }

// XML answers with a document.
func (x *Exchange) XML(status int, w *davxml.Writer) { x.xml(status, w) }
