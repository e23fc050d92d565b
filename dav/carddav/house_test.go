package carddav

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/resource"
)

// A house is one in which everybody has address books.
type house struct {
	*davtest.House
	t testing.TB
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{davtest.New(t), t}
	h.Hooks = append(h.Hooks, resource.Check, contacts.Check)
	Mount(h.Engine)
	h.Update(func(tx *storage.Tx) error {
		for _, a := range h.Accounts {
			if err := contacts.Ensure(tx, a, h.Now); err != nil {
				return err
			}
		}
		return nil
	})
	return h
}

const (
	annaHome = "/dav/addressbooks/anna@coop.example/"
	annaBook = annaHome + "contacts/"
	benHome  = "/dav/addressbooks/ben@coop.example/"
	cleoHome = "/dav/addressbooks/cleo@coop.example/"
	cleoBook = cleoHome + "contacts/"
	benBook  = benHome + "contacts/"
	spaces   = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"`
	etagData = `<D:prop><D:getetag/><C:address-data/></D:prop>`
)

func vcf(uid, fn string, lines ...string) string {
	s := fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:%s;;;;\r\n", uid, fn, fn)
	for _, l := range lines {
		s += l + "\r\n"
	}
	return s + "END:VCARD\r\n"
}

func propfind(props string) string {
	return `<?xml version="1.0"?><D:propfind` + spaces + `><D:prop>` + props + `</D:prop></D:propfind>`
}

// token takes the text of the first element of a name out of an answer.
func text(answer, element string) string {
	_, rest, _ := strings.Cut(answer, "<"+element+">")
	t, _, _ := strings.Cut(rest, "</")
	return t
}
