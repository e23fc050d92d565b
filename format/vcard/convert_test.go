package vcard_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
)

// Lines of one version and what they become in the other, both ways unless back
// says otherwise.
var conversions = []struct{ three, four, back string }{
	{"PHOTO;TYPE=JPEG;ENCODING=b:/9j/4AAQ", "PHOTO:data:image/jpeg;base64,/9j/4AAQ", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ"},
	{"PHOTO;ENCODING=b:iVBORw0KAA==", "PHOTO:data:image/png;base64,iVBORw0KAA==", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KAA=="},
	{"PHOTO;VALUE=uri;TYPE=GIF:http://a.example/x.gif", "PHOTO;MEDIATYPE=image/gif:http://a.example/x.gif", "PHOTO;VALUE=uri;TYPE=GIF:http://a.example/x.gif"},
	{"KEY;ENCODING=b;TYPE=PGP:mQGi", "KEY:data:application/pgp-keys;base64,mQGi", ""},
	{"SOUND;ENCODING=b;TYPE=BASIC:AAAA", "SOUND:data:audio/basic;base64,AAAA", ""},
	{"EMAIL;TYPE=INTERNET,HOME,PREF:a@b.example", "EMAIL;TYPE=HOME;PREF=1:a@b.example", "EMAIL;TYPE=INTERNET,HOME,pref:a@b.example"},
	{"TEL;TYPE=HOME,VOICE:+32 1", "TEL;TYPE=HOME,VOICE:+32 1", ""},
	{"X-ADDRESSBOOKSERVER-KIND:group", "KIND:group", ""},
	{"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "MEMBER:urn:uuid:1", ""},
	{"X-ABSHOWAS:COMPANY", "KIND:org", ""},
	{"X-ANNIVERSARY:2011-07-02", "ANNIVERSARY:20110702", ""},
	{"GENDER:F", "GENDER:F", ""},
	{"BDAY:1996-04-15", "BDAY:19960415", ""},
	{"BDAY;VALUE=date:1996-04-15", "BDAY:19960415", "BDAY:1996-04-15"},
	{"BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-01", "BDAY:--0501", ""},
	{"BDAY:1953-10-15T23:10:00Z", "BDAY:19531015T231000Z", ""},
	{"BDAY:circa 1800", "BDAY;VALUE=text:circa 1800", "BDAY;VALUE=text:circa 1800"},
	{"REV:1995-10-31T22:27:10Z", "REV:19951031T222710Z", ""},
	{"REV:2024-01-01T00:00:00Z(7)", "REV:2024-01-01T00:00:00Z(7)", ""},
	{"GEO:37.386013;-122.082932", "GEO:geo:37.386013,-122.082932", ""},
	{"TZ:-05:00", "TZ;VALUE=utc-offset:-0500", ""},
	{"TZ;VALUE=text:Europe/Brussels", "TZ:Europe/Brussels", ""},
	{"item1.ADR;TYPE=HOME:;;Rue 1;Namur;;;", "item1.ADR;TYPE=HOME:;;Rue 1;Namur;;;", ""},
	{`LABEL;TYPE=HOME:Rue 1\n5000 Namur`, `ADR;TYPE=HOME;LABEL=Rue 1^n5000 Namur:;;;;;;`, ""},
	{"AGENT;VALUE=uri:CID:1", "RELATED;VALUE=uri;TYPE=agent:CID:1", ""},
	{`URL:http\://a.example/x`, "URL:http://a.example/x", "URL:http://a.example/x"},
	{"NOTE;CHARSET=UTF-8:é", "NOTE:é", "NOTE:é"},
	{`item1.X-ABLabel:_$!<HomePage>!$_`, `item1.X-ABLabel:_$!<HomePage>!$_`, ""},
	{`X-unKnown;x-P="a:b;c";PID=1.1:any\;thing`, `X-unKnown;x-P="a:b;c";PID=1.1:any\;thing`, ""},
	{"tel;CELL;Work Fax:1", "tel;TYPE=CELL;TYPE=Work Fax:1", "tel;TYPE=CELL;TYPE=Work Fax:1"},
	{"CLASS:PRIVATE", "CLASS:PRIVATE", ""},
	{"IMPP;PREF=1:xmpp:a@b", "IMPP;PREF=1:xmpp:a@b", "IMPP;TYPE=pref:xmpp:a@b"},
}

func converted(t *testing.T, in string, to Version) string {
	t.Helper()
	c, err := parse(t, in).Convert(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Bytes())
}

func TestConvertLines(t *testing.T) {
	for _, tt := range conversions {
		if got, want := converted(t, card("3.0", "FN:x", "N:x;;;;", tt.three), V4), card("4.0", "FN:x", "N:x;;;;", tt.four); got != want {
			t.Errorf("%s\n to 4.0: %s  want: %s", tt.three, got, want)
		}
		back := tt.back
		if back == "" {
			back = tt.three
		}
		if got, want := converted(t, card("4.0", "FN:x", "N:x;;;;", tt.four), V3), card("3.0", "FN:x", "N:x;;;;", back); got != want {
			t.Errorf("%s\n to 3.0: %s  want: %s", tt.four, got, want)
		}
	}
}

func TestConvertCards(t *testing.T) {
	for _, tt := range []struct {
		from, to Version
		in, want []string
	}{
		{V3, V4, []string{"N:Dupont;Anne;;Dr.;"}, []string{"N:Dupont;Anne;;Dr.;", "FN:Dr. Anne Dupont"}},
		{V3, V4, []string{"ORG:Coop;Board", "N:;;;;"}, []string{"ORG:Coop;Board", "N:;;;;", "FN:Coop"}},
		{V3, V4, []string{"FN:x", "N:a;b", "SORT-STRING:s, t"}, []string{"FN:x", `N;SORT-AS="s, t":a;b`}},
		{V3, V4, []string{"FN:x", "ADR;TYPE=work:;;w;;;;", "ADR;TYPE=home:;;h;;;;", "LABEL;TYPE=HOME:L"},
			[]string{"FN:x", "ADR;TYPE=work:;;w;;;;", "ADR;TYPE=home;LABEL=L:;;h;;;;"}},
		{V4, V3, []string{"FN:x", `N;SORT-AS="s":a;b`}, []string{"FN:x", "SORT-STRING:s", "N:a;b"}},
		{V4, V3, []string{"KIND:group", "FN:The board", "MEMBER:urn:uuid:1"},
			[]string{"X-ADDRESSBOOKSERVER-KIND:group", "FN:The board", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "N:The board;;;;"}},
		{V4, V3, []string{"FN:x", "N:x;;;;", "TEL;PREF=50:1", "TEL;PREF=2;TYPE=cell:2", "TEL:3", "EMAIL;PREF=7:e"},
			[]string{"FN:x", "N:x;;;;", "TEL:1", "TEL;TYPE=cell,pref:2", "TEL:3", "EMAIL;TYPE=INTERNET,pref:e"}},
		{V4, V3, []string{"FN:x", "N:x;;;;", "TEL;VALUE=uri;TYPE=\"voice,home\":tel:+1-555;ext=5"},
			[]string{"FN:x", "N:x;;;;", `TEL;TYPE="voice,home":+1-555\;ext=5`}},
		{V4, V3, []string{"KIND:individual", "FN:x", "N:x;;;;", "PHOTO:data:image/svg+xml,%3Csvg/%3E"},
			[]string{"FN:x", "N:x;;;;", "PHOTO;ENCODING=b;TYPE=SVG+XML:PHN2Zy8+"}},
	} {
		if got, want := converted(t, card(string(tt.from), tt.in...), tt.to), card(string(tt.to), tt.want...); got != want {
			t.Errorf("%q\n got %s want %s", tt.in, got, want)
		}
	}
}

// canonical is a card's content without order, case of types, and the forms of
// parameters that do not matter.
func canonical(c *Card) (out []string) {
	for _, p := range c.Properties {
		var params []string
		for _, x := range p.Params {
			for _, v := range x.Values {
				for w := range strings.SplitSeq(v, ",") {
					params = append(params, strings.ToUpper(x.Name)+"="+strings.ToUpper(w))
				}
			}
		}
		slices.Sort(params)
		out = append(out, strings.ToLower(p.Group)+"."+strings.ToUpper(p.Name)+" "+strings.Join(slices.Compact(params), ";")+" "+p.Text())
	}
	slices.Sort(out)
	return out
}

// What one version can say survives the way into the other and back.
func TestThereAndBack(t *testing.T) {
	for _, s := range vcardtest.Cards(300, 4) {
		c := parse(t, string(s.Bytes))
		other := V4
		if c.Version == V4 {
			other = V3
		}
		mid := parse(t, converted(t, string(s.Bytes), other))
		back := parse(t, converted(t, string(mid.Bytes()), c.Version))
		want, got := canonical(c), canonical(back)
		for _, w := range want {
			if !slices.Contains(got, w) && !mayChange(s.Shape, w) {
				t.Fatalf("%s: lost %.120q\n%.900q", s.Shape, w, got)
			}
		}
	}
}

// mayChange names what comes back in another form, each for a reason.
func mayChange(shape, line string) bool {
	for _, l := range []string{
		".PROFILE ",                        // a constant
		".EMAIL ",                          // gains TYPE=INTERNET
		".URL ",                            // loses backslashes that it should not have
		".BDAY VALUE=DATE ",                // the default
		".REV VALUE=DATE-TIME ",            // the default
		".REV VALUE=DATE-AND",              // no such type in 3.0
		".PHOTO ENCODING=B;TYPE=IMAGE/PNG", // TYPE=PNG
		".REV  20240101T101010Z",           // khard writes 4.0's form into 3.0
		".TEL TYPE=WORK;VALUE=TEXT",        // the default
		".ADR LABEL",                       // LABEL loses the commas' quotes
	} {
		if strings.Contains(line, l) || shape == "google" && strings.HasPrefix(line, ".PHOTO") { // gains VALUE=uri
			return true
		}
	}
	return false
}

// What is made to be large takes no more than its share of time: all of these
// are near the limits, and converted while a test would wait for it.
func TestConvertLarge(t *testing.T) {
	n := MaxProperties - 10
	for name, in := range map[string]string{
		"labels":   card("3.0", strings.Repeat("ADR;HOME:;;a\r\n", n/2)+strings.Repeat("LABEL;WORK:b\r\n", n/2)+"FN:x"),
		"sort-as":  card("4.0", strings.Repeat("X:a\r\n", n/2)+strings.Repeat("FN;SORT-AS=a:b\r\n", n/2)+"FN:x"),
		"fields":   card("3.0", "N:"+strings.Repeat(";", MaxBytes-100)),
		"types":    card("4.0", `EMAIL;TYPE="`+strings.Repeat("a,", MaxBytes/2-100)+`":x`, "FN:x"),
		"prefs":    card("4.0", strings.Repeat("TEL;PREF=1:1\r\n", n)+"FN:x"),
		"one fold": card("3.0", "NOTE:"+strings.Repeat("a\r\n ", MaxBytes/4-100)),
	} {
		c := parse(t, in)
		to := V4
		if c.Version == V4 {
			to = V3
		}
		start := time.Now()
		d, err := c.Convert(to)
		if err != nil || len(d.Bytes()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		(&Filter{Props: []PropFilter{{Name: "N", Texts: []TextMatch{NewTextMatch("x", UnicodeCasemap, Equals, false)}}}}).Match(c)
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%s: %v", name, d)
		}
	}
}
