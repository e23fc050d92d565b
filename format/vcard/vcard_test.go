package vcard_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	. "essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"

	oracle "github.com/emersion/go-vcard"
)

func parse(t testing.TB, s string) *Card {
	t.Helper()
	c, err := Parse([]byte(s))
	if err != nil {
		t.Fatalf("%v in\n%s", err, s)
	}
	return c
}

func card(version string, lines ...string) string {
	return "BEGIN:VCARD\r\nVERSION:" + version + "\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
}

func TestBytesComeBack(t *testing.T) {
	for _, s := range vcardtest.Cards(300, 1) {
		c := parse(t, string(s.Bytes))
		if !bytes.Equal(c.Bytes(), s.Bytes) {
			t.Errorf("%s: other bytes came back", s.Shape)
		}
		if c.UID() != s.UID && !strings.Contains(strings.ToLower(c.UID()), strings.ToLower(s.UID[:16])) && !strings.Contains(c.UID(), s.UID[24:]) {
			t.Errorf("%s: UID %q of %q", s.Shape, c.UID(), s.UID)
		}
		text, err := UTF8(s.Bytes)
		again := parse(t, string(text))
		if err != nil || !utf8.Valid(text) || !slices.Equal(canonical(again), canonical(c)) {
			t.Errorf("%s: as UTF-8 it is another card", s.Shape)
		}
		same, err := c.Convert(c.Version)
		if err != nil || !bytes.Equal(same.Bytes(), s.Bytes) {
			t.Errorf("%s: converting to its own version changed it", s.Shape)
		}
	}
}

// What an independent reader finds in a card, this one finds.
func TestOracle(t *testing.T) {
	compared := 0
	for _, s := range vcardtest.Cards(300, 2) {
		c := parse(t, string(s.Bytes))
		if s.Shape == "octet-folded" || s.Shape == "bare-types" || s.Shape == "evolution" {
			continue // it does not read tabs, bare types, or quotes after commas
		}
		want, err := oracle.NewDecoder(bytes.NewReader(s.Bytes)).Decode()
		if err != nil {
			t.Fatalf("%s: oracle: %v", s.Shape, err)
		}
		for name, fields := range want {
			if name == oracle.FieldVersion {
				continue
			}
			var got []string
			for i := range c.Properties {
				if c.Properties[i].Is(name) {
					got = append(got, c.Properties[i].Text())
				}
			}
			for i, f := range fields {
				// The oracle keeps the backslash before a semicolon or colon.
				if i >= len(got) || kept.Replace(f.Value) != kept.Replace(got[i]) {
					t.Errorf("%s: %s: %q, oracle %q", s.Shape, name, got, f.Value)
				}
				compared++
			}
		}
	}
	if compared < 2000 {
		t.Errorf("only %d values compared", compared)
	}
}

var kept = strings.NewReplacer(`\;`, ";", `\:`, ":", `\~`, "~")

func TestRefused(t *testing.T) {
	many := strings.Repeat("X-A:b\r\n", MaxProperties+1)
	for name, tt := range map[string]struct {
		in   string
		want error
		line int
	}{
		"empty":            {"", ErrSyntax, 1},
		"not a card":       {"hello\r\n", ErrSyntax, 1},
		"calendar":         {"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", ErrSyntax, 1},
		"no end":           {"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n", ErrSyntax, 3},
		"no version":       {"BEGIN:VCARD\r\nFN:x\r\nEND:VCARD\r\n", ErrSyntax, 3},
		"unknown version":  {card("5.0", "FN:x"), ErrVersion, 0},
		"two versions":     {card("3.0", "VERSION:4.0"), ErrSyntax, 3},
		"two cards":        {card("3.0", "FN:x") + card("3.0", "FN:y"), ErrSyntax, 5},
		"nested":           {card("3.0", "BEGIN:VCARD", "END:VCARD"), ErrSyntax, 3},
		"Latin-1":          {card("3.0", "FN:Andr\xe9"), ErrSyntax, 3},
		"UTF-16":           {"\xff\xfeB\x00E\x00", ErrSyntax, 1},
		"no colon":         {card("3.0", "FN"), ErrSyntax, 3},
		"no colon, params": {card("3.0", "EMAIL;TYPE=home"), ErrSyntax, 3},
		"open quote":       {card("3.0", `EMAIL;X="home:a@b`), ErrSyntax, 3},
		"after quote":      {card("3.0", `EMAIL;X="home"a:a@b`), ErrSyntax, 3},
		"bad name":         {card("3.0", "É:x"), ErrSyntax, 3},
		"bad parameter":    {card("3.0", "FN;a b=c:x"), ErrSyntax, 3},
		"NUL":              {card("3.0", "FN:a\x00b"), ErrSyntax, 3},
		"lone CR":          {card("3.0", "FN:a\rb"), ErrSyntax, 3},
		"many properties":  {card("3.0", many), ErrTooLarge, 0},
		"many parameters":  {card("3.0", "FN"+strings.Repeat(";X=1", MaxParams+1)+":x"), ErrSyntax, 3},
		"many values":      {card("3.0", "FN;X="+strings.Repeat("1,", MaxParams+1)+"1:x"), ErrSyntax, 3},
		"all parameters":   {card("3.0", strings.Repeat("X"+strings.Repeat(";A", MaxParams)+":\r\n", MaxCardParams/MaxParams+1)), ErrTooLarge, 0},
		"large":            {card("3.0", "NOTE:"+strings.Repeat("x", MaxBytes)), ErrTooLarge, 0},
	} {
		_, err := Parse([]byte(tt.in))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		var syntax *SyntaxError
		if tt.line > 0 && (!errors.As(err, &syntax) || syntax.Line != tt.line) {
			t.Errorf("%s: %v, want line %d", name, err, tt.line)
		}
	}
}

func TestValues(t *testing.T) {
	c := parse(t, card("4.0", `N:Du\;pont;Ann\,e,Marie;;Dr.`, `CATEGORIES:a\,b,c\\,d`, `NOTE:one\nTwo\Nthree\:`,
		`item1.ADR;LABEL="Mr. ^'X^'^nRue^^1";TYPE="home,work":;;x;;;;`, "FN;X=a,b;x=c:q"))
	if n := c.First("n"); n.Field(0) != "Du;pont" || n.Fields()[1] != `Ann\,e,Marie` || n.Field(9) != "" {
		t.Errorf("N: %q", n.Fields())
	}
	if l := c.First("CATEGORIES").List(); !slices.Equal(l, []string{"a,b", `c\`, "d"}) {
		t.Errorf("CATEGORIES: %q", l)
	}
	if s := c.Text("NOTE"); s != "one\nTwo\nthree:" {
		t.Errorf("NOTE: %q", s)
	}
	adr := c.First("ADR")
	if v := adr.Param("label"); len(v) != 1 || v[0] != "Mr. \"X\"\nRue^1" { // RFC 6868 §3.2
		t.Errorf("LABEL: %q", v)
	}
	if adr.Group != "item1" || !adr.HasType("WORK") || adr.HasType("pref") {
		t.Errorf("ADR: %+v", adr)
	}
	if v := c.First("FN").Param("X"); !slices.Equal(v, []string{"a", "b", "c"}) {
		t.Errorf("X: %q", v)
	}
}

func TestWritten(t *testing.T) {
	c := New(V4)
	c.Add("FN", "A; b, c\\d\ne\x00f", Param{"X-P", []string{`say "a:b"^`, "x"}})
	c.AddFields("N", "Fam,ily", "Gi;ven")
	c.Add("NOTE", strings.Repeat("é🐝", 60))
	back := parse(t, string(c.Bytes()))
	for line := range bytes.SplitSeq(c.Bytes(), []byte("\r\n")) {
		if len(line) > 75 {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
	}
	fn := back.First("FN")
	if fn.Text() != "A; b, c\\d\ne f" || fn.Param("X-P")[0] != `say "a:b"^` || back.First("N").Field(1) != "Gi;ven" {
		t.Errorf("%+v", back.Properties)
	}
	if back.Text("NOTE") != strings.Repeat("é🐝", 60) {
		t.Error("the folds left something behind")
	}
}

func TestSelect(t *testing.T) {
	c := parse(t, card("3.0", "UID:1", "FN:x", "item1.TEL:1", "TEL:2", "NOTE:secret"))
	got := string(c.Select([]Selected{{Name: "uid"}, {Group: "ITEM1", Name: "TEL"}, {Name: "note", NoValue: true}}).Bytes())
	if want := card("3.0", "UID:1", "item1.TEL:1", "NOTE:"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOldCard(t *testing.T) {
	c := parse(t, card("2.1", "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=89t=C3=A9;Ann=", "e;;;", "TEL;HOME;CELL;PREF:1, 2",
		"NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0Atwo; three, four", "FN;CHARSET=ISO-8859-1:Andr\xe9", "PHOTO;JPEG;BASE64:/9j/", " 4AA", ""))
	got, err := c.Convert(V3)
	if err != nil {
		t.Fatal(err)
	}
	want := card("3.0", "N:Été;Anne;;;", `TEL;TYPE=HOME,CELL,PREF:1\, 2`, `NOTE:one\ntwo\; three\, four`, "FN:André", "PHOTO;TYPE=JPEG;ENCODING=b:/9j/4AA")
	if string(got.Bytes()) != want {
		t.Errorf("%s, want %s", got.Bytes(), want)
	}
	if _, err := c.Convert(V21); !errors.Is(err, nil) {
		t.Error(err)
	}
	if _, err := Parse([]byte(card("2.1", "FN;CHARSET=KLINGON:x"))); !errors.Is(err, ErrSyntax) {
		t.Errorf("unknown charset: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range vcardtest.Cards(28, 3) {
		f.Add(s.Bytes)
	}
	f.Add([]byte(card("2.1", "N;ENCODING=QUOTED-PRINTABLE:=C3=89t=C3=A9;Ann=", "e;;;")))
	f.Add([]byte(card("4.0", `ADR;LABEL="a^nb":;;;;;;`, "BDAY:--0415", "TEL;VALUE=uri:tel:%2B1;ext=5", "PHOTO:data:,%20x", "GEO:geo:1,2,3;u=4")))
	f.Add([]byte(card("3.0", "LABEL;HOME:x", "SORT-STRING:y", "AGENT:z", "BDAY:1996-04-15T10:11:12.5-05:00", "X-ABSHOWAS:COMPANY", "TZ:+01:00")))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), b) {
			t.Fatal("other bytes came back")
		}
		for _, to := range []Version{V3, V4} {
			d, err := c.Convert(to)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(d.Bytes())
			if err != nil && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%s: %v in\n%s", to, err, d.Bytes())
			}
			if err == nil && (again.Version != to || to != c.Version && again.First("FN") == nil || len(again.Properties) != len(d.Properties)) {
				t.Fatalf("%s: %d properties, then %d, in\n%s", to, len(d.Properties), len(again.Properties), d.Bytes())
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, s := range vcardtest.Cards(2, 1) {
		b.Run(fmt.Sprintf("%s-%d", s.Shape, len(s.Bytes)), func(b *testing.B) {
			b.SetBytes(int64(len(s.Bytes)))
			for b.Loop() {
				if _, err := Parse(s.Bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
