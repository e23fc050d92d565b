package vcard

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// quotedPrintable tells from a line's beginning whether it is so encoded.
func quotedPrintable(line []byte) bool {
	head, _, _ := bytes.Cut(line, []byte(":"))
	return bytes.Contains(bytes.ToUpper(head), []byte("QUOTED-PRINTABLE"))
}

// decode21 makes the values of a 2.1 card UTF-8: quoted-printable decoded, the
// charset that each property names applied. A newline in a value is written
// "\n".
func (c *Card) decode21() error {
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.HasType("QUOTED-PRINTABLE") || p.is("ENCODING", "QUOTED-PRINTABLE") {
			b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.Value)))
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrSyntax, p.Name, err)
			}
			p.Value = string(b)
		}
		if cs := p.Param("CHARSET"); len(cs) > 0 && !strings.EqualFold(cs[0], "UTF-8") {
			e, err := htmlindex.Get(cs[0])
			if err == nil {
				p.Value, err = e.NewDecoder().String(p.Value)
			}
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrSyntax, p.Name, err)
			}
		}
		if !utf8.ValidString(p.Value) {
			return fmt.Errorf("%w: %s: not UTF-8", ErrSyntax, p.Name)
		}
		p.Value = clean(newlines.Replace(p.Value))
	}
	return nil
}

var newlines = strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// The properties whose semicolons separate.
var structured = map[string]bool{"N": true, "ADR": true, "ORG": true, "GEO": true}

// from21 writes a 2.1 card as 3.0.
func (c *Card) from21() *Card {
	out := &Card{Version: V3}
	for _, p := range c.Properties {
		binary := p.is("ENCODING", "BASE64") || p.HasType("BASE64")
		p.setParam("TYPE", p.types("QUOTED-PRINTABLE", "8BIT", "7BIT", "BASE64")...)
		p.setParam("ENCODING")
		p.setParam("CHARSET")
		switch {
		case binary:
			p.setParam("ENCODING", "b")
			p.Value = strings.Map(dropSpace, p.Value)
		case p.is("VALUE", "uri") || p.is("VALUE", "url"):
		case structured[strings.ToUpper(p.Name)]:
			p.Value = strings.ReplaceAll(p.Value, ",", `\,`)
		default:
			p.Value = Escape(Unescape(p.Value))
		}
		out.put(p)
	}
	out.complete()
	return out
}
