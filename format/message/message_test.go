package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message/messagetest"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestBodyStructure(t *testing.T) {
	for _, c := range []struct{ name, msg, want string }{
		{"plain", "Subject: x\n\nhello\nworld\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 2 NIL NIL NIL NIL)`},
		{"empty", "", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\n\npreamble\n--b\nContent-Type: text/plain; charset=utf-8\n\nhello\n--b\nContent-Type: text/html\nContent-Disposition: attachment; filename=\"a b.html\"\n\n<p>\n--b--\nepilogue\n",
			`(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)("text" "html" NIL NIL NIL "7bit" 3 0 NIL ("attachment" ("filename" "a b.html")) NIL NIL) "alternative" ("boundary" "b") NIL NIL NIL)`},
		{"no end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"prefix boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
			`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "bb") NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"message", "Content-Type: message/rfc822\n\nSubject: in\nFrom: a@b\n\nhi\n",
			`("message" "rfc822" NIL NIL NIL "7bit" 30 (NIL "in" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL) 4 NIL NIL NIL NIL)`},
		{"no parts", "Content-Type: multipart/mixed; boundary=b\n\nnothing\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 1 NIL NIL NIL NIL)`},
		{"raw 8-bit name", "Content-Type: image/png; name=\"é.png\"\nContent-Transfer-Encoding: base64\n\nAAAA\n",
			`("image" "png" ("name" "=?utf-8?q?=C3=A9.png?=") NIL NIL "base64" 6 NIL NIL NIL NIL)`},
	} {
		if got := AppendBodyStructure(nil, ScanBytes(crlf(c.msg)), true); string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"Date: d\nSubject: a\n b\nFrom: \"Zoé \\\" X\" <z@e.org>\nTo: A <a@b>, c@d (C), team: x@y, z@w;, undisclosed:;\nMessage-ID: <1@x>\n",
			`("d" "a b" (("=?utf-8?q?Zo=C3=A9_\"_X?=" NIL "z" "e.org")) (("=?utf-8?q?Zo=C3=A9_\"_X?=" NIL "z" "e.org")) (("=?utf-8?q?Zo=C3=A9_\"_X?=" NIL "z" "e.org")) (("A" NIL "a" "b")("C" NIL "c" "d")(NIL NIL "team" NIL)(NIL NIL "x" "y")(NIL NIL "z" "w")(NIL NIL NIL NIL)(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<1@x>")`},
		{"", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"From: <@relay:a@b>\nSender: s@t\n", `(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "s" "t")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)`},
	} {
		if got := AppendEnvelope(nil, crlf(c.header)); string(got) != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.header, got, c.want)
		}
	}
}

func TestOffsetsCutThePartsOut(t *testing.T) {
	msg := crlf("Content-Type: multipart/mixed; boundary=x\n\n--x\nA: b\n\none\n--x\n\ntwo\n\n--x--\n")
	p := ScanBytes(msg)
	for i, want := range []string{"one", "two\r\n"} {
		c := p.Children[i]
		if got := string(msg[c.BodyStart:c.End]); got != want {
			t.Errorf("part %d is %q", i+1, got)
		}
	}
	c := p.Children[0]
	if h := string(msg[c.HeaderStart:c.BodyStart]); h != "A: b\r\n\r\n" {
		t.Errorf("header is %q", h)
	}
}

func TestBombsAreBounded(t *testing.T) {
	var deep bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	p, depth := ScanBytes(deep.Bytes()), 0
	for ; len(p.Children) > 0; p = p.Children[0] {
		depth++
	}
	if depth > MaxDepth {
		t.Errorf("depth %d", depth)
	}
	many := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 100_000)
	if n := len(ScanBytes([]byte(many)).Children); n > MaxParts {
		t.Errorf("%d parts", n)
	}
	for _, s := range []string{"a@b,", "(", "()", "a(", ":", "a:", ";", "<", "<a>,", "<a>b", "\"", "[", "\\", "a:b;", ","} {
		if n := len(ParseAddressList(strings.Repeat(s, 100_000))); n > maxAddresses {
			t.Errorf("%d addresses in %q", n, s)
		}
	}
	params := ScanBytes([]byte("Content-Type: image/png" + strings.Repeat("; a*0*=x", 30_000) + "\r\n\r\n"))
	if n := len(params.Params); n > maxParams {
		t.Errorf("%d parameters", n)
	}
	depth = 0
	for p := ScanBytes(bytes.Repeat([]byte("Content-Type: message/rfc822\r\n\r\n"), 3000)); p.Message != nil; p = p.Message {
		depth++
	}
	if depth > MaxDepth {
		t.Errorf("messages %d deep", depth)
	}
	// A multipart in itself: what has the boundary of what it is in ends there.
	self := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	if p := ScanBytes([]byte(strings.Repeat(self, 3000))); p.End != int64(3000*len(self)) || len(AppendBodyStructure(nil, p, true)) > 1<<20 {
		t.Errorf("a multipart in itself: %d bytes of structure", len(AppendBodyStructure(nil, p, true)))
	}
}

func TestDecodeHeader(t *testing.T) {
	for in, want := range map[string]string{
		"=?iso-8859-1?q?caf=E9?= =?utf-8?b?w6k=?=": "caféé",
		"plain":            "plain",
		"=?nope?q?x?=":     "x",
		"=?utf-8?q?broken": "=?utf-8?q?broken",
	} {
		if got := DecodeHeader(in); got != want {
			t.Errorf("%q -> %q", in, got)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: a:b;\r\n\r\n--b--\r\n"))
	for i := range 30 {
		f.Add(messagetest.Unruly(i))
	}
	f.Add([]byte("From: \"a\\\" <x@[1.2.3.4]> (c(d)e)\n\n\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := ScanBytes(b)
		if p.End != int64(len(b)) || p.BodyStart > p.End {
			t.Fatalf("body [%d, %d) of %d bytes", p.BodyStart, p.End, len(b))
		}
		inside(t, p)
		read, err := ReadOffsets(AppendOffsets(nil, p), 0)
		if err != nil || shape(read) != shape(p) {
			t.Fatalf("%v: %s, want %s", err, shape(read), shape(p))
		}
		wire := AppendEnvelope(AppendBodyStructure(nil, p, true), p.Header)
		for _, c := range wire {
			if c >= 128 || c == 0 {
				t.Fatalf("8-bit on the wire: %q", wire)
			}
		}
	})
}

// What is read the quick way is what the whole parser reads.
func FuzzPlainAddresses(f *testing.F) {
	long := strings.Repeat("a", maxQuoted+1) // a literal, not a quoted string
	for _, s := range []string{"Zoe  Lambert <z@e.org>", "\"a, b\" <x@y.z>,\r\n\tc d <e.f@g>, <h@i>", "<a@b>,", "a <b@c> d", "=?utf-8?q?x?= <a@b>", "a\rb <c@d>", "\"\" <a@b>", "a\"b\" <c@d>",
		"<" + long + "@b>", "<a@" + long + ">", "\"" + long + "\" <a@b>", strings.Repeat("a ", 501) + "<b@c>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		v = bytes.TrimSpace(v)
		if got, ok := appendPlainAddresses(nil, v); ok {
			if want := appendAddresses(nil, ParseAddressList(string(v))); !bytes.Equal(got, want) {
				t.Fatalf("%q:\n got %s\nwant %s", v, got, want)
			}
		}
	})
}

func FuzzEnvelopeText(f *testing.F) {
	f.Add([]byte("a \"b\"\r\n c\\"))
	f.Add(bytes.Repeat([]byte("x"), 1001))
	f.Fuzz(func(t *testing.T, v []byte) {
		if v == nil {
			return
		}
		if got, want := appendText(nil, v), AppendString(nil, encodeRaw(string(Unfold(v)))); !bytes.Equal(got, want) {
			t.Fatalf("%q:\n got %s\nwant %s", v, got, want)
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	h := crlf("From: =?utf-8?q?Zo=C3=A9?= Lambert <zoe@coop.example>\nTo: Jan de Vries <jan@example.org>\nCc: Marie Dupont <marie@example.net>\n" +
		"Subject: the meeting of next thursday\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMessage-ID: <5f0c1b2a-88aa-4d1e-9a11-0a1b2c3d4e5f@coop.example>\nContent-Type: text/plain; charset=utf-8\n")
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		out = AppendEnvelope(out[:0], h)
	}
}

// The offsets of a message are those of the message with fields in front, but
// for these.
func TestOffsetsBehindAPrefix(t *testing.T) {
	prefix := "X-Spam: no\r\nReturn-Path: <>\r\n"
	for i := range 4 * messagetest.Shapes {
		m := messagetest.Message(i)
		got, err := ReadOffsets(AppendOffsets(nil, ScanBytes(m)), int64(len(prefix)))
		want := ScanBytes(append([]byte(prefix), m...))
		if err != nil || shape(got) != shape(want) {
			t.Fatalf("message %d: %v\n got %s\nwant %s", i, err, shape(got), shape(want))
		}
	}
}

func TestHeadersAreBoundedTogether(t *testing.T) {
	field := "X-A: " + strings.Repeat("a", 1000) + "\r\n"
	part := "--b\r\nContent-Type: message/rfc822\r\n\r\n" + strings.Repeat(field, 200) + "\r\nx\r\n"
	p := ScanBytes([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat(part, 100)))
	kept := 0
	for _, c := range p.Children {
		if c.Message != nil {
			kept += len(c.Message.Header)
		}
	}
	if len(p.Children) != 100 || kept > maxHeaders {
		t.Errorf("%d parts, %d bytes of headers", len(p.Children), kept)
	}
}

// shape tells where parts are.
func shape(p *Part) string {
	s := fmt.Sprintf("(%d %d %d", p.HeaderStart, p.BodyStart, p.End)
	for _, c := range p.Children {
		s += shape(c)
	}
	if p.Message != nil {
		s += "m" + shape(p.Message)
	}
	return s + ")"
}

func FuzzReadOffsets(f *testing.F) {
	f.Add(AppendOffsets(nil, ScanBytes(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\nContent-Type: message/rfc822\n\n\nb\n--b--\n"))))
	f.Add([]byte("\x92\x92\x92\x92\x92\x92\x00\x92\x92\x92\x92\x92\x100\x00")) // it ends beyond any message
	f.Add([]byte{0, 1, 5, 2, 0, 0, 9, 0})                                      // a part that begins before the body it is in, and ends behind it
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ReadOffsets(b, 3); err == nil {
			inside(t, p)
			if q, err := ReadOffsets(AppendOffsets(nil, p), 0); err != nil || len(q.Children) != len(p.Children) {
				t.Fatalf("%v", err)
			}
		}
	})
}

func inside(t *testing.T, p *Part) {
	for _, c := range append(p.Children, p.Message) {
		if c == nil {
			continue
		}
		if c.HeaderStart < p.BodyStart || c.End > p.End || c.BodyStart > c.End || c.HeaderStart > c.BodyStart || c.Lines < 0 {
			t.Fatalf("part [%d %d %d] in [%d %d]", c.HeaderStart, c.BodyStart, c.End, p.BodyStart, p.End)
		}
		inside(t, c)
	}
}

func BenchmarkScan(b *testing.B) {
	msg := crlf("Content-Type: multipart/mixed; boundary=x\nSubject: s\n\n--x\n\n" + strings.Repeat("the quick brown fox jumps over the lazy dog\n", 450) + "--x--\n")
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		ScanBytes(msg)
	}
}
