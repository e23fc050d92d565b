package davxml

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func parse(s string) (*Element, error) { return Parse(strings.NewReader(s), Limits{}) }

func TestParse(t *testing.T) {
	e, err := parse(`<?xml version="1.0" encoding="UTF-8"?><!-- c --><a xmlns="DAV:" xmlns:x='urn:x' p="1&lt;&#x41;" x:q="é">` +
		"t\r\n1<x:b/><!-- - --><![CDATA[<&]]>&amp;&#13;<c xmlns=\"\">d</c></a>\n<!-- end -->")
	if err != nil {
		t.Fatal(err)
	}
	if e.Name != DAV("a") || e.Attr("p") != "1<A" || e.Text() != "t\n1<&&\r" || e.Child(Name{"urn:x", "b"}) == nil ||
		e.Child(Name{"", "c"}).Text() != "d" || len(e.Children()) != 2 || e.Attrs[1].Name != (Name{"urn:x", "q"}) {
		t.Errorf("%+v", e)
	}
}

func TestRefused(t *testing.T) {
	for _, s := range []string{
		" ", "x", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "</a>", "<a b></a>", "<a b=c/>", `<a b="1" b="2"/>`, `<a b="<"/>`,
		`<a b="1"c="2"/>`, `<a xmlns:x="u" xmlns:y="u" x:b="1" y:b="2"/>`,
		"<x:a/>", `<a x:b="1"/>`, `<a xmlns:x=""/>`, `<a xmlns:xml="u"/>`, `<a xmlns:xmlns="u"/>`, `<a xmlns="http://www.w3.org/2000/xmlns/"/>`,
		"<:a/>", "<a:/>", "<a:b:c/>", "<1/>", "<-a/>", "<é×/>",
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "<!DOCTYPE a><a/>", "<a><!DOCTYPE a></a>", "<a><?php ?></a>", "<?pi?><a/>",
		"<a>&b;</a>", "<a>&amp</a>", "<a>& </a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#xFFFE;</a>", "<a>&#99999999999;</a>", "<a>&#x110000;</a>",
		"<a>\x00</a>", "<a>\x1b</a>", "<a>\xc0\xaf</a>", "<a>\xff</a>", "<a>\uFFFF</a>", "<a>]]></a>", "<a><![CDATA[</a>", "<a><!-- -- --></a>", "<a><!-- </a>",
		`<?xml version="2.0"?><a/>`, `<?xml version="1.0" encoding="utf-16"?><a/>`, `<?xml version="1.0" x="y"?><a/>`, `<?xml version=1.0?><a/>`, "<?xml ", "<?xml ?",
		" <?xml version=\"1.0\"?><a/>",
	} {
		if e, err := parse(s); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", s, e, err)
		}
	}
	if _, err := parse(""); err != io.EOF {
		t.Errorf("no document: %v", err)
	}
}

func TestLimits(t *testing.T) {
	many := strings.Repeat(` xmlns:a`, 1)
	for name, s := range map[string]string{
		"bytes":      "<a>" + strings.Repeat("x", 1<<20) + "</a>",
		"depth":      strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65),
		"no ends":    strings.Repeat("<a>", 300_000),
		"elements":   "<a>" + strings.Repeat("<b/>", 1<<16) + "</a>",
		"texts":      "<a>" + strings.Repeat("x<!---->", 1<<16+1) + "</a>",
		"attributes": "<a" + numbered(` b%="1"`, 65) + "/>",
		"namespaces": "<a" + numbered(many+`%="u"`, 65) + "/>",
	} {
		if _, err := parse(s); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parse(strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64)); err != nil {
		t.Error(err)
	}
}

func numbered(s string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(s, "%", string(rune('A'+i/26))+string(rune('A'+i%26)), 1))
	}
	return b.String()
}

func TestWriter(t *testing.T) {
	var w Writer
	w.Root(DAV("multistatus"), NSCalDAV)
	w.Open(DAV("prop"), "name", "a\"<\n")
	w.Empty(CalDAV("calendar"))
	w.Empty(CardDAV("addressbook"))
	w.Leaf(Name{"urn:x&y", "z"}, "<]]>\r\t\"\x01\xff\u00e9\uFFFF")
	w.Empty(Name{"", "bare"})
	w.Close(DAV("prop"))
	w.Close(DAV("multistatus"))
	want := Header + `<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop name="a&quot;&lt;&#10;"><C:calendar/>` +
		`<CR:addressbook xmlns:CR="urn:ietf:params:xml:ns:carddav"/><z xmlns="urn:x&amp;y">&lt;]]&gt;&#13;` + "\t\"\uFFFD\uFFFD\u00e9\uFFFD" +
		`</z><bare xmlns=""/></D:prop></D:multistatus>`
	if got := string(w.Bytes()); got != want {
		t.Errorf("%s", got)
	}
	if _, err := Parse(bytes.NewReader(w.Bytes()), Limits{}); err != nil {
		t.Error(err)
	}
}

// FuzzParse: what is parsed and written again is the same when parsed again.
func FuzzParse(f *testing.F) {
	f.Add(`<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><x:a xmlns:x="urn:x" x:y="&#10;z" xml:lang="fr"/>t&amp;<![CDATA[x]]></D:prop></D:propfind>`)
	f.Add(`<a xmlns="u"><b xmlns=""/></a>`)
	f.Add("<a>\r\n&#13;</a>")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parse(s)
		if err != nil {
			return
		}
		var w, again Writer
		w.Element(e)
		f, err := Parse(bytes.NewReader(w.Bytes()), Limits{Bytes: 16 << 20, Nodes: 1 << 18})
		if err != nil {
			t.Fatalf("%q: %v", w.Bytes(), err)
		}
		again.Element(f)
		if !bytes.Equal(w.Bytes(), again.Bytes()) {
			t.Fatalf("%q became %q", w.Bytes(), again.Bytes())
		}
	})
}
