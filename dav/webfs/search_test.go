package webfs

import (
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

func TestSearch(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "d", "")
	h.want(201, "ann", "PUT", "d/Report%202026.pdf", "12345")
	h.want(201, "ann", "PUT", "report.txt", "1")
	h.want(201, "bob", "MKCOL", "Shared", "")
	h.want(201, "bob", "PUT", "Shared/reports.ods", "123")
	h.share("bob", "Shared/", "ann", storage.RightRead)
	ask := func(where, order string) (hrefs []string) {
		t.Helper()
		body := `<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select><D:prop><D:displayname/></D:prop></D:select>` +
			`<D:from><D:scope><D:href>` + homePath("ann@coop.example") + `</D:href><D:depth>infinity</D:depth></D:scope></D:from>` +
			`<D:where>` + where + `</D:where>` + order + `</D:basicsearch></D:searchrequest>`
		r := h.want(207, "ann", "SEARCH", "", body)
		for _, part := range strings.Split(r.body, "<D:href>")[1:] {
			href, _, _ := strings.Cut(part, "</D:href>")
			hrefs = append(hrefs, strings.TrimPrefix(href, homePath("ann@coop.example")))
		}
		return hrefs
	}
	const named = `<D:like caseless="yes"><D:prop><D:displayname/></D:prop><D:literal>%report%</D:literal></D:like>`
	bySize := `<D:orderby><D:order><D:prop><D:getcontentlength/></D:prop><D:descending/></D:order></D:orderby>`
	if got := ask(named, bySize); !slices.Equal(got, []string{"d/Report%202026.pdf", "Shared/reports.ods", "report.txt"}) {
		t.Errorf("found %q", got)
	}
	small := `<D:and>` + named + `<D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>4</D:literal></D:lt></D:and>`
	if got := ask(small, ""); !slices.Equal(got, []string{"report.txt", "Shared/reports.ods"}) {
		t.Errorf("found %q", got)
	}
	if got := ask(`<D:not><D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>2</D:literal></D:lt></D:not>`, ""); len(got) != 2 {
		t.Errorf("what has no length is neither smaller nor not: %q", got)
	}
	if got := ask(`<D:is-collection/>`, ""); len(got) != 2 {
		t.Errorf("folders %q", got)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"abc", "abc", true}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "%b%", true}, {"abc", "a_c", true},
		{"abc", "ab", false}, {"abc", "b%", false}, {"a%c", `a\%c`, true}, {"abc", `a\%c`, false}, {"", "%", true}, {"", "_", false},
		{"aXbXc", "%X%X%", true}, {"é", "_", true}, {`a\`, `a\\`, true}, {strings.Repeat("a", 200), strings.Repeat("%a", 50) + "b", false},
	} {
		if like(c.text, c.pattern, false) != c.want {
			t.Errorf("%q like %q is not %v", c.text, c.pattern, c.want)
		}
	}
	if !like("STRASSE", "straße", true) || like("A", "a", false) {
		t.Error("case")
	}
}
