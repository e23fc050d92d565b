package vcard_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	. "essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
)

func text(s string) TextMatch { return NewTextMatch(s, UnicodeCasemap, Contains, false) }

func prop(name string, texts ...TextMatch) PropFilter {
	g, n := PropName(name)
	return PropFilter{Group: g, Name: n, Texts: texts}
}

func TestFilter(t *testing.T) {
	c := parse(t, card("3.0", "UID:1", "FN:Élodie Straße", "N:Straße;Élodie;;;", "NICKNAME:Élo,Didi", "item1.TEL;TYPE=work,voice:12",
		"TEL;TYPE=HOME:34", "EMAIL;TYPE=\"home,pref\":e@a.example", "CATEGORIES:Friends,Work", "NOTE:no ①"))
	is := func(v string, c Collation, m MatchType, neg bool) TextMatch { return NewTextMatch(v, c, m, neg) }
	param := func(name string, m TextMatch) ParamFilter { return ParamFilter{Name: name, Text: &m} }
	for name, tt := range map[string]struct {
		f    Filter
		want bool
	}{
		"empty":                     {Filter{}, true},
		"empty, all of":             {Filter{AllOf: true}, true},
		"is there":                  {Filter{Props: []PropFilter{prop("fn")}}, true},
		"is not there":              {Filter{Props: []PropFilter{prop("TITLE")}}, false},
		"not defined":               {Filter{Props: []PropFilter{{Name: "TITLE", NotDefined: true}}}, true},
		"not defined, but is":       {Filter{Props: []PropFilter{{Name: "TEL", NotDefined: true}}}, false},
		"contains":                  {Filter{Props: []PropFilter{prop("FN", text("ODIE S"))}}, true},
		"casemap, accents":          {Filter{Props: []PropFilter{prop("FN", text("ÉLODIE"))}}, true},
		"casemap keeps accents":     {Filter{Props: []PropFilter{prop("FN", text("Elodie"))}}, false},
		"casemap, compatibility":    {Filter{Props: []PropFilter{prop("NOTE", text("NO 1"))}}, true},
		"ascii, accents":            {Filter{Props: []PropFilter{prop("FN", is("éLODIE", ASCIICasemap, Contains, false))}}, false},
		"ascii":                     {Filter{Props: []PropFilter{prop("FN", is("LODIE", ASCIICasemap, Contains, false))}}, true},
		"octet":                     {Filter{Props: []PropFilter{prop("FN", is("lodie", Octet, Contains, false))}}, true},
		"octet, case":               {Filter{Props: []PropFilter{prop("FN", is("LODIE", Octet, Contains, false))}}, false},
		"equals":                    {Filter{Props: []PropFilter{prop("UID", is("1", Octet, Equals, false))}}, true},
		"equals a part of a list":   {Filter{Props: []PropFilter{prop("NICKNAME", is("didi", UnicodeCasemap, Equals, false))}}, true},
		"equals a component":        {Filter{Props: []PropFilter{prop("N", is("straße", UnicodeCasemap, Equals, false))}}, true},
		"starts":                    {Filter{Props: []PropFilter{prop("FN", is("élo", UnicodeCasemap, StartsWith, false))}}, true},
		"starts, not":               {Filter{Props: []PropFilter{prop("FN", is("lo", UnicodeCasemap, StartsWith, false))}}, false},
		"ends":                      {Filter{Props: []PropFilter{prop("EMAIL", is(".EXAMPLE", ASCIICasemap, EndsWith, false))}}, true},
		"negate":                    {Filter{Props: []PropFilter{prop("FN", is("x", UnicodeCasemap, Contains, true))}}, true},
		"negate, one of two":        {Filter{Props: []PropFilter{prop("TEL", is("12", Octet, Equals, true))}}, true},
		"negate in a list":          {Filter{Props: []PropFilter{prop("CATEGORIES", is("work", UnicodeCasemap, Equals, true))}}, false},
		"negate of what is missing": {Filter{Props: []PropFilter{prop("TITLE", is("x", UnicodeCasemap, Contains, true))}}, false},
		"group":                     {Filter{Props: []PropFilter{prop("ITEM1.TEL", text("12"))}}, true},
		"other group":               {Filter{Props: []PropFilter{prop("item2.TEL", text("12"))}}, false},
		"group, value of another":   {Filter{Props: []PropFilter{prop("item1.TEL", text("34"))}}, false},
		"param":                     {Filter{Props: []PropFilter{{Name: "TEL", Params: []ParamFilter{param("type", text("work"))}}}}, true},
		"param in a quoted list":    {Filter{Props: []PropFilter{{Name: "EMAIL", Params: []ParamFilter{param("TYPE", is("pref", UnicodeCasemap, Equals, false))}}}}, true},
		"param is there":            {Filter{Props: []PropFilter{{Name: "TEL", Params: []ParamFilter{{Name: "TYPE"}}}}}, true},
		"param not defined":         {Filter{Props: []PropFilter{{Name: "TEL", Params: []ParamFilter{{Name: "TYPE", NotDefined: true}}}}}, false},
		"param and text, one line":  {Filter{Props: []PropFilter{{Name: "TEL", AllOf: true, Texts: []TextMatch{text("34")}, Params: []ParamFilter{param("TYPE", text("work"))}}}}, false},
		"param or text":             {Filter{Props: []PropFilter{{Name: "TEL", Texts: []TextMatch{text("99")}, Params: []ParamFilter{param("TYPE", text("work"))}}}}, true},
		"any of":                    {Filter{Props: []PropFilter{prop("TITLE"), prop("FN")}}, true},
		"all of":                    {Filter{AllOf: true, Props: []PropFilter{prop("TITLE"), prop("FN")}}, false},
		"two texts, all":            {Filter{Props: []PropFilter{{Name: "FN", AllOf: true, Texts: []TextMatch{text("élo"), text("zzz")}}}}, false},
		"two texts, any":            {Filter{Props: []PropFilter{prop("FN", text("zzz"), text("élo"))}}, true},
		"version":                   {Filter{Props: []PropFilter{prop("VERSION", is("3.0", Octet, Equals, false))}}, true},
	} {
		if got := tt.f.Match(c); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// randomFilter asks for what the samples have now and then.
func randomFilter(r *rand.Rand) Filter {
	names := []string{"FN", "N", "EMAIL", "TEL", "NICKNAME", "ORG", "UID", "NOTE", "CATEGORIES", "item1.TEL", "VERSION"}
	words := []string{"e", "É", "dup", "Dupont", "coop", "3", ".example", "straße", "佐", "", "Ольга Dupont", "ONNE"}
	match := func() TextMatch {
		return NewTextMatch(words[r.IntN(len(words))], Collation(r.IntN(3)), MatchType(r.IntN(4)), r.IntN(4) == 0)
	}
	f := Filter{AllOf: r.IntN(2) == 0}
	for range r.IntN(4) {
		p := prop(names[r.IntN(len(names))])
		p.AllOf, p.NotDefined = r.IntN(2) == 0, r.IntN(8) == 0
		for range r.IntN(3) {
			p.Texts = append(p.Texts, match())
		}
		if r.IntN(4) == 0 {
			m := match()
			p.Params = append(p.Params, ParamFilter{Name: "TYPE", Text: &m})
		}
		f.Props = append(f.Props, p)
	}
	return f
}

// What an index decides is what the card would have said.
func TestDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var cards []*Card
	for _, s := range vcardtest.Cards(60, 5) {
		cards = append(cards, parse(t, string(s.Bytes)))
	}
	decided := map[Verdict]int{}
	for range 3000 {
		f := randomFilter(r)
		c := cards[r.IntN(len(cards))]
		v, want := f.Decide(indexOf(c)), f.Match(c)
		decided[v]++
		if v == Yes && !want || v == No && want {
			t.Fatalf("%+v: the index says %d, the card %v\n%s", f, v, want, c.Bytes())
		}
	}
	if decided[Yes] < 200 || decided[No] < 200 || decided[Maybe] < 200 {
		t.Errorf("one-sided test: %v", decided)
	}
}

func indexOf(c *Card) Index {
	return func(name string) (values [][][]byte, indexed bool) {
		if !strings.Contains("FN N EMAIL TEL NICKNAME ORG UID", name) {
			return nil, false
		}
		for i := range c.Properties {
			if c.Properties[i].Is(name) {
				var folded [][]byte
				for _, v := range c.Properties[i].Values() {
					folded = append(folded, []byte(Fold(v)))
				}
				values = append(values, folded)
			}
		}
		return values, true
	}
}
