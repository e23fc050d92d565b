package carddav

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

func queryBody(props, rest string) string {
	return `<?xml version="1.0"?><C:addressbook-query` + spaces + `>` + props + rest + `</C:addressbook-query>`
}

func (h *house) people() {
	h.t.Helper()
	h.Want(201, nil, "anna", "PUT", annaBook+"anna.vcf", vcf("1", "Ann Élan", "EMAIL;TYPE=home:ann@a.example", "NOTE:rings twice", "item1.TEL;TYPE=work:12"))
	h.Want(201, nil, "anna", "PUT", annaBook+"ben.vcf", vcf("2", "Bob", "EMAIL;TYPE=work:bob@b.example", "NICKNAME:Bobby,Bo"))
	h.Want(201, nil, "anna", "PUT", annaBook+"carl.vcf", vcf("3", "Carl", "TEL;TYPE=home:12", "CATEGORIES:Friends,Work", "NOTE:back <&> ]]> end"))
}

func TestQuery(t *testing.T) {
	h := newHouse(t)
	h.people()
	for _, tt := range []struct{ filter, want string }{
		{``, "anna ben carl"},
		{`<C:filter/>`, "anna ben carl"},
		{`<C:filter><C:prop-filter name="FN"><C:text-match>éLAN</C:text-match></C:prop-filter></C:filter>`, "anna"},
		{`<C:filter><C:prop-filter name="FN"><C:text-match collation="i;octet">élan</C:text-match></C:prop-filter></C:filter>`, ""},
		{`<C:filter><C:prop-filter name="FN"><C:text-match collation="i;octet">Élan</C:text-match></C:prop-filter></C:filter>`, "anna"},
		{`<C:filter><C:prop-filter name="EMAIL"/></C:filter>`, "anna ben"},
		{`<C:filter><C:prop-filter name="EMAIL"><C:is-not-defined/></C:prop-filter></C:filter>`, "carl"},
		{`<C:filter><C:prop-filter name="NOTE"><C:text-match match-type="starts-with">RINGS</C:text-match></C:prop-filter></C:filter>`, "anna"},
		{`<C:filter><C:prop-filter name="NOTE"><C:text-match negate-condition="yes">rings</C:text-match></C:prop-filter></C:filter>`, "carl"},
		{`<C:filter><C:prop-filter name="EMAIL"><C:param-filter name="TYPE"><C:text-match>work</C:text-match></C:param-filter></C:prop-filter></C:filter>`, "ben"},
		{`<C:filter><C:prop-filter name="ITEM1.TEL"/></C:filter>`, "anna"},
		{`<C:filter test="allof"><C:prop-filter name="TEL"><C:text-match match-type="equals">12</C:text-match></C:prop-filter><C:prop-filter name="FN"><C:text-match match-type="ends-with">l</C:text-match></C:prop-filter></C:filter>`, "carl"},
		{`<C:filter><C:prop-filter name="NICKNAME"><C:text-match match-type="equals">bo</C:text-match></C:prop-filter><C:prop-filter name="CATEGORIES"><C:text-match match-type="equals">work</C:text-match></C:prop-filter></C:filter>`, "ben carl"},
	} {
		answer := h.Want(207, nil, "anna", "REPORT", annaBook, queryBody("<D:prop><D:getetag/></D:prop>", tt.filter), "Depth", "1")
		var got []string
		for _, name := range []string{"anna", "ben", "carl"} {
			if strings.Contains(answer, annaBook+name+".vcf<") {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.filter, got, tt.want)
		}
	}
	h.Want(207, []string{"!.vcf"}, "anna", "REPORT", annaBook, queryBody(etagData, ""), "Depth", "0")
	h.Want(207, []string{"FN:Bob"}, "anna", "REPORT", annaBook+"ben.vcf", queryBody(etagData, ""), "Depth", "0")
	h.Want(207, []string{"!FN:"}, "anna", "REPORT", annaBook+"ben.vcf", queryBody(etagData, `<C:filter><C:prop-filter name="TITLE"/></C:filter>`), "Depth", "0")
	h.Want(404, nil, "anna", "REPORT", annaBook+"nobody.vcf", queryBody(etagData, ""), "Depth", "0")
}

func TestQueryRefused(t *testing.T) {
	h := newHouse(t)
	deep := strings.Repeat(`<C:prop-filter name="FN">`, 3000)
	many := strings.Repeat(`<C:prop-filter name="FN"><C:text-match>x</C:text-match></C:prop-filter>`, maxTests)
	for _, tt := range []struct {
		props, rest string
		status      int
		want        string
	}{
		{etagData, `<C:filter><C:prop-filter name="FN"><C:text-match collation="i;klingon">x</C:text-match></C:prop-filter></C:filter>`, 403, "supported-collation"},
		{etagData, `<C:filter><C:comp-filter name="VCARD"/></C:filter>`, 403, "<CR:comp-filter"},
		{etagData, `<C:filter>` + many + `</C:filter>`, 403, "supported-filter"},
		{etagData, `<C:filter><C:prop-filter/></C:filter>`, 400, ""},
		{etagData, `<C:filter test="most"/>`, 400, ""},
		{etagData, `<C:filter><C:prop-filter name="FN"><C:text-match match-type="like">x</C:text-match></C:prop-filter></C:filter>`, 400, ""},
		{etagData, `<C:limit><C:nresults>many</C:nresults></C:limit>`, 400, ""},
		{`<D:prop><C:address-data version="2.1"/></D:prop>`, "", 403, "supported-address-data"},
		{`<D:prop><C:address-data content-type="application/json"/></D:prop>`, "", 403, "supported-address-data"},
	} {
		h.Want(tt.status, []string{tt.want}, "anna", "REPORT", annaBook, queryBody(tt.props, tt.rest), "Depth", "1")
	}
	if status, _, _ := h.Do("anna", "REPORT", annaBook, queryBody(etagData, "<C:filter>"+deep), "Depth", "1"); status != 400 && status != 413 {
		t.Errorf("a depth bomb: %d", status)
	}
	h.Want(403, []string{"supported-report"}, "anna", "REPORT", annaHome, queryBody(etagData, ""), "Depth", "1")
	h.Want(404, nil, "ben", "REPORT", annaBook, queryBody(etagData, ""), "Depth", "1")
}

// RFC 6352 §8.6.2: at the limit the request's own URL says that there is more.
func TestQueryLimit(t *testing.T) {
	h := newHouse(t)
	for i := range 150 {
		h.Want(201, nil, "anna", "PUT", fmt.Sprintf("%s%d.vcf", annaBook, i), vcf(fmt.Sprint(i), "Same", "NOTE:x"))
	}
	for _, filter := range []string{``, `<C:filter><C:prop-filter name="NOTE"><C:text-match>x</C:text-match></C:prop-filter></C:filter>`} {
		for limit, truncated := range map[int]bool{0: true, 1: true, 64: true, 65: true, 149: true, 150: false, 1000: false} {
			rest := filter + fmt.Sprintf(`<C:limit><C:nresults>%d</C:nresults></C:limit>`, limit)
			answer := h.Want(207, nil, "anna", "REPORT", annaBook, queryBody("<D:prop><D:getetag/></D:prop>", rest), "Depth", "1")
			if n := strings.Count(answer, ".vcf</D:href>"); n != min(limit, 150) {
				t.Errorf("limit %d: %d cards", limit, n)
			}
			is := strings.Contains(answer, annaBook+"</D:href><D:status>HTTP/1.1 507") && strings.Contains(answer, "number-of-matches-within-limits")
			if is != truncated {
				t.Errorf("limit %d: truncated is %v", limit, is)
			}
		}
	}
}

func TestAddressData(t *testing.T) {
	h := newHouse(t)
	h.people()
	get := func(data string) string {
		return `<C:addressbook-multiget` + spaces + `><D:prop><D:getetag/>` + data + `</D:prop><D:href>` + annaBook + `carl.vcf</D:href></C:addressbook-multiget>`
	}
	h.Want(207, []string{"BEGIN:VCARD&#13;\nVERSION:3.0&#13;\n", "back &lt;&amp;&gt; ]]&gt; end"}, "anna", "REPORT", annaBook, get(`<C:address-data/>`))
	h.Want(207, []string{"VERSION:4.0"}, "anna", "REPORT", annaBook, get(`<C:address-data content-type="text/vcard" version="4.0"/>`))
	h.Want(207, []string{"VERSION:3.0", "UID:3", "TEL;TYPE=home:&#13;", "!FN:", "!NOTE"}, "anna", "REPORT", annaBook,
		get(`<C:address-data><C:prop name="UID"/><C:prop name="TEL" novalue="yes"/></C:address-data>`))
	h.Want(207, []string{"NOTE:"}, "anna", "REPORT", annaBook, get(`<C:address-data><C:allprop/></C:address-data>`))
	h.Want(207, []string{"!BEGIN:VCARD"}, "anna", "PROPFIND", annaBook, "", "Depth", "1") // not of allprop
}

func TestMultiget(t *testing.T) {
	h := newHouse(t)
	h.people()
	h.Want(201, nil, "anna", "PUT", annaBook+"a%20b%40.vcf", vcf("9", "Odd"))
	h.Want(201, nil, "ben", "PUT", benBook+"x.vcf", vcf("1", "Bob's own"))
	hrefs := func(refs ...string) string {
		s := `<C:addressbook-multiget` + spaces + `>` + etagData
		for _, r := range refs {
			s += "<D:href>" + r + "</D:href>"
		}
		return s + `</C:addressbook-multiget>`
	}
	h.Want(207, []string{"FN:Ann", "FN:Bob&#13;", "FN:Odd", annaBook + "a%20b%40.vcf<", "http://example.com" + annaBook + "carl.vcf<", "FN:Carl", "!Bob's own"},
		"anna", "REPORT", annaBook, hrefs(annaBook+"anna.vcf", annaBook+"ben.vcf", annaBook+"a%20b%40.vcf", "http://example.com"+annaBook+"carl.vcf"), "Depth", "0")
	answer := h.Want(207, []string{"!FN:"}, "anna", "REPORT", annaBook,
		hrefs(annaBook+"nobody.vcf", benBook+"x.vcf", annaHome+"directory/1.vcf", annaBook, "/", "x", annaBook+"%zz", annaBook+"../contacts/anna.vcf"))
	if n := strings.Count(answer, "404 Not Found"); n != 8 {
		t.Errorf("%d of 8 not found in\n%s", n, answer)
	}
	h.Want(207, []string{"FN:Bob"}, "anna", "REPORT", annaBook+"ben.vcf", hrefs(annaBook+"ben.vcf"))
	h.Want(207, []string{"!FN:"}, "anna", "REPORT", annaBook+"ben.vcf", hrefs(annaBook+"anna.vcf"))
	var many []string
	for range 500 {
		many = append(many, annaBook+"anna.vcf")
	}
	if n := strings.Count(h.Want(207, nil, "anna", "REPORT", annaBook, hrefs(many...)), "FN:Ann"); n != 500 {
		t.Errorf("%d of 500 cards", n)
	}
}

func TestDirectory(t *testing.T) {
	h := newHouse(t)
	dir := annaHome + "directory/"
	h.Want(207, []string{dir, "200 OK"}, "anna", "PROPFIND", dir, propfind("<D:resourcetype/><CS:getctag/><D:current-user-privilege-set/>"), "Depth", "0")
	filter := `<C:filter><C:prop-filter name="FN"><C:text-match>BEN</C:text-match></C:prop-filter></C:filter>`
	answer := h.Want(207, []string{"FN:Ben Birch", "!FN:The garden", "!Anna"}, "anna", "REPORT", dir, queryBody(etagData, filter), "Depth", "1")
	card := text(answer, "D:href")
	h.Want(200, []string{"EMAIL;TYPE=INTERNET,pref:"}, "anna", "GET", card, "")
	h.Want(207, []string{"FN:The garden", "X-ABSHOWAS:COMPANY", "FN:Anna Aster", "FN:Cleo"}, "anna", "REPORT", dir, queryBody(etagData, ""), "Depth", "1")
	h.Want(200, []string{"VERSION:4.0"}, "anna", "GET", card, "", "Accept", "text/vcard;version=4.0")
	h.Want(405, nil, "anna", "DELETE", card, "")
	h.Want(403, nil, "anna", "DELETE", dir, "")
	if status, _, _ := h.Do("anna", "PUT", dir+"x.vcf", vcf("1", "x")); status != 403 && status != 405 {
		t.Errorf("PUT into the directory: %d", status)
	}
	before := text(h.Want(207, nil, "anna", "PROPFIND", dir, propfind("<CS:getctag/>"), "Depth", "0"), "CS:getctag")
	h.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, h.Accounts["ben"])
		if err != nil {
			return err
		}
		a.Hidden = true
		return accounts.Save(tx, a)
	})
	h.Want(207, []string{"!FN:Ben"}, "anna", "REPORT", dir, queryBody(etagData, filter), "Depth", "1")
	if after := text(h.Want(207, nil, "anna", "PROPFIND", dir, propfind("<CS:getctag/>"), "Depth", "0"), "CS:getctag"); after == before || after == "" {
		t.Errorf("tag %q, then %q", before, after)
	}
}

var responses = regexp.MustCompile(`<D:href>([^<]*)</D:href>(<D:propstat><D:prop><D:getetag>"([^"]*)"|<D:status>HTTP/1.1 (404|507))`)

// syncOnce brings a client up to date, and says what token it has then.
func (h *house) syncOnce(book, token string, limit int, cards map[string]string) (next string, more bool) {
	body := `<D:sync-collection` + spaces + `><D:sync-token>` + token + `</D:sync-token><D:sync-level>1</D:sync-level><D:limit><D:nresults>` +
		fmt.Sprint(limit) + `</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>`
	answer := h.Want(207, nil, "anna", "REPORT", book, body)
	for _, m := range responses.FindAllStringSubmatch(answer, -1) {
		switch {
		case m[4] == "507":
			more = true
		case m[4] == "404":
			delete(cards, m[1])
		default:
			cards[m[1]] = m[3]
		}
	}
	return text(answer, "D:sync-token"), more
}

// Whatever clients do, one that follows has what a listing shows, from whatever
// token and in whatever pages.
func TestSyncModel(t *testing.T) {
	steps := 150
	if os.Getenv("ESSAIM_LONG") != "" {
		steps = 5000
	}
	h := newHouse(t)
	r := rand.New(rand.NewPCG(6578, 2))
	type client struct {
		token string
		cards map[string]string
	}
	clients := make([]client, 5)
	for i := range clients {
		clients[i].cards = map[string]string{}
	}
	h.Want(201, nil, "anna", "MKCOL", annaHome+"other/", mkbook("Other"))
	path := func() string { return fmt.Sprintf("%s%d.vcf", annaBook, r.IntN(8)) }
	for step := range steps {
		switch r.IntN(5) {
		case 0:
			h.Do("anna", "DELETE", path(), "")
		case 1:
			h.Do("anna", "MOVE", path(), "", "Destination", path())
		case 2:
			from, to := path(), strings.Replace(path(), "contacts", "other", 1)
			if r.IntN(2) == 0 {
				from, to = to, from
			}
			h.Do("anna", "MOVE", from, "", "Destination", to)
		default:
			h.Do("anna", "PUT", path(), vcf(fmt.Sprint(r.IntN(10)), fmt.Sprint("v", step)))
		}
		c := &clients[r.IntN(len(clients))]
		for more := true; more; {
			c.token, more = h.syncOnce(annaBook, c.token, 1+r.IntN(4), c.cards)
		}
		truth := map[string]string{}
		answer := h.Want(207, nil, "anna", "PROPFIND", annaBook, propfind("<D:getetag/>"), "Depth", "1")
		for _, m := range responses.FindAllStringSubmatch(answer, -1) {
			truth[m[1]] = m[3]
		}
		delete(truth, annaBook)
		if !maps.Equal(truth, c.cards) {
			t.Fatalf("step %d: the client has %v, the book %v", step, c.cards, truth)
		}
	}
	stale := `<D:sync-collection` + spaces + `><D:sync-token>%s</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`
	for _, token := range []string{"data:,nonsense", "http://example.com/1", strings.Replace(clients[0].token, "data:,", "data:,f", 1)} {
		h.Want(http.StatusForbidden, []string{"valid-sync-token"}, "anna", "REPORT", annaBook, fmt.Sprintf(stale, token))
	}
}
