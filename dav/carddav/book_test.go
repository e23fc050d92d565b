package carddav

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

func TestBytesComeBack(t *testing.T) {
	h := newHouse(t)
	for i, s := range vcardtest.Cards(60, 1) {
		path := fmt.Sprintf("%s%d.vcf", annaBook, i)
		status, answer, header := h.Do("anna", "PUT", path, string(s.Bytes), "Content-Type", "text/vcard", "If-None-Match", "*")
		if status != 201 || header.Get("ETag") == "" {
			t.Fatalf("%s: %d %s", s.Shape, status, answer)
		}
		_, got, again := h.Do("anna", "GET", path, "")
		if got != string(s.Bytes) || again.Get("ETag") != header.Get("ETag") || !strings.HasPrefix(again.Get("Content-Type"), "text/vcard") {
			t.Errorf("%s: other bytes, or %v after %v", s.Shape, again, header)
		}
		if status, _, _ := h.Do("anna", "PUT", path, string(s.Bytes), "If-None-Match", "*"); status != 412 {
			t.Errorf("a second time: %d", status)
		}
	}
}

// RFC 6352 §6.3.2.1.
func TestPreconditionsOfPut(t *testing.T) {
	h := newHouse(t)
	h.Want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "Ann"))
	large := vcf("9", strings.Repeat("x", vcard.MaxBytes))
	for _, tt := range []struct {
		path, typ, body string
		status          int
		want            string
	}{
		{"b.vcf", "text/calendar", vcf("2", "B"), 403, "supported-address-data"},
		{"b.vcf", "", strings.Replace(vcf("2", "B"), "3.0", "2.1", 1), 403, "supported-address-data"},
		{"b.vcf", "text/vcard", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n", 403, "valid-address-data"},
		{"b.vcf", "text/vcard", vcf("2", "\xff"), 403, "line 4: not UTF-8"},
		{"b.vcf", "text/vcard", "", 403, "valid-address-data"},
		{"b.vcf", "text/vcard", vcf("2", "B") + vcf("3", "C"), 403, "valid-address-data"},
		{"b.vcf", "text/vcard", strings.Repeat("BEGIN:VCARD\r\n", 200_000), 403, "valid-address-data"},
		{"b.vcf", "text/vcard", large, 403, "max-resource-size"},
		{"b.vcf", "text/vcard", vcf("1", "B"), 409, ">" + annaBook + "a.vcf</D:href></CR:no-uid-conflict>"},
		{"a.vcf", "text/vcard", vcf("2", "B"), 409, ">" + annaBook + "a.vcf</D:href></CR:no-uid-conflict>"},
		{strings.Repeat("n", 500) + ".vcf", "text/vcard", vcf("2", "B"), 400, ""},
		{"a.vcf/b.vcf", "text/vcard", vcf("2", "B"), 409, ""},
	} {
		h.Want(tt.status, []string{tt.want}, "anna", "PUT", annaBook+tt.path, tt.body, "Content-Type", tt.typ)
	}
	h.Want(409, nil, "anna", "PUT", annaHome+"nowhere/a.vcf", vcf("2", "B"))
	h.Want(404, []string{"!BEGIN"}, "anna", "GET", annaBook+"b.vcf", "")
	h.Want(507, []string{"quota-not-exceeded"}, "ben", "PUT", benBook+"a.vcf", vcf("1", strings.Repeat("x", davtest.BenQuota)))
}

func TestVersionsAreNegotiated(t *testing.T) {
	h := newHouse(t)
	four := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:4\r\nKIND:group\r\nFN:Board\r\nMEMBER:urn:uuid:1\r\nEND:VCARD\r\n"
	three := vcf("3", "Ann", "TEL;TYPE=HOME,PREF:1")
	h.Want(201, nil, "anna", "PUT", annaBook+"4.vcf", four)
	h.Want(201, nil, "anna", "PUT", annaBook+"3.vcf", three)
	for _, tt := range []struct {
		path, accept string
		status       int
		want         string
	}{
		{"4.vcf", "", 200, "VERSION:4.0"},
		{"4.vcf", "*/*", 200, "VERSION:4.0"},
		{"4.vcf", "text/vcard", 200, "VERSION:4.0"},
		{"4.vcf", "text/vcard; version=3.0", 200, "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1"},
		{"4.vcf", "text/vcard; version=4.0;q=0.2, text/vcard;version=\"3.0\";q=0.4", 200, "VERSION:3.0"},
		{"4.vcf", "text/x-vcard", 200, "VERSION:3.0"},
		{"4.vcf", "text/html, */*;q=0.1", 200, "VERSION:4.0"},
		{"4.vcf", "text/vcard;version=4.0;q=0, */*", 200, "VERSION:3.0"},
		{"3.vcf", "text/vcard;version=4.0", 200, "TEL;TYPE=HOME;PREF=1:1"},
		{"3.vcf", "text/vcard;version=4.0, text/vcard;q=0.9", 200, "VERSION:4.0"},
		{"3.vcf", "text/calendar", 406, "supported-address-data-conversion"},
		{"3.vcf", "text/vcard;version=2.1", 406, "supported-address-data-conversion"},
	} {
		h.Want(tt.status, []string{tt.want}, "anna", "GET", annaBook+tt.path, "", "Accept", tt.accept)
	}
	_, _, own := h.Do("anna", "GET", annaBook+"4.vcf", "")
	_, _, other := h.Do("anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0")
	if own.Get("ETag") != other.Get("ETag") || !strings.Contains(other.Get("Vary"), "Accept") {
		t.Errorf("%v and %v", own, other)
	}
	h.Want(204, nil, "anna", "PUT", annaBook+"4.vcf", strings.Replace(vcf("4", "Board"), "\r\nN:Board;;;;", "", 1), "If-Match", other.Get("ETag"))
	_, _, other = h.Do("anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0")
	h.Want(304, nil, "anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0", "If-None-Match", other.Get("ETag"))
}

func TestCopyAndMove(t *testing.T) {
	h := newHouse(t)
	h.Want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "Ann"))
	h.Want(201, nil, "anna", "PUT", annaBook+"b.vcf", vcf("2", "Bob"))
	h.Want(201, nil, "anna", "MKCOL", annaHome+"friends/", mkbook("Friends"))
	h.Want(409, []string{">" + annaBook + "a.vcf</D:href></CR:no-uid-conflict>"}, "anna", "COPY", annaBook+"a.vcf", "", "Destination", annaBook+"c.vcf")
	h.Want(409, []string{"no-uid-conflict"}, "anna", "MOVE", annaBook+"a.vcf", "", "Destination", annaBook+"b.vcf")
	h.Want(201, nil, "anna", "MOVE", annaBook+"a.vcf", "", "Destination", annaBook+"c.vcf")
	h.Want(201, nil, "anna", "COPY", annaBook+"c.vcf", "", "Destination", annaHome+"friends/c.vcf")
	h.Want(204, nil, "anna", "MOVE", annaBook+"c.vcf", "", "Destination", annaHome+"friends/c.vcf")
	h.Want(404, nil, "anna", "GET", annaBook+"c.vcf", "")
	h.Want(200, []string{"FN:Ann"}, "anna", "GET", annaHome+"friends/c.vcf", "")
	h.Want(403, nil, "anna", "COPY", annaHome+"directory/1.vcf", "", "Destination", annaBook+"d.vcf")
	if status, _, _ := h.Do("anna", "MOVE", annaHome+"friends/", "", "Destination", annaBook+"friends/"); status != 403 {
		t.Errorf("a book into a book: %d", status)
	}
	h.Want(204, nil, "anna", "DELETE", annaHome+"friends/", "")
	h.Want(404, nil, "anna", "GET", annaHome+"friends/c.vcf", "")
}

func mkbook(name string) string {
	return `<D:mkcol` + spaces + `><D:set><D:prop><D:resourcetype><D:collection/><C:addressbook/></D:resourcetype><D:displayname>` + name +
		`</D:displayname><C:addressbook-description>what for</C:addressbook-description></D:prop></D:set></D:mkcol>`
}

// share gives a member rights on another's default book and returns its name in
// the member's home.
func (h *house) share(owner, with string, r storage.Rights) (name string) {
	h.Update(func(tx *storage.Tx) error {
		b, err := contacts.Open(tx, h.Accounts[owner], contacts.DefaultBook)
		if err != nil {
			return err
		}
		name = fmt.Sprintf("~%d/", b.ID)
		return tx.SetACL(b.ID.Object(), h.Accounts[with], r)
	})
	return name
}

// Sharing is an ACL request, and its end is one without the entry.
func TestShareByACL(t *testing.T) {
	h := newHouse(t)
	h.Want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A"))
	ace := `<D:ace><D:principal><D:href>/dav/principals/users/cleo@coop.example/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>`
	acl := func(aces string) string { return `<D:acl` + spaces + `>` + aces + `</D:acl>` }
	h.Want(200, nil, "anna", "ACL", annaBook, acl(ace))
	shared := cleoHome + h.nameOf("anna")
	h.Want(207, []string{shared, "Anna Aster: Contacts"}, "cleo", "PROPFIND", cleoHome, propfind("<D:displayname/>"), "Depth", "1")
	h.Want(200, []string{"FN:A"}, "cleo", "GET", shared+"a.vcf", "")
	h.Want(207, []string{"403 Forbidden"}, "cleo", "PROPFIND", shared, propfind("<D:acl/>"), "Depth", "0")
	h.Want(403, []string{"need-privileges"}, "cleo", "ACL", shared, acl(""))
	h.Want(201, nil, "cleo", "COPY", shared+"a.vcf", "", "Destination", cleoBook+"a.vcf")
	h.Want(403, []string{"need-privileges"}, "cleo", "COPY", cleoBook+"a.vcf", "", "Destination", shared+"b.vcf")
	h.Want(403, []string{"need-privileges"}, "cleo", "MOVE", shared+"a.vcf", "", "Destination", cleoBook+"b.vcf")
	h.Want(200, nil, "anna", "ACL", annaBook, acl(""))
	h.Want(404, nil, "cleo", "GET", shared+"a.vcf", "")
}

// nameOf is what the default book of a member is called in the homes of others.
func (h *house) nameOf(owner string) (name string) {
	h.View(func(tx *storage.Tx) error {
		b, err := contacts.Open(tx, h.Accounts[owner], contacts.DefaultBook)
		name = fmt.Sprintf("~%d/", b.ID)
		return err
	})
	return name
}

// Who may only see that a book is there learns nothing of what is in it.
func TestLookupIsNotRead(t *testing.T) {
	h := newHouse(t)
	h.Want(201, nil, "anna", "PUT", annaBook+"secret.vcf", vcf("1", "Secret"))
	shared := cleoHome + h.share("anna", "cleo", storage.RightLookup)
	h.Want(207, []string{"Anna Aster: Contacts", "!secret"}, "cleo", "PROPFIND", shared, propfind("<D:displayname/>"), "Depth", "1")
	h.Want(403, []string{"!secret"}, "cleo", "REPORT", shared, queryBody(etagData, `<C:filter><C:prop-filter name="FN"/></C:filter>`), "Depth", "1")
	h.Want(403, []string{"!Secret"}, "cleo", "REPORT", shared, `<C:addressbook-multiget`+spaces+`>`+etagData+`<D:href>`+shared+`secret.vcf</D:href></C:addressbook-multiget>`)
	h.Want(403, nil, "cleo", "REPORT", shared, `<D:sync-collection`+spaces+`><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
	h.Want(403, nil, "cleo", "GET", shared+"secret.vcf", "")
}

// A LOCK would make an empty card, which is none.
func TestLocks(t *testing.T) {
	h := newHouse(t)
	lock := `<D:lockinfo` + spaces + `><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	h.Want(403, []string{"valid-address-data"}, "anna", "LOCK", annaBook+"new.vcf", lock)
	h.Want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A"))
	shared := cleoHome + h.share("anna", "cleo", storage.OwnerRights)
	_, _, header := h.Do("anna", "LOCK", annaBook+"a.vcf", lock, "Depth", "0")
	h.Want(423, nil, "cleo", "PUT", shared+"a.vcf", vcf("1", "B"))
	h.Want(204, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "B"), "If", "("+header.Get("Lock-Token")+")")
	h.Want(204, nil, "anna", "UNLOCK", annaBook+"a.vcf", "", "Lock-Token", header.Get("Lock-Token"))
	h.Want(204, nil, "cleo", "PUT", shared+"a.vcf", vcf("1", "C"))
}

// A property that a program keeps with a card is a change for those who follow,
// and goes where the card goes.
func TestPropertiesOfCards(t *testing.T) {
	h := newHouse(t)
	h.Want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A"))
	h.Want(201, nil, "anna", "MKCOL", annaHome+"other/", mkbook("Other"))
	cards := map[string]string{}
	token, _ := h.syncOnce(annaBook, "", 10, cards)
	h.Want(207, []string{"200 OK"}, "anna", "PROPPATCH", annaBook+"a.vcf", `<D:propertyupdate`+spaces+`><D:set><D:prop><X:mark xmlns:X="urn:x">seen</X:mark></D:prop></D:set></D:propertyupdate>`)
	clear(cards)
	if next, _ := h.syncOnce(annaBook, token, 10, cards); next == token || len(cards) != 1 {
		t.Errorf("%v at %q after %q", cards, next, token)
	}
	h.Want(201, nil, "anna", "MOVE", annaBook+"a.vcf", "", "Destination", annaHome+"other/a.vcf")
	h.Want(207, []string{">seen<"}, "anna", "PROPFIND", annaHome+"other/a.vcf", "", "Depth", "0")
}

// Credentials that are not good for address books are not led to them (DAVx5 lists
// every home it is told of, and shows what it may not read as an error).
func TestHomeOfAnotherService(t *testing.T) {
	h := newHouse(t)
	ask := propfind("<C:addressbook-home-set/><C:directory-gateway/>")
	principal := "/dav/principals/users/anna@coop.example/"
	h.Want(207, []string{annaHome + "</D:href>", annaHome + "directory/"}, "anna", "PROPFIND", principal, ask, "Depth", "0")
	h.Engine.Sees = func(_ *http.Request, prefix string) bool { return prefix != Prefix }
	h.Want(207, []string{"404 Not Found", "!" + annaHome}, "anna", "PROPFIND", principal, ask, "Depth", "0")
}
