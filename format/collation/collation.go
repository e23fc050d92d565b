// Package collation compares text in the ways that the query languages of CalDAV
// and CardDAV name: i;octet and i;ascii-casemap (RFC 4790 §9), i;unicode-casemap
// (RFC 5051). It is pure.
package collation

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A Collation is a way to compare text.
type Collation uint8

const (
	UnicodeCasemap Collation = iota
	ASCIICasemap
	Octet
)

// Names are those of the collations, in the order of the constants.
var Names = []string{"i;unicode-casemap", "i;ascii-casemap", "i;octet"}

// ByName finds a collation.
func ByName(name string) (Collation, bool) {
	for i, n := range Names {
		if n == name {
			return Collation(i), true
		}
	}
	return 0, false
}

// Key returns the text that is compared octet by octet.
func (c Collation) Key(s string) string {
	switch c {
	case UnicodeCasemap:
		return Fold(s)
	case ASCIICasemap:
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				r -= 'a' - 'A'
			}
			return r
		}, s)
	}
	return s
}

// Fold is the canonical form of i;unicode-casemap (RFC 5051 §2): titlecase, then
// compatibility decomposition, character by character, so that what is part of
// a text is part of its folded text.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'a' && c <= 'z' {
			return fold5051(s)
		}
	}
	return s
}

func fold5051(s string) string {
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			b = append(b, byte(r)-('a'-'A'))
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		default:
			var one [utf8.UTFMax]byte
			n := utf8.EncodeRune(one[:], unicode.ToTitle(r))
			b = norm.NFKD.Append(b, one[:n]...)
		}
	}
	return string(b)
}
