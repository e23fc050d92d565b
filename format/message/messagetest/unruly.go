package messagetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Unruly returns message i of those that no two programs take apart alike:
// multiparts that do not end, fields that are none, bytes beyond ASCII where
// none may be. Its lines end in CRLF. One in a hundred has 3 MB.
func Unruly(i int) []byte {
	g := &generator{rng: rand.New(rand.NewPCG(uint64(i), 0x756e72756c79)), i: i}
	g.f("From: =?utf-8?q?L=C3=A9a?= <lea%d@example.net>\nSubject: caf\xc3\xa9 %d\n", i, i)
	g.unruly(0)
	if i%100 == 99 {
		g.b.WriteString(strings.Repeat(strings.Repeat("large ", 12)+"\r\n", 40_000))
	}
	return g.b.Bytes()
}

func (g *generator) unruly(depth int) {
	switch k := g.rng.IntN(7); {
	case k == 0 && depth < 8:
		bound := fmt.Sprintf("b%d-%d", g.i, g.rng.IntN(1e9))
		g.f("Content-Type: multipart/mixed; boundary=\"%s\"\n\npreamble\n", bound)
		for range 1 + g.rng.IntN(3) {
			g.f("--%s\n", bound)
			g.unruly(depth + 1)
		}
		if g.rng.IntN(3) > 0 { // else it does not end
			g.f("--%s--\nepilogue\n", bound)
		}
	case k == 1 && depth < 8:
		g.f("Content-Type: message/rfc822\n\nFrom: in@example.net\n")
		g.unruly(depth + 1)
	case k == 2:
		g.f("Content-Type: text/plain; charset=iso-8859-1\n\n\xe9\xe8 8-bit\n")
	case k == 3:
		g.b.WriteString("Content-Type: ;;;=\"\r\nContent-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1=x\r\n\r\nbroken\r\n")
	case k == 4:
		g.f("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
		for range g.rng.IntN(200) {
			g.f("%076x\n", g.rng.Uint64())
		}
	default:
		g.f("\n%s\n.\n..\n", strings.Repeat("words ", g.rng.IntN(100)))
	}
}
