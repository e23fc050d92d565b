package vcard

import (
	"bytes"
	"strings"
)

// A Verdict is what an index can say of a card.
type Verdict uint8

const (
	No    Verdict = iota
	Maybe         // only the card can tell
	Yes
)

// An Index looks up what is kept of a card: for each property of a name (in
// capitals, of any group) its Values, folded with Fold. indexed is false when
// properties of that name are not kept. What is returned is good until the next
// call.
type Index func(name string) (values [][][]byte, indexed bool)

// Decide is Match as far as an index goes. Yes and No are what Match would say.
func (f *Filter) Decide(ix Index) Verdict {
	if len(f.Props) == 0 {
		return Yes
	}
	v := start(f.AllOf)
	for i := range f.Props {
		v = join(f.AllOf, v, f.Props[i].decide(ix))
	}
	return v
}

func start(allOf bool) Verdict {
	if allOf {
		return Yes
	}
	return No
}

// join is "and" (the least) or "or" (the greatest).
func join(allOf bool, a, b Verdict) Verdict {
	if allOf {
		return min(a, b)
	}
	return max(a, b)
}

func (f *PropFilter) decide(ix Index) Verdict {
	props, indexed := ix(strings.ToUpper(f.Name))
	switch {
	case !indexed:
		return Maybe
	case len(props) == 0 && f.NotDefined:
		return Yes
	case len(props) == 0:
		return No
	case f.Group != "":
		return Maybe
	case f.NotDefined:
		return No
	}
	v := No
	for _, values := range props {
		v = max(v, f.decideOne(values))
	}
	return v
}

func (f *PropFilter) decideOne(values [][]byte) Verdict {
	if len(f.Texts) == 0 && len(f.Params) == 0 {
		return Yes
	}
	v := start(f.AllOf)
	for i := range f.Texts {
		v = join(f.AllOf, v, f.Texts[i].decide(values))
	}
	if len(f.Params) > 0 {
		v = join(f.AllOf, v, Maybe)
	}
	return v
}

// decide compares folded values. What the stricter collations find, this one
// finds; but not the other way round.
func (m *TextMatch) decide(folded [][]byte) Verdict {
	found := No
	for _, v := range folded {
		if m.Type.within(v, m.folded) {
			found = Yes
			break
		}
	}
	if found == Yes && m.Collation != UnicodeCasemap {
		return Maybe
	}
	if m.Negate {
		return Yes - found
	}
	return found
}

// within is holds of what an index keeps.
func (t MatchType) within(value, key []byte) bool {
	switch t {
	case Equals:
		return bytes.Equal(value, key)
	case StartsWith:
		return bytes.HasPrefix(value, key)
	case EndsWith:
		return bytes.HasSuffix(value, key)
	}
	return bytes.Contains(value, key)
}
