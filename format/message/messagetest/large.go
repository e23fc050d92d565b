package messagetest

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"strings"
)

// Large returns message i of exactly n bytes, at least 64 KiB, made while it is
// read. It has a file, a file in a message within it, 8-bit text, or a file in a
// multipart that does not end.
func Large(i int, n int64) io.Reader {
	g := &generator{rng: rand.New(rand.NewPCG(uint64(i), 0x6c61726765)), i: i}
	g.header()
	var file bytes.Buffer // what stands before the place that is filled
	attachment := func() {
		g.f("Content-Type: application/octet-stream; name=\"film.bin\"\nContent-Disposition: attachment; filename=\"film.bin\"\nContent-Transfer-Encoding: base64\n\n")
		file.Write(g.b.Bytes())
		g.b.Reset()
	}
	kind := i % 4
	switch kind {
	case 0:
		g.multipart("mixed", "", g.plain, attachment)
	case 1:
		g.multipart("mixed", "", g.plain, func() {
			g.f("Content-Type: message/rfc822\n\nFrom: %s\nSubject: inside\nMIME-Version: 1.0\n", g.address())
			g.multipart("mixed", "", g.plain, attachment)
		})
	case 2:
		g.f("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n")
		file.Write(g.b.Bytes())
		g.b.Reset()
	case 3:
		g.multipart("mixed", "", g.plain, attachment)
		g.b.Reset()
	}
	const padding = "X-Padding: \r\n"
	room := n - int64(len(padding)+file.Len()+g.b.Len())
	pad := "X-Padding: " + strings.Repeat("x", int(room%lineLength)) + "\r\n"
	fill := &filling{rng: g.rng, lines: room / lineLength, latin: kind == 2}
	return io.MultiReader(strings.NewReader(pad), &file, fill, &g.b)
}

const lineLength = 76 + 2

// A filling is lines of base64, no two alike, or of text that is Latin-1.
type filling struct {
	rng   *rand.Rand
	lines int64
	latin bool
	line  [lineLength]byte
	rest  []byte // of the line
}

func (f *filling) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(f.rest) == 0 {
			if f.lines == 0 {
				return n, io.EOF
			}
			f.next()
		}
		k := copy(p[n:], f.rest)
		f.rest = f.rest[k:]
		n += k
	}
	return n, nil
}

func (f *filling) next() {
	var raw [57]byte
	for i := range raw {
		raw[i] = byte(f.rng.Uint32())
	}
	base64.StdEncoding.Encode(f.line[:], raw[:])
	if f.latin {
		for i := 0; i < lineLength-2; i += 9 {
			f.line[i] = 0xe9
		}
	}
	copy(f.line[lineLength-2:], "\r\n")
	f.lines--
	f.rest = f.line[:]
}
