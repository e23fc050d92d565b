package vcard

import "essaim.coop/essaim/format/collation"

// A Collation is a way to compare text (RFC 6352 §8.3).
type Collation = collation.Collation

const (
	UnicodeCasemap = collation.UnicodeCasemap // the default
	ASCIICasemap   = collation.ASCIICasemap
	Octet          = collation.Octet
)

// Collations are the names of those supported, in the order of the constants.
var Collations = collation.Names

// CollationByName finds a collation; "" and "default" are i;unicode-casemap.
func CollationByName(name string) (Collation, bool) {
	if name == "" || name == "default" {
		return UnicodeCasemap, true
	}
	return collation.ByName(name)
}

// Fold is the canonical form of i;unicode-casemap (RFC 5051 §2).
func Fold(s string) string { return collation.Fold(s) }
