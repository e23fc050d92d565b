package dav

import "essaim.coop/essaim/dav/davxml"

// A Query is what a basicsearch asks for (RFC 5323 §5). What is selected is the
// engine's to write.
type Query struct {
	Infinite bool   // DAV:depth of the scope; else its members only
	Where    *Where // nil: everything
	Order    []Order
}

// A Where is a condition, or conditions joined.
type Where struct {
	Op   string // and, or, not, or eq, lt, gt, lte, gte, like, contains, is-collection, is-defined, language-defined, language-matches
	Args []*Where
	// Of a comparison:
	Prop     davxml.Name
	Value    string // of like with the wildcards % and _, escaped by \
	Caseless bool
}

// An Order is a property to sort by.
type Order struct {
	Prop       davxml.Name
	Descending bool
}
