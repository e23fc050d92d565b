// Package vcardtest makes vCards for tests: shaped as real programs write them,
// with invented people. The same seed makes the same cards.
package vcardtest

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Sample is a card and the program whose manner it has.
type Sample struct {
	Shape, UID string
	Bytes      []byte
}

// Cards makes n cards in all shapes of 3.0 and 4.0, in turn.
func Cards(n int, seed uint64) []Sample {
	out := make([]Sample, n)
	r := rand.New(rand.NewPCG(seed, 6350))
	for i := range out {
		s := shapes[i%len(shapes)]
		p := somebody(r, i)
		out[i] = Sample{s.name, p.uid, []byte(s.write(r, p))}
	}
	return out
}

type person struct {
	given, family, org, city, street, email, tel, note, uid string
	year, month, day                                        int
}

var (
	givens   = []string{"Aïcha", "Bram", "Chloé", "Dries", "Élodie", "Femke", "Gaël", "Hanneke", "Ines", "Jürgen", "Kaat", "Łukasz", "Maëlle", "Nuno", "Øystein", "Pía", "Quentin", "Renée", "Şirin", "Thijs", "美咲", "Ольга", "Γιώργος", "يوسف"}
	families = []string{"Dupont", "De Smet", "van den Broeck", "Müller", "O'Neill", "García Márquez", "Peeters", "Lefèvre", "Nguyễn", "Søndergaard", "佐藤", "Иванова", "Παπαδόπουλος", "Smith, Jr."}
	orgs     = []string{"Coopérative du Pré; maraîchers", "Atelier Vélo", "Zonnewind cvba", "École no 4", "R&D <Lab>", "Boulangerie \"Au Four\""}
	cities   = []string{"Namur", "Gent", "Liège", "Leuven", "Saint-Gilles", "'s-Hertogenbosch", "Zürich"}
	notes    = []string{"", "Rings twice.\nNever before nine, please; thanks", "back\\slash and a comma, and a semicolon;", "一緒に畑を耕す。" + strings.Repeat("長い説明", 30), "emoji 🐝🐝🐝 in a line that is long enough to be folded in the middle of one of them 🐝🐝🐝🐝🐝🐝"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func somebody(r *rand.Rand, i int) person {
	p := person{given: pick(r, givens), family: pick(r, families), org: pick(r, orgs), city: pick(r, cities), note: pick(r, notes),
		street: fmt.Sprintf("Rue du Moulin %d", 1+r.IntN(200)), year: 1930 + r.IntN(80), month: 1 + r.IntN(12), day: 1 + r.IntN(28)}
	p.email = fmt.Sprintf("member%d@%s.example", i, []string{"coop", "garden", "post"}[r.IntN(3)])
	p.tel = fmt.Sprintf("+32 4%02d %02d %02d %02d", r.IntN(100), r.IntN(100), r.IntN(100), r.IntN(100))
	p.uid = fmt.Sprintf("%08X-%04X-4%03X-A%03X-%012X", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	return p
}

// photo is base64 of what begins like a JPEG.
func photo(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	copy(b, "\xff\xd8\xff\xe0")
	return base64.StdEncoding.EncodeToString(b)
}

var esc = strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\n", `\n`)

// fold75 cuts after 75 octets, between characters; foldOctets wherever it hits.
func fold75(s string) string {
	var out strings.Builder
	n := 0
	for _, c := range s {
		l := len(string(c))
		if n+l > 75 {
			out.WriteString("\r\n ")
			n = 1
		}
		out.WriteRune(c)
		n += l
	}
	return out.String()
}

func foldOctets(s string, at int, with string) string {
	var out strings.Builder
	for len(s) > at {
		out.WriteString(s[:at] + with)
		s = s[at:]
	}
	return out.String() + s
}

func lines(end string, ls ...string) string {
	var out strings.Builder
	for _, l := range ls {
		if l != "" {
			out.WriteString(l + end)
		}
	}
	return out.String()
}

func note(p person, name string) string {
	if p.note == "" {
		return ""
	}
	return name + ":" + esc.Replace(p.note)
}
