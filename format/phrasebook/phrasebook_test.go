package phrasebook

import (
	"bytes"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
)

var samples = []string{
	"",
	"x",
	"From: Zoé <zoe@coop.example>\r\nTo: Marie Dupont <marie@gmail.com>\r\nSubject: Réunion de jeudi\r\n" +
		"Date: Tue, 24 Nov 2026 10:05:33 +0100\r\nMessage-ID: <5f0c1b2a-88aa-4d1e-9a11-0a1b2c3d4e5f@coop.example>\r\n" +
		"In-Reply-To: <20261123101500.ABCDEF0123@gmail.com>\r\nReferences: <20261123101500.ABCDEF0123@gmail.com>\r\n" +
		`("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 1234 56 NIL NIL NIL NIL)`,
	strings.Repeat("a", 5000),
	"\xff\xfe\x00\x01\x7f" + strings.Repeat("\x80", 600) + "é",
	strings.Repeat("0123456789abcdef", 40) + strings.Repeat("17:35:22 +0100", 30),
}

func TestWhatIsPackedComesBack(t *testing.T) {
	for _, s := range samples {
		packed := Pack([]byte("before"), []byte(s))
		got, err := Unpack([]byte("x"), packed[6:], len(s), len(s))
		if err != nil || string(got) != "x"+s {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	if n, whole := len(Pack(nil, []byte(samples[2]))), len(samples[2]); 2*n > whole {
		t.Errorf("%d bytes of mail are packed into %d", whole, n)
	}
}

// The start of a text can be had alone.
func TestEnoughIsEnough(t *testing.T) {
	s := samples[2]
	packed := Pack(nil, []byte(s))
	for n := range len(s) {
		got, err := Unpack(nil, packed, n, len(s))
		if err != nil || len(got) < n || !strings.HasPrefix(s, string(got)) {
			t.Fatalf("%d bytes: %q, %v", n, got, err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	packed := Pack(nil, bytes.Repeat([]byte("a"), 100_000))
	if got, err := Unpack(nil, packed, 1<<30, 1000); !errors.Is(err, ErrCorrupt) || len(got) > 1000+maxBack {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// A book of another content under the same version would garble what is stored.
func TestTheBookOfThisVersion(t *testing.T) {
	if n := len(book.phrases) - len(oneByte); n < 0 || n > 16*256 {
		t.Fatalf("%d phrases", len(book.phrases))
	}
	const first, sum = 754, 0xe972b424 // how many phrases the version began with, and their checksum
	if got := crc32.ChecksumIEEE([]byte(strings.Join(book.phrases[:min(first, len(book.phrases))], "\x00"))); got != sum {
		t.Errorf("the first %d of %d phrases have the checksum %#x", first, len(book.phrases), got)
	}
}

func FuzzPack(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Add([]byte("\xfaü\x93"))
	f.Add(bytes.Repeat([]byte("\xfaü"), 1000))
	f.Fuzz(func(t *testing.T, text []byte) {
		packed := Pack(nil, text)
		if len(packed) > len(text)+len(text)/3+3 {
			t.Fatalf("%d bytes become %d", len(text), len(packed))
		}
		got, err := Unpack(nil, packed, len(text), len(text))
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q came back as %q, %v", text, got, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	for _, s := range samples {
		f.Add(Pack(nil, []byte(s)))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, err := Unpack(nil, packed, 1<<20, 1<<20)
		if err != nil && len(got) > 1<<20+1<<10 {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

func BenchmarkPack(b *testing.B) {
	text := []byte(samples[2])
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		out = Pack(out[:0], text)
	}
}

func BenchmarkUnpack(b *testing.B) {
	packed := Pack(nil, []byte(samples[2]))
	b.SetBytes(int64(len(samples[2])))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		out, _ = Unpack(out[:0], packed, 1<<20, 1<<20)
	}
}
