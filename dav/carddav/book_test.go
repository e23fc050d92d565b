package carddav

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/contacts"
)

func TestBytesComeBack(t *testing.T) {
	h := newHouse(t)
	for i, s := range vcardtest.Cards(60, 1) {
		path := fmt.Sprintf("%s%d.vcf", annaBook, i)
		status, answer, header := h.do("anna", "PUT", path, string(s.Bytes), "Content-Type", "text/vcard", "If-None-Match", "*")
		if status != 201 || header.Get("ETag") == "" {
			t.Fatalf("%s: %d %s", s.Shape, status, answer)
		}
		_, got, again := h.do("anna", "GET", path, "")
		if got != string(s.Bytes) || again.Get("ETag") != header.Get("ETag") || !strings.HasPrefix(again.Get("Content-Type"), "text/vcard") {
			t.Errorf("%s: other bytes, or %v after %v", s.Shape, again, header)
		}
		if status, _, _ := h.do("anna", "PUT", path, string(s.Bytes), "If-None-Match", "*"); status != 412 {
			t.Errorf("a second time: %d", status)
		}
	}
}

// RFC 6352 §6.3.2.1.
func TestPreconditionsOfPut(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "Ann"))
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
		h.want(tt.status, []string{tt.want}, "anna", "PUT", annaBook+tt.path, tt.body, "Content-Type", tt.typ)
	}
	h.want(409, nil, "anna", "PUT", annaHome+"nowhere/a.vcf", vcf("2", "B"))
	h.want(404, []string{"!BEGIN"}, "anna", "GET", annaBook+"b.vcf", "")
	h.want(507, []string{"quota-not-exceeded"}, "ben", "PUT", benBook+"a.vcf", vcf("1", strings.Repeat("x", davtest.BenQuota)))
}

func TestVersionsAreNegotiated(t *testing.T) {
	h := newHouse(t)
	four := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:4\r\nKIND:group\r\nFN:Board\r\nMEMBER:urn:uuid:1\r\nEND:VCARD\r\n"
	three := vcf("3", "Ann", "TEL;TYPE=HOME,PREF:1")
	h.want(201, nil, "anna", "PUT", annaBook+"4.vcf", four)
	h.want(201, nil, "anna", "PUT", annaBook+"3.vcf", three)
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
		h.want(tt.status, []string{tt.want}, "anna", "GET", annaBook+tt.path, "", "Accept", tt.accept)
	}
	_, _, own := h.do("anna", "GET", annaBook+"4.vcf", "")
	_, _, other := h.do("anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0")
	if own.Get("ETag") != other.Get("ETag") || !strings.Contains(other.Get("Vary"), "Accept") {
		t.Errorf("%v and %v", own, other)
	}
	h.want(204, nil, "anna", "PUT", annaBook+"4.vcf", strings.Replace(vcf("4", "Board"), "\r\nN:Board;;;;", "", 1), "If-Match", other.Get("ETag"))
	_, _, other = h.do("anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0")
	h.want(304, nil, "anna", "GET", annaBook+"4.vcf", "", "Accept", "text/vcard;version=3.0", "If-None-Match", other.Get("ETag"))
}

func TestCopyAndMove(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "Ann"))
	h.want(201, nil, "anna", "PUT", annaBook+"b.vcf", vcf("2", "Bob"))
	h.want(201, nil, "anna", "MKCOL", annaHome+"friends/", mkbook("Friends"))
	h.want(409, []string{">" + annaBook + "a.vcf</D:href></CR:no-uid-conflict>"}, "anna", "COPY", annaBook+"a.vcf", "", "Destination", annaBook+"c.vcf")
	h.want(409, []string{"no-uid-conflict"}, "anna", "MOVE", annaBook+"a.vcf", "", "Destination", annaBook+"b.vcf")
	h.want(201, nil, "anna", "MOVE", annaBook+"a.vcf", "", "Destination", annaBook+"c.vcf")
	h.want(201, nil, "anna", "COPY", annaBook+"c.vcf", "", "Destination", annaHome+"friends/c.vcf")
	h.want(204, nil, "anna", "MOVE", annaBook+"c.vcf", "", "Destination", annaHome+"friends/c.vcf")
	h.want(404, nil, "anna", "GET", annaBook+"c.vcf", "")
	h.want(200, []string{"FN:Ann"}, "anna", "GET", annaHome+"friends/c.vcf", "")
	h.want(403, nil, "anna", "COPY", annaHome+"directory/1.vcf", "", "Destination", annaBook+"d.vcf")
	if status, _, _ := h.do("anna", "MOVE", annaHome+"friends/", "", "Destination", annaBook+"friends/"); status != 403 {
		t.Errorf("a book into a book: %d", status)
	}
	h.want(204, nil, "anna", "DELETE", annaHome+"friends/", "")
	h.want(404, nil, "anna", "GET", annaHome+"friends/c.vcf", "")
}

func mkbook(name string) string {
	return `<D:mkcol` + spaces + `><D:set><D:prop><D:resourcetype><D:collection/><C:addressbook/></D:resourcetype><D:displayname>` + name +
		`</D:displayname><C:addressbook-description>what for</C:addressbook-description></D:prop></D:set></D:mkcol>`
}

// share gives a member rights on another's default book and returns its name in
// the member's home.
func (h *house) share(owner, with string, r storage.Rights) (name string) {
	h.update(func(tx *storage.Tx) error {
		b, err := contacts.Open(tx, h.Accounts[owner], contacts.DefaultBook)
		if err != nil {
			return err
		}
		name = fmt.Sprintf("~%d/", b.ID)
		return tx.SetACL(b.ID.Object(), h.Accounts[with], r)
	})
	return name
}

func TestHome(t *testing.T) {
	h := newHouse(t)
	shared := h.share("anna", "cleo", storage.RightLookup|storage.RightRead)
	list := propfind("<D:displayname/><D:resourcetype/><D:owner/><D:current-user-privilege-set/>")
	answer := h.want(207, []string{cleoBook + "<", cleoHome + shared + "<", "Anna Aster: Contacts", "<D:displayname>Contacts<", "Directory", "!garden@"},
		"cleo", "PROPFIND", cleoHome, list, "Depth", "1")
	if first := strings.Index(answer, cleoBook); first > strings.Index(answer, "directory") || first > strings.Index(answer, shared) {
		t.Error("the default book is not the first in the home")
	}
	h.want(207, []string{"The garden: Contacts", "directory"}, "anna", "PROPFIND", annaHome, list, "Depth", "1")
	h.want(207, []string{"<D:displayname>Contacts<", "!directory", "!~"}, "anna", "PROPFIND", "/dav/addressbooks/garden@coop.example/", list, "Depth", "1")
	h.want(207, []string{"anna@coop", "garden@coop", "!cleo@coop"}, "anna", "PROPFIND", "/dav/addressbooks/", list, "Depth", "1")
	h.want(404, nil, "cleo", "PROPFIND", annaHome, list, "Depth", "1")
	h.want(404, nil, "cleo", "PROPFIND", annaBook, list, "Depth", "0")
	h.want(404, nil, "cleo", "PROPFIND", "/dav/addressbooks/garden@coop.example/contacts/", list, "Depth", "0")
}

func TestMakeBooks(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "MKCOL", annaHome+"work/", mkbook("Work &amp; co"))
	h.want(207, []string{"<D:displayname>Work &amp; co<", ">what for<"}, "anna", "PROPFIND", annaHome+"work/",
		propfind("<D:displayname/><C:addressbook-description/>"), "Depth", "0")
	h.want(405, nil, "anna", "MKCOL", annaHome+"work/", mkbook("Again"))
	h.want(403, []string{"valid-resourcetype"}, "anna", "MKCOL", annaHome+"plain/", "")
	h.want(403, []string{"valid-resourcetype"}, "anna", "MKCOL", annaHome+"cal/", strings.Replace(mkbook("x"), "<C:addressbook/>", `<X:calendar xmlns:X="urn:ietf:params:xml:ns:caldav"/>`, 1))
	for _, name := range []string{"~99999", "~x"} {
		h.want(409, nil, "anna", "MKCOL", annaHome+name+"/", mkbook("x"))
	}
	h.want(405, nil, "anna", "MKCOL", annaHome+"directory/", mkbook("x"))
	h.want(201, nil, "anna", "MKCOL", "/dav/addressbooks/garden@coop.example/team/", mkbook("Team"))
	h.want(207, []string{">Team<"}, "anna", "PROPFIND", annaHome, propfind("<D:displayname/>"), "Depth", "1")
}

// What a member does to a book of another is the member's own affair.
func TestSharedBook(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "Zed"))
	shared := benHome + h.share("anna", "ben", storage.RightLookup|storage.RightRead)
	name := propfind("<D:displayname/>")
	rename := func(to string) string {
		return `<D:propertyupdate` + spaces + `><D:set><D:prop><D:displayname>` + to + `</D:displayname></D:prop></D:set></D:propertyupdate>`
	}
	h.want(200, []string{"FN:Zed"}, "ben", "GET", shared+"a.vcf", "")
	h.want(403, []string{"need-privileges"}, "ben", "PUT", shared+"b.vcf", vcf("2", "B"))
	h.want(403, []string{"need-privileges"}, "ben", "PUT", shared+"a.vcf", vcf("1", "B"))
	h.want(403, []string{"need-privileges"}, "ben", "DELETE", shared+"a.vcf", "")
	h.want(207, []string{"200 OK"}, "ben", "PROPPATCH", shared, rename("Of Ann"))
	h.want(207, []string{">Of Ann<"}, "ben", "PROPFIND", shared, name, "Depth", "0")
	h.want(207, []string{">Contacts<"}, "anna", "PROPFIND", annaBook, name, "Depth", "0")
	h.want(207, []string{"200 OK"}, "anna", "PROPPATCH", annaBook, rename("Mine"))
	h.want(207, []string{">Of Ann<"}, "ben", "PROPFIND", shared, name, "Depth", "0")
	h.want(207, []string{">Mine<"}, "anna", "PROPFIND", annaBook, name, "Depth", "0")

	h.share("anna", "ben", storage.OwnerRights&^storage.RightAdminister)
	h.want(201, nil, "ben", "PUT", shared+"b.vcf", vcf("2", "B"))
	h.want(204, nil, "ben", "DELETE", shared, "")
	h.want(404, nil, "ben", "GET", shared+"a.vcf", "")
	h.want(200, []string{"FN:B"}, "anna", "GET", annaBook+"b.vcf", "")
}

// A group's book can be hidden by a member, and is not deleted by that.
func TestHideABookOfAGroup(t *testing.T) {
	h := newHouse(t)
	var path string
	var id storage.CollectionID
	h.update(func(tx *storage.Tx) error {
		b, err := contacts.Open(tx, h.Accounts["garden"], contacts.DefaultBook)
		id, path = b.ID, fmt.Sprintf("%s~%d/", annaHome, b.ID)
		return err
	})
	h.want(201, nil, "anna", "PUT", path+"a.vcf", vcf("1", "A"))
	h.want(204, nil, "anna", "DELETE", path, "")
	h.want(207, []string{"!" + path}, "anna", "PROPFIND", annaHome, propfind("<D:displayname/>"), "Depth", "1")
	h.want(200, []string{"FN:A"}, "anna", "GET", "/dav/addressbooks/garden@coop.example/contacts/a.vcf", "")
	h.update(func(tx *storage.Tx) error {
		return accounts.RemoveMember(tx, h.Accounts["garden"], "anna@coop.example")
	})
	h.want(404, nil, "anna", "GET", "/dav/addressbooks/garden@coop.example/contacts/a.vcf", "")
	h.update(func(tx *storage.Tx) error { return contacts.Delete(tx, mustBook(tx, id)) })
}

func mustBook(tx *storage.Tx, id storage.CollectionID) contacts.Book {
	b, err := contacts.ByID(tx, id)
	if err != nil {
		panic(err)
	}
	return b
}

func TestHomeTag(t *testing.T) {
	h := newHouse(t)
	shared := h.share("anna", "ben", storage.RightLookup|storage.RightRead|storage.RightInsert)
	tag := func() string {
		return text(h.want(207, nil, "ben", "PROPFIND", benHome, propfind("<CS:getctag/>"), "Depth", "0"), "CS:getctag")
	}
	last := tag()
	if last == "" || tag() != last {
		t.Fatalf("tag %q", last)
	}
	for what, change := range map[string]func(){
		"a card of one's own": func() { h.want(201, nil, "ben", "PUT", benBook+"a.vcf", vcf("1", "A")) },
		"a card of another":   func() { h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A")) },
		"a name": func() {
			h.want(207, nil, "ben", "PROPPATCH", benHome+shared, `<D:propertyupdate`+spaces+`><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>`)
		},
		"a new book":   func() { h.want(201, nil, "ben", "MKCOL", benHome+"new/", mkbook("n")) },
		"other rights": func() { h.share("anna", "ben", storage.RightLookup|storage.RightRead) },
	} {
		change()
		now := tag()
		if now == last {
			t.Errorf("%s did not change the tag", what)
		}
		last = now
	}
}

// Sharing is an ACL request, and its end is one without the entry.
func TestShareByACL(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A"))
	ace := `<D:ace><D:principal><D:href>/dav/principals/users/cleo@coop.example/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>`
	acl := func(aces string) string { return `<D:acl` + spaces + `>` + aces + `</D:acl>` }
	h.want(200, nil, "anna", "ACL", annaBook, acl(ace))
	shared := cleoHome + h.nameOf("anna")
	h.want(207, []string{shared, "Anna Aster: Contacts"}, "cleo", "PROPFIND", cleoHome, propfind("<D:displayname/>"), "Depth", "1")
	h.want(200, []string{"FN:A"}, "cleo", "GET", shared+"a.vcf", "")
	h.want(207, []string{"403 Forbidden"}, "cleo", "PROPFIND", shared, propfind("<D:acl/>"), "Depth", "0")
	h.want(403, []string{"need-privileges"}, "cleo", "ACL", shared, acl(""))
	h.want(201, nil, "cleo", "COPY", shared+"a.vcf", "", "Destination", cleoBook+"a.vcf")
	h.want(403, []string{"need-privileges"}, "cleo", "COPY", cleoBook+"a.vcf", "", "Destination", shared+"b.vcf")
	h.want(403, []string{"need-privileges"}, "cleo", "MOVE", shared+"a.vcf", "", "Destination", cleoBook+"b.vcf")
	h.want(200, nil, "anna", "ACL", annaBook, acl(""))
	h.want(404, nil, "cleo", "GET", shared+"a.vcf", "")
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
	h.want(201, nil, "anna", "PUT", annaBook+"secret.vcf", vcf("1", "Secret"))
	shared := cleoHome + h.share("anna", "cleo", storage.RightLookup)
	h.want(207, []string{"Anna Aster: Contacts", "!secret"}, "cleo", "PROPFIND", shared, propfind("<D:displayname/>"), "Depth", "1")
	h.want(403, []string{"!secret"}, "cleo", "REPORT", shared, queryBody(etagData, `<C:filter><C:prop-filter name="FN"/></C:filter>`), "Depth", "1")
	h.want(403, []string{"!Secret"}, "cleo", "REPORT", shared, `<C:addressbook-multiget`+spaces+`>`+etagData+`<D:href>`+shared+`secret.vcf</D:href></C:addressbook-multiget>`)
	h.want(403, nil, "cleo", "REPORT", shared, `<D:sync-collection`+spaces+`><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
	h.want(403, nil, "cleo", "GET", shared+"secret.vcf", "")
}

// A LOCK would make an empty card, which is none.
func TestLocks(t *testing.T) {
	h := newHouse(t)
	lock := `<D:lockinfo` + spaces + `><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	h.want(403, []string{"valid-address-data"}, "anna", "LOCK", annaBook+"new.vcf", lock)
	h.want(201, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "A"))
	shared := cleoHome + h.share("anna", "cleo", storage.OwnerRights)
	_, _, header := h.do("anna", "LOCK", annaBook+"a.vcf", lock, "Depth", "0")
	h.want(423, nil, "cleo", "PUT", shared+"a.vcf", vcf("1", "B"))
	h.want(204, nil, "anna", "PUT", annaBook+"a.vcf", vcf("1", "B"), "If", "("+header.Get("Lock-Token")+")")
	h.want(204, nil, "anna", "UNLOCK", annaBook+"a.vcf", "", "Lock-Token", header.Get("Lock-Token"))
	h.want(204, nil, "cleo", "PUT", shared+"a.vcf", vcf("1", "C"))
}
