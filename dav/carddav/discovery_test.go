package carddav

import (
	"strings"
	"testing"
)

const annaPrincipal = "/dav/principals/users/anna@coop.example/"

// What iOS and macOS Contacts ask for, from the name of the host to the cards.
func TestAppleContacts(t *testing.T) {
	h := newHouse(t)
	brief := []string{"Brief", "t", "Prefer", "return=minimal", "Content-Type", "text/xml"}
	find := func(path, depth, props string, texts ...string) string {
		t.Helper()
		return h.want(207, texts, "anna", "PROPFIND", path, propfind(props), append(brief, "Depth", depth)...)
	}
	find("/dav/", "0", "<D:current-user-principal/><D:principal-URL/><D:resourcetype/>",
		"<D:current-user-principal><D:href>"+annaPrincipal+"</D:href>", "!404")
	find(annaPrincipal, "0", `<C:addressbook-home-set/><C:directory-gateway/><D:displayname/><CS:email-address-set/><D:principal-collection-set/>
		<D:principal-URL/><D:resource-id/><D:supported-report-set/>`,
		"addressbook-home-set><D:href>"+annaHome, "directory-gateway><D:href>"+annaHome+"directory/", ">Anna Aster<", "anna@coop.example", "!404")
	if _, _, header := h.do("anna", "OPTIONS", annaHome, ""); !strings.Contains(header.Get("DAV"), "addressbook") || !strings.Contains(header.Get("DAV"), "extended-mkcol") {
		t.Errorf("DAV: %s", header.Get("DAV"))
	}
	all := `<D:add-member/><CS:bulk-requests/><D:current-user-privilege-set/><D:displayname/><C:max-image-size/><C:max-resource-size/><CS:me-card/>
		<D:owner/><CS:push-transports/><CS:pushkey/><D:quota-available-bytes/><D:quota-used-bytes/><D:resource-id/><D:resourcetype/>
		<D:supported-report-set/><D:sync-token/><CS:getctag/>`
	home := find(annaHome, "1", all, "<CR:addressbook/>", "<D:sync-token>data:,", "CS:getctag>", "<D:write/>", "<D:sync-collection/>", "addressbook-multiget/>")
	if first := strings.Index(home, "<CR:addressbook/>"); first < 0 || strings.Index(home, annaBook) > first {
		t.Error("the first book is not the member's own")
	}
	me := `<D:propertyupdate` + spaces + `><D:set><D:prop><CS:me-card><D:href>` + annaBook + `me.vcf</D:href></CS:me-card></D:prop></D:set></D:propertyupdate>`
	h.want(200, nil, "anna", "PROPPATCH", annaHome, me, brief...)
	find(annaHome, "0", "<CS:me-card/>", annaBook+"me.vcf")

	h.want(207, []string{"!me.vcf"}, "ben", "PROPFIND", annaPrincipal, propfind("<CS:me-card/>"), "Depth", "0")
	h.want(207, []string{"!me.vcf"}, "ben", "PROPFIND", annaPrincipal, "", "Depth", "0")
	h.want(207, []string{"cannot-modify-protected-property"}, "anna", "PROPPATCH", annaHome,
		`<D:propertyupdate`+spaces+`><D:set><D:prop><D:displayname>Somebody else</D:displayname></D:prop></D:set></D:propertyupdate>`)

	h.want(201, nil, "anna", "PUT", annaBook+"me.vcf", vcf("me", "Ann"), "If-None-Match", "*", "Content-Type", "text/vcard; charset=utf-8")
	cards := map[string]string{}
	token, _ := h.syncOnce(annaBook, "", 100, cards)
	if len(cards) != 1 || token == "" {
		t.Errorf("%v at %q", cards, token)
	}
	if again, _ := h.syncOnce(annaBook, token, 100, cards); again != token {
		t.Errorf("token %q, then %q, and nothing has changed", token, again)
	}
	// The global search: a query of the gateway.
	h.want(207, []string{"FN:Ben Birch"}, "anna", "REPORT", annaHome+"directory/", queryBody(`<D:prop><D:getetag/><C:address-data><C:prop name="VERSION"/>
		<C:prop name="UID"/><C:prop name="FN"/><C:prop name="EMAIL"/></C:address-data></D:prop>`,
		`<C:filter test="anyof"><C:prop-filter name="FN" test="allof"><C:text-match collation="i;unicode-casemap" match-type="contains">bir</C:text-match></C:prop-filter>
		<C:prop-filter name="EMAIL" test="allof"><C:text-match collation="i;unicode-casemap" match-type="starts-with">bo</C:text-match></C:prop-filter></C:filter>
		<C:limit><C:nresults>50</C:nresults></C:limit>`), "Depth", "1")
}

// What DAVx5 asks for: it reads the DAV header of the principal and lists the
// home; it takes 4.0 where it is told that there is such.
func TestDAVx5(t *testing.T) {
	h := newHouse(t)
	h.want(207, []string{annaPrincipal}, "anna", "PROPFIND", "/dav/", propfind("<C:addressbook-home-set/><D:current-user-principal/><D:displayname/>"), "Depth", "0")
	if _, _, header := h.do("anna", "OPTIONS", annaPrincipal, ""); !strings.Contains(header.Get("DAV"), "addressbook") {
		t.Errorf("DAV: %s", header.Get("DAV"))
	}
	h.want(207, []string{annaHome}, "anna", "PROPFIND", annaPrincipal, propfind("<C:addressbook-home-set/><D:group-membership/>"), "Depth", "0")
	h.want(207, []string{annaBook + "<", `version="4.0"`, `<D:owner><D:href>` + annaPrincipal, "principals/groups/garden@coop.example/", "The garden: Contacts"}, "anna", "PROPFIND", annaHome,
		propfind(`<D:resourcetype/><D:displayname/><D:owner/><D:current-user-privilege-set/><C:addressbook-description/><C:supported-address-data/>
		<D:supported-report-set/><CS:getctag/><D:sync-token/><D:group-membership/>`), "Depth", "1")
	four := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:x\r\nFN:X\r\nEND:VCARD\r\n"
	h.want(201, nil, "anna", "PUT", annaBook+"x.vcf", four, "If-None-Match", "*", "Content-Type", "text/vcard;version=4.0")
	h.want(207, []string{"VERSION:4.0"}, "anna", "REPORT", annaBook, `<C:addressbook-multiget`+spaces+`><D:prop><D:getcontenttype/><D:getetag/>
		<C:address-data content-type="text/vcard" version="4.0"/></D:prop><D:href>`+annaBook+`x.vcf</D:href></C:addressbook-multiget>`)
	_, _, header := h.do("anna", "GET", annaBook+"x.vcf", "")
	h.want(412, nil, "anna", "PUT", annaBook+"x.vcf", four+" ", "If-Match", `"other"`)
	h.want(204, nil, "anna", "PUT", annaBook+"x.vcf", strings.Replace(four, "FN:X", "FN:Y", 1), "If-Match", header.Get("ETag"))
	h.want(412, nil, "anna", "DELETE", annaBook+"x.vcf", "", "If-Match", header.Get("ETag"))
	h.want(201, nil, "anna", "MKCOL", annaHome+"3f2b/", mkbook("From the phone"), "Content-Type", "application/xml; charset=utf-8")
}

// What Thunderbird asks for: it starts at the root, and takes what it is not
// answered with 2xx for broken.
func TestThunderbird(t *testing.T) {
	h := newHouse(t)
	h.want(207, []string{annaPrincipal, "<D:collection/>"}, "anna", "PROPFIND", "/dav/", propfind("<D:resourcetype/><D:displayname/><D:current-user-principal/><D:current-user-privilege-set/>"), "Depth", "0")
	h.want(207, []string{annaHome}, "anna", "PROPFIND", annaPrincipal, propfind("<D:resourcetype/><C:addressbook-home-set/>"), "Depth", "0")
	h.want(207, []string{"<CR:addressbook", "<D:write/>"}, "anna", "PROPFIND", annaHome, propfind("<D:resourcetype/><D:displayname/><D:current-user-privilege-set/>"), "Depth", "1")
	if status, _, header := h.do("anna", "OPTIONS", annaBook, ""); status/100 != 2 || !strings.Contains(header.Get("Allow"), "REPORT") {
		t.Errorf("OPTIONS: %d %v", status, header)
	}
	h.want(201, nil, "anna", "PUT", annaBook+"t.vcf", "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:T\r\nUID:t\r\nEND:VCARD\r\n", "Content-Type", "text/vcard")
	h.want(207, []string{annaBook + "t.vcf", "FN:T", "sync-token>data:,"}, "anna", "REPORT", annaBook, `<D:sync-collection`+spaces+`><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/><C:address-data/></D:prop></D:sync-collection>`)
	h.want(207, []string{"FN:T"}, "anna", "REPORT", annaBook, queryBody(etagData, `<C:filter><C:prop-filter name="FN"/></C:filter>`), "Depth", "1")
}
