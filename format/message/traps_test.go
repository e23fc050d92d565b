package message

import (
	"strings"
	"testing"
)

// What mail in the wild has and other servers have stumbled over.
func TestStructuresInTheWild(t *testing.T) {
	const text = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`
	const part = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)`
	for _, c := range []struct{ name, msg, want string }{
		{"all extension fields", "Content-Type: image/png; name=x.png\nContent-Transfer-Encoding: base64\nContent-MD5: Q2hlY2s=\nContent-Disposition: inline\nContent-Language: fr\nContent-Location: x.png\n\nAAAA\n",
			`("image" "png" ("name" "x.png") NIL NIL "base64" 6 "Q2hlY2s=" ("inline" NIL) "fr" "x.png")`},
		{"those of a multipart", "Content-Language: fr, nl,en\nContent-Type: multipart/mixed; boundary=b\nContent-Location: here\nContent-Disposition: attachment\n\n--b\nContent-Language: fr (French) , nl\n\nx\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL ("fr" "nl") NIL) "mixed" ("boundary" "b") ("attachment" NIL) ("fr" "nl" "en") "here")`},
		{"raw UTF-8 in every field", "Content-Type: text/plain; name=é\nContent-ID: <é>\nContent-Description: é\nContent-Transfer-Encoding: é\nContent-MD5: é\nContent-Disposition: é; filename=é\nContent-Language: é\nContent-Location: é\n\nx\n",
			`("text" "plain" ("name" "=?utf-8?q?=C3=A9?=") "=?utf-8?q?<=C3=A9>?=" "=?utf-8?q?=C3=A9?=" "=?utf-8?q?=C3=A9?=" 3 1 "=?utf-8?q?=C3=A9?=" ("=?utf-8?q?=C3=A9?=" ("filename" "=?utf-8?q?=C3=A9?=")) "=?utf-8?q?=C3=A9?=" "=?utf-8?q?=C3=A9?=")`},
		{"raw Latin-1", "Content-Type: image/png; name=\"\xe9.png\"\n\nx\n", `("image" "png" ("name" "=?utf-8?q?=C3=A9.png?=") NIL NIL "7bit" 3 NIL NIL NIL NIL)`},
		{"parameters continued (RFC 2231)", "Content-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac.txt; filename=\"x.txt\"\n\nx\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL ("attachment" ("filename*0*" "utf-8''%e2%82" "filename*1*" "%ac.txt" "filename" "x.txt")) NIL NIL)`},
		{"a name with spaces, unquoted", "Content-Type: application/pdf; name=a b.pdf\nContent-Disposition: attachment; filename=a b.pdf; size=3\n\nx\n",
			`("application" "pdf" ("name" "a b.pdf") NIL NIL "7bit" 3 NIL ("attachment" ("filename" "a b.pdf" "size" "3")) NIL NIL)`},
		{"comments", "Content-Type: text/html (a page) ; (really) charset=utf-8 (yes)\n\nx\n", `("text" "html" ("charset" "utf-8") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`},
		{"capitals", "CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8\nCONTENT-TRANSFER-ENCODING: BASE64\n\nx\n", `("text" "html" ("CHARSET" "UTF-8") NIL NIL "BASE64" 3 1 NIL NIL NIL NIL)`},
		{"a space before the colon", "Content-Type : text/html\n\nx\n", `("text" "html" NIL NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`},
		{"two types", "Content-Type: text/html\nContent-Type: image/png\n\nx\n", `("text" "html" NIL NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`},
		{"no subtype", "Content-Type: text\n\nx\n", text},
		{"no type", "Content-Type: ; charset=utf-8\n\nx\n", text},
		{"no semicolon", "Content-Type: text/plain charset=utf-8\n\nx\n", text},
		{"one too many", "Content-Type: text/plain; charset=us-ascii;\n\nx\n", text},
		{"no boundary", "Content-Type: multipart/mixed\n\n--\n\nx\n----\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 15 4 NIL NIL NIL NIL)`},
		{"a folded boundary of two words", "Content-Type: multipart/mixed;\n\tboundary=\n \"b c\"\n\n--b c\n\nx\n--b c--\n", `(` + part + ` "mixed" ("boundary" "b c") NIL NIL NIL)`},
		{"a quotation mark in it", "Content-Type: multipart/mixed; boundary=\"b\\\"c\"\n\n--b\"c\n\nx\n--b\"c--\n", `(` + part + ` "mixed" ("boundary" "b\"c") NIL NIL NIL)`},
		{"spaces behind it, and an epilogue like a part", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n--b\nno part\n", `(` + part + ` "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"the inner one is the outer one", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b--\ny\n--b--\n",
			`((` + part + ` "alternative" ("boundary" "b") NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"the outer one ends the inner", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--a\n\ny\n--a--\n",
			`((` + part + ` "alternative" ("boundary" "b") NIL NIL NIL)` + part + ` "mixed" ("boundary" "a") NIL NIL NIL)`},
		{"an encoded multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n", `(` + part + ` "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"parts of nothing", "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\nContent-Type: text/html\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)("text" "html" NIL NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"a message of nothing", "Content-Type: message/rfc822\n\n",
			`("message" "rfc822" NIL NIL NIL "7bit" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL)`},
		{"an encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA0KDQp4DQo=\n",
			`("message" "rfc822" NIL NIL NIL "base64" 26 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 0 0) 1 NIL NIL NIL NIL)`},
		{"a piece of a message", "Content-Type: message/partial; id=x; number=1\n\nx\n", `("message" "partial" ("id" "x" "number" "1") NIL NIL "7bit" 3 NIL NIL NIL NIL)`},
	} {
		if got := AppendBodyStructure(nil, ScanBytes(crlf(c.msg)), true); string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	lf := "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n--b--\n"
	if got := string(AppendBodyStructure(nil, ScanBytes([]byte(lf)), false)); got != `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1) "mixed")` {
		t.Errorf("lines that end in LF alone: %s", got)
	}
}

func TestEnvelopesInTheWild(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		// The first field of a name counts; what is there and empty is "", what is empty of people is the author.
		{"From: a@b (é)\nFrom: c@d\nSender: <>\nReply-To:\nSubject: \nDate: \n", `("" "" ((X NIL "a" "b")) ((X NIL "a" "b")) ((X NIL "a" "b")) NIL NIL NIL NIL NIL)`},
		// A comma in an encoded word or in quotation marks separates nothing; a bracket may be missing.
		{"To: =?utf-8?q?a=2C_b?= <x@y>, \"a, b\" <c@d>,, e f <g@h\nCc: \"Zoé\" <é@é.example>\n",
			`(NIL NIL NIL NIL NIL (("=?utf-8?q?a=2C_b?=" NIL "x" "y")("a, b" NIL "c" "d")("e f" NIL "g" "h")) (("=?utf-8?q?Zo=C3=A9?=" NIL X "=?utf-8?q?=C3=A9.example?=")) NIL NIL NIL)`},
		{"Subject: é\nMessage-ID: <é@x>\nIn-Reply-To: <a@b>\n <c@d>\nDate: é\n",
			`(X X NIL NIL NIL NIL NIL NIL "<a@b> <c@d>" "=?utf-8?q?<=C3=A9@x>?=")`},
	} {
		want := strings.ReplaceAll(c.want, "X", `"=?utf-8?q?=C3=A9?="`)
		if got := string(AppendEnvelope(nil, crlf(c.header))); got != want {
			t.Errorf("%q:\n got %s\nwant %s", c.header, got, want)
		}
	}
}

// Whatever a header is full of, what is told of it is not many times as long.
func TestStructuresAreBounded(t *testing.T) {
	fill := func(name, text string) string { return name + ": " + strings.Repeat(text, 50_000/len(text)) + "\r\n" }
	for name, field := range map[string]string{
		"a Latin-1 name":     fill("From", "\xe9"),
		"a UTF-8 name":       fill("From", "é"),
		"a long name":        fill("From", "x"),
		"addresses":          fill("From", "\xe9\xe9\xe9 <a@b>, "),
		"groups":             fill("From", ":"),
		"a quoted name":      "From: \"" + strings.Repeat("\\\"", 25_000) + "\" <a@b>\r\n",
		"a subject":          fill("Subject", "\xff\x00"),
		"a type's params":    "Content-Type: message/rfc822" + strings.Repeat("; a=\"\xe9\xe9\xe9\xe9\xe9\"", 5000) + "\r\n",
		"another's":          "Content-Disposition: \xe9" + strings.Repeat("; a=\"\xe9\xe9\xe9\xe9\xe9\"", 5000) + "\r\n",
		"a description":      fill("Content-Description", "\xe9"),
		"languages":          fill("Content-Language", "\xe9,"),
		"a long disposition": fill("Content-Disposition", "\xe9"),
	} {
		part := "--b\r\n" + field + "Content-Type: message/rfc822\r\n\r\n" + field + "\r\nx\r\n"
		p := ScanBytes([]byte(field + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat(part, 30)))
		for what, b := range map[string][]byte{"structure": AppendBodyStructure(nil, p, true), "envelope": AppendEnvelope(nil, p.Header)} {
			if len(b) > maxStructure+maxStructure/2 {
				t.Errorf("%s: %d bytes of %s", name, len(b), what)
			}
			for _, c := range b {
				if c >= 128 || c == 0 {
					t.Errorf("%s: 8-bit in the %s", name, what)
					break
				}
			}
		}
		if name != "a type's params" && len(p.Children) != 30 {
			t.Errorf("%s: %d parts", name, len(p.Children))
		}
	}
}
