package home_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// Whatever members send in whatever order: no answer is an internal error,
// nobody waits for ever, and the store is whole at the end, which the house
// looks at.
func TestMonkeys(t *testing.T) {
	steps := 4000
	if os.Getenv("ESSAIM_LONG") != "" {
		steps = 200_000
	}
	each(t, func(t *testing.T, h *house) {
		m := &monkey{house: h, r: rand.New(rand.NewPCG(1, uint64(h.kind)))}
		for range steps {
			m.step()
		}
		if m.good < steps/15 {
			t.Errorf("only %d of %d requests did anything", m.good, steps)
		}
	})
}

type monkey struct {
	*house
	r           *rand.Rand
	good        int
	user        string
	etag, token string
	lock        string
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// path is mostly an item of a collection the user can see.
func (m *monkey) path() string {
	who := m.user
	if m.r.IntN(4) == 0 {
		who = pick(m.r, "anna", "ben", "cleo", "garden", "nobody")
	}
	items := pick(m.r, m.own(who), m.own(who), m.own(who), m.home(who)+pick(m.r, "~1/", "~2/", "~3/", "~4/", "~5/", "~6/", "~7/", "~8/"), m.home(who)+pick(m.r, "x/", "y/"))
	switch m.r.IntN(12) {
	case 0, 1:
		return m.home(who)
	case 2, 3:
		return items
	case 4:
		return m.home(who) + pick(m.r, "directory/", "directory/1.vcf", "~x", "x", "%C3%A9/", "a/b/c")
	case 5:
		return pick(m.r, "/dav/principals/users/"+who+"@coop.example/", m.prefix, "/dav/", "/dav/principals/")
	}
	return items + pick(m.r, "a", "b", "c", "d", "e")
}

var monkeyBodies = []string{
	``,
	`<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`,
	`<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`,
	`<D:propfind xmlns:D="DAV:"><D:prop><D:acl/><D:owner/><D:sync-token/><D:lockdiscovery/><D:supported-report-set/><x/></D:prop></D:propfind>`,
	`<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>n</D:displayname><y xmlns="urn:y">z</y></D:prop></D:set></D:propertyupdate>`,
	`<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><D:displayname/><y xmlns="urn:y"/></D:prop></D:remove></D:propertyupdate>`,
	`<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:getetag>1</D:getetag></D:prop></D:set></D:propertyupdate>`,
	`<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>`,
	`<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`,
	`<D:sync-collection xmlns:D="DAV:"><D:sync-token>TOKEN</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`,
	`<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>infinite</D:sync-level><D:limit><D:nresults>1</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>`,
	`<D:acl xmlns:D="DAV:"><D:ace><D:principal><D:href>/dav/principals/users/ben@coop.example/</D:href></D:principal><D:grant><D:privilege><D:write/></D:privilege></D:grant></D:ace></D:acl>`,
	`<D:acl xmlns:D="DAV:"/>`,
	`<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property></D:expand-property>`,
	`<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop><D:match>a</D:match></D:property-search></D:principal-property-search>`,
	`<D:principal-match xmlns:D="DAV:"><D:self/></D:principal-match>`,
	`<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/></D:prop><C:filter><C:prop-filter name="NOTE"/></C:filter></C:addressbook-query>`,
	`<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><C:address-data version="4.0"><C:prop name="FN"/></C:address-data></D:prop><C:filter/><C:limit><C:nresults>1</C:nresults></C:limit></C:addressbook-query>`,
	`<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><C:address-data/></D:prop><D:href>PATH</D:href><D:href>a</D:href></C:addressbook-multiget>`,
	`<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20270101T000000Z" end="20270401T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
	`<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data><C:expand start="20270101T000000Z" end="20270401T000000Z"/></C:calendar-data></D:prop><D:href>PATH</D:href></C:calendar-multiget>`,
	`<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20270101T000000Z" end="20270401T000000Z"/></C:free-busy-query>`,
	`<D:searchrequest xmlns:D="DAV:"><D:basicsearch/></D:searchrequest>`,
	`<D:prop xmlns:D="DAV:"`, `<a>&b;</a>`, "\x00",
}

// roots are the beginnings of the bodies that a method takes.
var roots = map[string]string{
	"PROPFIND": "<D:propfind", "PROPPATCH": "<D:propertyupdate", "LOCK": "<D:lockinfo", "ACL": "<D:acl",
}

// body is mostly what the method takes, now and then another's, or damaged.
func (m *monkey) body(method, path string) string {
	b := pick(m.r, monkeyBodies...)
	for i := 0; roots[method] != "" && i < 20 && !strings.HasPrefix(b, roots[method]); i++ {
		b = pick(m.r, monkeyBodies...)
	}
	switch method {
	case "PUT":
		b = m.item(pick(m.r, path[len(path)-1:], path[len(path)-1:], path[len(path)-1:], "a"), pick(m.r, "text", "other"))
		if m.r.IntN(2) == 0 {
			b = strings.Replace(b, "END:VEVENT", "TRANSP:TRANSPARENT\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT"+pick(m.r, "1", "2")+"M\r\nEND:VALARM\r\nEND:VEVENT", 1)
		}
	case "MKCOL", "MKCALENDAR":
		b = pick(m.r, "", m.mkcol("made"), m.mkcol("made"))
	}
	if m.r.IntN(10) == 0 && len(b) > 0 { // a letter that flips
		i := m.r.IntN(len(b))
		b = b[:i] + string(rune(m.r.IntN(256))) + b[i+1:]
	}
	return strings.NewReplacer("TOKEN", m.token, "PATH", m.path()).Replace(b)
}

func (m *monkey) step() {
	m.user = pick(m.r, "anna", "anna", "ben", "cleo")
	m.Now = m.Now.Add(3 * time.Minute) // locks end
	if m.r.IntN(10) == 0 {             // somebody deletes everything now and then
		m.Do(m.user, "MKCOL", pick(m.r, m.own(m.user), m.home(m.user)+"x/"), m.mkcol("again"))
	}
	method := pick(m.r, "PUT", "PUT", "PUT", "GET", "DELETE", "PROPFIND", "PROPFIND", "PROPPATCH", "REPORT", "REPORT", "REPORT", "MKCOL",
		"MKCALENDAR", "COPY", "MOVE", "LOCK", "UNLOCK", "ACL", "OPTIONS", "HEAD", "POST", "SEARCH")
	var header []string
	set := func(chance int, name string, values ...string) {
		if m.r.IntN(chance) == 0 {
			header = append(header, name, pick(m.r, values...))
		}
	}
	set(2, "Depth", "0", "0", "0", "1", "1", "infinity", "x")
	set(9, "If-Match", m.etag, `"x"`, "*")
	set(9, "If-None-Match", "*", m.etag)
	set(9, "If", "("+m.lock+")", "(Not <DAV:no-lock>)", "(["+m.etag+"])", "((")
	set(2, "Lock-Token", m.lock, m.lock, "<x>")
	set(2, "Accept", "text/vcard;version=4.0", "text/vcard;version=3.0", "*/*", "text/html")
	set(4, "Prefer", "return=minimal", "depth-noroot")
	set(8, "Overwrite", "F", "T", "x")
	set(8, "Timeout", "Second-1", "Infinite")
	if method == "COPY" || method == "MOVE" {
		header = append(header, "Destination", m.path())
	}
	path := m.path()
	body := m.body(method, path)
	status, answer, got := m.Do(m.user, method, path, body, header...)
	switch {
	case status >= 500 && status != 501 && status != 507:
		m.TB.Errorf("%s %s %s %q: %d\n%s\n%s", m.user, method, path, header, status, body, answer)
	case status < 300:
		m.good++
	}
	if e := got.Get("ETag"); e != "" {
		m.etag = e
	}
	if l := got.Get("Lock-Token"); l != "" {
		m.lock = l
	}
	if _, rest, ok := strings.Cut(answer, "<D:sync-token>"); ok {
		m.token, _, _ = strings.Cut(rest, "<")
	}
}
