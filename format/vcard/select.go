package vcard

import "strings"

// A Selected names properties that a partial card has (RFC 6352 §10.4.2).
type Selected struct {
	Group, Name string // Group "" means any and none
	NoValue     bool
}

// Select returns a card of some properties. VERSION is always there, since
// nobody can read a card without it.
func (c *Card) Select(props []Selected) *Card {
	out := New(c.Version)
	for _, p := range c.Properties {
		for _, s := range props {
			if !p.Is(s.Name) || s.Group != "" && !strings.EqualFold(s.Group, p.Group) {
				continue
			}
			if s.NoValue {
				p.Value, p.raw = "", nil
			}
			out.put(p)
			break
		}
	}
	return out
}
