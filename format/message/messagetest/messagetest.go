// Package messagetest makes mail for tests: messages as the members of a small
// organisation get them, in every shape MIME has and in some that it has not, the
// same bytes every time.
package messagetest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"
)

// Shapes is how many shapes there are; message i has shape i modulo Shapes.
const Shapes = 16

// Message returns message i. Its lines end in CRLF and it is well-formed.
func Message(i int) []byte { return generate(i, i%Shapes) }

// Everyday returns message i of those that come in a usual week: most are plain
// or text and HTML, some have a file, and few are anything else.
func Everyday(i int) []byte {
	usual := [...]int{0, 1, 1, 1, 2, 0, 1, 1, 3, 4, 1, 0, 1, 2, 11, 1, 1, 1, 5, 0}
	shape := usual[i%len(usual)]
	if i%40 == 39 {
		shape = i / 40 % Shapes
	}
	return generate(i, shape)
}

func generate(i, shape int) []byte {
	g := &generator{rng: rand.New(rand.NewPCG(uint64(i), 0x6d61696c)), i: i}
	g.header()
	g.shapes()[shape]()
	return g.b.Bytes()
}

type generator struct {
	rng   *rand.Rand
	i     int
	b     bytes.Buffer
	bound int
}

func (g *generator) f(format string, args ...any) {
	fmt.Fprintf(&g.b, strings.ReplaceAll(format, "\n", "\r\n"), args...)
}

func pick[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

var (
	people = []string{"Zoé Lambert", "Jan de Vries", "Marie-Claire Dupont", "Peter Müller", "Anna Kowalska", "Thomas Martin",
		"Sofie Janssens", "Élodie Çakır", "John Smith", "Wim Bakker", "Łukasz Nowak", "Clara Schmidt", "Inès Benali", "O'Neill, Sean"}
	hosts = []string{"coop.example", "example.org", "mail.example.net", "gmail.com", "orange.fr", "posteo.de", "ziggo.nl", "users.noreply.github.com", "lists.example.org"}
	words = strings.Fields("the meeting of next thursday about our garden and kitchen la réunion de jeudi prochain pour le budget du café " +
		"de vergadering over het dak van ons gebouw is verzet naar dinsdag please find attached invoice number and confirm your order " +
		"merci beaucoup à tous ceux qui sont venus samedi bonjour voici les photos question regarding delivery update weekly news " +
		"wir freuen uns auf die Rechnung für März und grüßen herzlich welcome project review tomorrow room key electricity bread")
)

func (g *generator) text(n int) string {
	w := make([]string, n)
	for i := range w {
		w[i] = pick(g, words)
	}
	return strings.Join(w, " ")
}

func (g *generator) hex(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte("0123456789abcdef"[g.rng.IntN(16)])
	}
	return b.String()
}

func (g *generator) address() string {
	name, host := pick(g, people), pick(g, hosts)
	local := strings.ToLower(strings.Map(func(r rune) rune {
		if r < 128 && r != '\'' && r != ',' {
			return r
		}
		return -1
	}, strings.ReplaceAll(name, " ", ".")))
	switch {
	case g.rng.IntN(6) == 0:
		return fmt.Sprintf("<%s@%s>", local, host)
	case strings.ContainsAny(name, ",.()"):
		return fmt.Sprintf("%q <%s@%s>", name, local, host)
	}
	return fmt.Sprintf("%s <%s@%s>", mime.QEncoding.Encode("utf-8", name), local, host)
}

func (g *generator) id() string {
	host := pick(g, hosts)
	switch g.rng.IntN(4) {
	case 0:
		return "<CA+" + base64.RawURLEncoding.EncodeToString([]byte(g.hex(30))) + "@mail.gmail.com>"
	case 1:
		return "<" + g.hex(8) + "-" + g.hex(4) + "-" + g.hex(4) + "-" + g.hex(4) + "-" + g.hex(12) + "@" + host + ">"
	case 2:
		return fmt.Sprintf("<20261124%06d.%s@%s>", g.rng.IntN(1e6), strings.ToUpper(g.hex(10)), host)
	}
	return fmt.Sprintf("<%d.%d.%d.JavaMail.root@%s>", g.rng.IntN(1e9), g.rng.IntN(1e9), 1764000000000+int64(g.rng.IntN(1e9)), host)
}

// header writes the fields every message has, and some that many have.
func (g *generator) header() {
	when := time.Date(2025, 1, 1, 8, 0, 0, 0, time.FixedZone("", 3600*g.rng.IntN(3))).Add(time.Duration(g.i) * 977 * time.Second)
	date := when.Format("Mon, 2 Jan 2006 15:04:05 -0700")
	from := g.address()
	for hop := range 2 {
		g.f("Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\n\tby relay%d.example.net (Postfix) with ESMTPS id %s\n\tfor <zoe@coop.example>; %s\n",
			hop, hop, 1+g.rng.IntN(250), hop, strings.ToUpper(g.hex(11)), date)
	}
	if g.rng.IntN(2) == 0 {
		sig := base64.StdEncoding.EncodeToString([]byte(g.hex(256)))
		g.f("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=sel%d;\n\th=from:to:subject:date:message-id; bh=%s;\n\tb=%s\n\t%s\n\t%s\n",
			pick(g, hosts), g.rng.IntN(9), base64.StdEncoding.EncodeToString([]byte(g.hex(32)))[:44], sig[:70], sig[70:140], sig[140:])
	}
	g.f("From: %s\nTo: %s\n", from, g.address())
	if g.rng.IntN(4) == 0 {
		g.f("Cc: %s,\n\t%s\n", g.address(), g.address())
	}
	subject := mime.QEncoding.Encode("utf-8", g.text(3+g.rng.IntN(6)))
	if g.rng.IntN(2) == 0 {
		subject = "Re: " + subject
	}
	g.f("Subject: %s\nDate: %s\nMessage-ID: %s\n", strings.ReplaceAll(subject, "?= =?", "?=\r\n =?"), date, g.id())
	if g.rng.IntN(2) == 0 {
		parent := g.id()
		g.f("In-Reply-To: %s\nReferences: %s\n\t%s\n", parent, g.id(), parent)
	}
	if g.rng.IntN(5) == 0 {
		g.f("List-Id: garden talk <garden.lists.example.org>\nList-Unsubscribe: <https://lists.example.org/u/%s>\n", g.hex(16))
	}
	g.f("User-Agent: Mozilla Thunderbird\nMIME-Version: 1.0\n")
}

func (g *generator) boundary() string {
	g.bound++
	switch g.rng.IntN(3) {
	case 0:
		return fmt.Sprintf("----=_Part_%d_%d.%d", g.bound, g.rng.IntN(1e9), g.rng.IntN(1e9))
	case 1:
		return "------------" + g.hex(24) + fmt.Sprint(g.bound)
	}
	return fmt.Sprintf("b%d-%s", g.bound, g.hex(10))
}

// multipart writes an entity of several parts.
func (g *generator) multipart(subtype, params string, parts ...func()) {
	b := g.boundary()
	g.f("Content-Type: multipart/%s;%s\n\tboundary=%q\n\n", subtype, params, b)
	if g.rng.IntN(3) == 0 {
		g.f("This is a multi-part message in MIME format.\n")
	}
	for _, p := range parts {
		g.f("--%s\n", b)
		p()
		g.f("\n")
	}
	g.f("--%s--\n", b)
	if g.rng.IntN(4) == 0 {
		g.f("\nan epilogue\n")
	}
}

func (g *generator) lines() string {
	var b strings.Builder
	for range 2 + g.rng.IntN(30) {
		b.WriteString(g.text(4+g.rng.IntN(8)) + ".\r\n")
	}
	return b.String()
}

func (g *generator) plain() {
	text := g.lines()
	switch g.rng.IntN(3) {
	case 0:
		g.f("Content-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: 8bit\n\n")
		g.b.WriteString(text)
	case 1:
		g.f("Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable\n\n")
		w := quotedprintable.NewWriter(&g.b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
	default:
		g.f("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n")
		g.base64([]byte(text))
	}
}

func (g *generator) html() {
	g.f("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n")
	w := quotedprintable.NewWriter(&g.b)
	_, _ = w.Write([]byte("<html><body><p style=\"margin:0\">" + g.lines() + "</p></body></html>\r\n"))
	_ = w.Close()
}

func (g *generator) base64(b []byte) {
	s := base64.StdEncoding.EncodeToString(b)
	for len(s) > 76 {
		g.f("%s\n", s[:76])
		s = s[76:]
	}
	g.f("%s\n", s)
}

func (g *generator) file(kind, name, extra string) func() {
	return func() {
		g.f("Content-Type: %s; name=%q\nContent-Disposition: attachment; filename=%q%s\nContent-Transfer-Encoding: base64\n\n", kind, name, name, extra)
		g.base64([]byte(g.hex(100 + g.rng.IntN(4000))))
	}
}

func (g *generator) image() {
	g.f("Content-Type: image/png\nContent-ID: <%s@example.org>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\n", g.hex(8))
	g.base64([]byte(g.hex(200)))
}

func (g *generator) alternative() { g.multipart("alternative", "", g.plain, g.html) }

// inner writes a message within the message.
func (g *generator) inner() {
	g.f("From: %s\nTo: %s\nSubject: %s\nDate: Mon, 3 Nov 2025 10:00:00 +0100\nMessage-ID: %s\nMIME-Version: 1.0\n",
		g.address(), g.address(), mime.QEncoding.Encode("utf-8", g.text(4)), g.id())
	if g.rng.IntN(2) == 0 {
		g.alternative()
	} else {
		g.plain()
	}
}

func (g *generator) forwarded() {
	g.f("Content-Type: message/rfc822\nContent-Disposition: attachment; filename=\"letter.eml\"\n\n")
	g.inner()
}

// shapes are what a body can look like.
func (g *generator) shapes() [Shapes]func() {
	raw := func(s string) func() { return func() { g.f("%s", strings.ReplaceAll(s, "\n", "\r\n")) } }
	return [Shapes]func(){
		g.plain,
		g.alternative,
		func() { g.multipart("mixed", "", g.plain, g.file("application/pdf", "facture 2026.pdf", "")) },
		func() { g.f("Content-Type: text/plain; charset=us-ascii\n\n%s\n", "plain words") },
		func() {
			g.multipart("alternative", "", g.plain, func() { g.multipart("related", " type=\"text/html\";", g.html, g.image) })
		},
		func() { g.multipart("mixed", "", g.plain, g.forwarded) },
		func() {
			g.multipart("signed", " micalg=pgp-sha256; protocol=\"application/pgp-signature\";", g.plain,
				raw("Content-Type: application/pgp-signature; name=\"signature.asc\"\nContent-Description: OpenPGP digital signature\n\n-----BEGIN PGP SIGNATURE-----\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----\n"))
		},
		func() {
			g.multipart("encrypted", " protocol=\"application/pgp-encrypted\";", raw("Content-Type: application/pgp-encrypted\n\nVersion: 1\n"),
				raw("Content-Type: application/octet-stream; name=\"encrypted.asc\"\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n"))
		},
		func() {
			g.multipart("report", " report-type=delivery-status;", g.plain,
				raw("Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"),
				raw("Content-Type: text/rfc822-headers\n\nSubject: it did not arrive\n"))
		},
		func() {
			g.multipart("mixed", "", func() {
				g.multipart("alternative", "", g.plain, g.html, raw("Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n"))
			}, g.file("application/ics", "invite.ics", ""))
		},
		func() {
			b := g.boundary()
			g.f("Content-Type: multipart/digest; boundary=%q\n\n", b)
			for range 2 {
				g.f("--%s\n\n", b)
				g.inner()
				g.f("\n")
			}
			g.f("--%s--\n", b)
		},
		func() {
			g.f("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nVoil\xe0 l'\xe9t\xe9\n")
		},
		func() {
			g.multipart("mixed", "", g.html,
				raw("Content-Type: image/jpeg;\n\tname*=utf-8''%C3%A9t%C3%A9.jpg\nContent-Disposition: attachment;\n\tfilename*0*=utf-8''%C3%A9;\n\tfilename*1=t.jpg; size=4\nContent-Transfer-Encoding: base64\nContent-Language: fr, nl\nContent-Location: http://example.org/x\n\nAAAA\n"))
		},
		func() { g.f("\n%s\n", "no type at all") },
		func() {
			g.f("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"smime.p7m\"\nContent-Description: S/MIME Encrypted Message\n\n")
			g.base64([]byte(g.hex(300)))
		},
		func() {
			g.multipart("mixed", "", func() { g.multipart("related", "", g.alternative, g.image) },
				g.file("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Compte rendu.docx", "; size=12345"),
				g.file("application/zip", "archive.zip", ""), g.forwarded)
		},
	}
}
