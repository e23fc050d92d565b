package carddav

import (
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
)

// Whatever a report's body asks for, it is understood or refused.
func FuzzReport(f *testing.F) {
	f.Add(queryBody(etagData, `<C:filter test="allof"><C:prop-filter name="item1.TEL"><C:is-not-defined/></C:prop-filter>
		<C:prop-filter name="FN"><C:text-match collation="i;octet" negate-condition="yes" match-type="ends-with">x</C:text-match>
		<C:param-filter name="TYPE"><C:text-match>work</C:text-match></C:param-filter></C:prop-filter></C:filter><C:limit><C:nresults>7</C:nresults></C:limit>`))
	f.Add(queryBody(`<D:prop><C:address-data version="4.0"><C:prop name="A.B" novalue="yes"/><C:allprop/></C:address-data></D:prop>`, ""))
	cards := make([]*vcard.Card, 0, 14)
	for _, s := range vcardtest.Cards(14, 1) {
		c, err := vcard.Parse(s.Bytes)
		if err != nil {
			f.Fatal(err)
		}
		cards = append(cards, c)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := davxml.Parse(strings.NewReader(body), davxml.Limits{})
		if err != nil {
			return
		}
		if _, err := parseWant(e); err != nil {
			return
		}
		_, _ = parseLimit(e.Child(davxml.CardDAV("limit")))
		filter, err := parseFilter(e.Child(davxml.CardDAV("filter")))
		if err != nil {
			return
		}
		for _, c := range cards {
			filter.Match(c)
			filter.Decide(func(string) ([][][]byte, bool) { return [][][]byte{{[]byte("X")}}, true })
		}
	})
}

func FuzzAccept(f *testing.F) {
	f.Add(`text/vcard;version="4.0";q=0.3, text/*;q=.1, */*;q=0`)
	f.Fuzz(func(t *testing.T, accept string) {
		for _, stored := range []vcard.Version{vcard.V3, vcard.V4} {
			if v, err := negotiate(accept, stored); err == nil && v != vcard.V3 && v != vcard.V4 {
				t.Errorf("%q: %q", accept, v)
			}
		}
	})
}
