// Package vcard reads, converts, filters and writes vCards.
//
// What it promises: a card that was parsed keeps its original bytes, line by
// line, and gives them back exactly; what is changed by conversion or selection
// is written anew and everything else is copied as it stands, unknown
// properties, groups and parameters among it. Input that is not UTF-8, not one
// card, or beyond the limits is refused with an error that names the line.
// Time and memory are linear in the input; nothing recurses. The package does
// no I/O.
//
// Versions: 3.0 and 4.0 are read, written and converted into one another
// (convert.go says how each difference is carried). 2.1 is read, for those who
// move in with old exports, and can be converted to 3.0; it is not written.
//
// RFCs: 6350 (vCard 4.0), 2426 (vCard 3.0), 6868 (parameter values), 6352 §8.3,
// §10.4 and §10.5 (collations, partial cards, filters), 5051 (i;unicode-casemap).
// Not done: 6351 (xCard), 7095 (jCard).
package vcard

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of one card. They hold before anything is taken apart.
const (
	MaxBytes      = 4 << 20 // of the card; a photo of 3 MB fits in base64
	MaxProperties = 20_000  // a group has one for each member
	MaxParams     = 200     // of one property, or values of one parameter
	MaxCardParams = 50_000  // values of all parameters of the card
	maxParts      = 1000    // of a list or structured value that filters look at
)

// A Version is one of the three that exist.
type Version string

const (
	V21 Version = "2.1"
	V3  Version = "3.0"
	V4  Version = "4.0"
)

// The reasons why a card is refused. A SyntaxError says more.
var (
	ErrSyntax   = errors.New("not a valid vCard")
	ErrVersion  = errors.New("vCard version is not supported")
	ErrTooLarge = errors.New("vCard is too large")
)

// A SyntaxError says what is wrong in which line, counted from 1. It is an
// ErrSyntax.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("vCard, line %d: %s", e.Line, e.Msg) }
func (e *SyntaxError) Unwrap() error { return ErrSyntax }

// A Card is one vCard. Properties are in the order of the text, without BEGIN,
// VERSION and END.
type Card struct {
	Version    Version
	Properties []Property

	raw    []byte // of a parsed card
	sorted bool   // while it is converted: there is a SORT-STRING
}

// A Property is one content line.
type Property struct {
	Group  string // before the dot, as written; "" is none
	Name   string // as written; compare with Is
	Params []Param
	Value  string // unfolded, escapes as they are; see Text, List and Fields

	raw  []byte // with folds and line ends; nil when it must be written anew
	bare bool   // a type had no "TYPE=", which 4.0 does not allow
}

// A Param is one parameter; its values are unquoted and decoded (RFC 6868).
type Param struct {
	Name   string // as written
	Values []string
}

// Bytes returns the card: the original bytes when it was parsed and not
// converted, else its text.
func (c *Card) Bytes() []byte {
	if c.raw != nil {
		return c.raw
	}
	return c.text()
}

// UTF8 returns the bytes of a card for what carries text, not bytes: the same
// but for a byte order mark, and where a program folded inside of a character;
// such lines are folded anew.
func UTF8(b []byte) ([]byte, error) {
	b = bytes.TrimPrefix(b, bom)
	if utf8.Valid(b) {
		return b, nil
	}
	c, err := Parse(b)
	if err != nil {
		return nil, err
	}
	return c.text(), nil
}

func (c *Card) text() []byte {
	n := 64
	for i := range c.Properties {
		n += len(c.Properties[i].raw) + len(c.Properties[i].Value) + 32
	}
	b := append(make([]byte, 0, n), "BEGIN:VCARD\r\nVERSION:"+string(c.Version)+"\r\n"...)
	for i := range c.Properties {
		b = c.Properties[i].append(b)
	}
	return append(b, "END:VCARD\r\n"...)
}

// Is compares the name, without regard to case (RFC 6350 §3.3).
func (p *Property) Is(name string) bool { return strings.EqualFold(p.Name, name) }

// First returns the first property of a name, nil when there is none.
func (c *Card) First(name string) *Property {
	for i := range c.Properties {
		if c.Properties[i].Is(name) {
			return &c.Properties[i]
		}
	}
	return nil
}

// Text returns the text of the first property of a name, "" when there is none.
func (c *Card) Text(name string) string {
	if p := c.First(name); p != nil {
		return p.Text()
	}
	return ""
}

// UID returns the card's identity, without surrounding space.
func (c *Card) UID() string { return strings.TrimSpace(c.Text("UID")) }

// IsGroup reports whether the card is a group of others, in the style of either
// version: KIND (RFC 6350 §6.1.4) or X-ADDRESSBOOKSERVER-KIND.
func (c *Card) IsGroup() bool {
	return strings.EqualFold(strings.TrimSpace(c.Text("KIND")), "group") ||
		strings.EqualFold(strings.TrimSpace(c.Text(appleKind)), "group")
}

// Param returns the values of a parameter; several of one name are one list.
func (p *Property) Param(name string) (values []string) {
	for _, x := range p.Params {
		if strings.EqualFold(x.Name, name) {
			if values == nil {
				values = x.Values
			} else {
				values = append(values[:len(values):len(values)], x.Values...)
			}
		}
	}
	return values
}

// HasType reports whether a property has a TYPE, in any case. Quoted lists, as
// TYPE="home,work", count as lists.
func (p *Property) HasType(t string) bool {
	for _, v := range p.Param("TYPE") {
		for x := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(x), t) {
				return true
			}
		}
	}
	return false
}

// setParam replaces a parameter; without values it goes.
func (p *Property) setParam(name string, values ...string) {
	kept := make([]Param, 0, len(p.Params)+1)
	for _, x := range p.Params {
		if !strings.EqualFold(x.Name, name) {
			kept = append(kept, x)
		}
	}
	if len(values) > 0 {
		kept = append(kept, Param{name, values})
	}
	p.Params, p.raw = kept, nil
}
