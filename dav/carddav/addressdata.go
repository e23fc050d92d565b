package carddav

import (
	"fmt"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
)

var addressDataName = davxml.CardDAV("address-data")

// parseWant reads which properties a report asks for, address-data among them.
func parseWant(body *davxml.Element) (*dav.Want, error) {
	want, err := dav.ParseWant(body)
	if err != nil {
		return nil, err
	}
	if e := body.Child(davxml.DAV("prop")).Child(addressDataName); e != nil {
		data, err := parseAddressData(e)
		if err != nil {
			return nil, err
		}
		want.Instead(dav.Property{Name: addressDataName, Late: data.write})
	}
	return want, nil
}

// addressData is what to give of a card (RFC 6352 §10.4).
type addressData struct {
	version vcard.Version
	props   []vcard.Selected // none: all
}

// parseAddressData reads the element of a request. What does not name a version
// asks for 3.0, as the element's definition says.
func parseAddressData(e *davxml.Element) (*addressData, error) {
	a := &addressData{version: vcard.V3}
	if v := e.Attr("version"); v != "" {
		a.version = vcard.Version(v)
	}
	if t := e.Attr("content-type"); t != "" && t != "text/vcard" || a.version != vcard.V3 && a.version != vcard.V4 {
		return nil, dav.Forbidden(davxml.CardDAV("supported-address-data"))
	}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CardDAV("allprop"):
			return a, nil
		case davxml.CardDAV("prop"):
			s := vcard.Selected{NoValue: c.Attr("novalue") == "yes"}
			s.Group, s.Name = vcard.PropName(c.Attr("name"))
			if a.props = append(a.props, s); len(a.props) > maxTests {
				return nil, dav.Forbidden(davxml.CardDAV("supported-address-data"))
			}
		}
	}
	return a, nil
}

// write is dav.Property.Late.
func (a *addressData) write(db *storage.DB, r dav.Resource, w *davxml.Writer) error {
	src, ok := r.(source)
	if !ok {
		return storage.ErrNotFound
	}
	raw, err := src.bytes(db)
	if err != nil {
		return err
	}
	if a.version == src.version() && len(a.props) == 0 {
		raw, err = vcard.UTF8(raw)
		w.TextBytes(raw)
		return err
	}
	c, err := vcard.Parse(raw)
	if err == nil {
		c, err = c.Convert(a.version)
	}
	if err != nil {
		return fmt.Errorf("stored card: %w", err)
	}
	if len(a.props) > 0 { // which is a new card, as a converted one is: UTF-8
		c = c.Select(a.props)
	}
	w.TextBytes(c.Bytes())
	return nil
}
