package vcard

import "strings"

// A Filter selects cards (RFC 6352 §10.5). The zero Filter selects all.
type Filter struct {
	AllOf bool // test="allof"; else one of Props suffices
	Props []PropFilter
}

// A PropFilter is a condition on the properties of a name (§10.5.1). It holds
// when one property fulfils it.
type PropFilter struct {
	Group, Name string // Group "" matches every group and none
	NotDefined  bool
	AllOf       bool
	Texts       []TextMatch
	Params      []ParamFilter
}

// A ParamFilter is a condition on the parameters of one property (§10.5.2).
type ParamFilter struct {
	Name       string
	NotDefined bool
	Text       *TextMatch // nil: that there is one is enough
}

// A MatchType says where in the value the text must be (§10.5.4).
type MatchType uint8

const (
	Contains MatchType = iota
	Equals
	StartsWith
	EndsWith
)

// A TextMatch compares a value with a text (§10.5.4).
type TextMatch struct {
	Collation Collation
	Type      MatchType
	Negate    bool

	key    string
	folded []byte
}

// NewTextMatch makes a TextMatch for a text.
func NewTextMatch(text string, c Collation, t MatchType, negate bool) TextMatch {
	return TextMatch{c, t, negate, c.Key(text), []byte(Fold(text))}
}

// PropName takes a filter's or selection's property name apart.
func PropName(s string) (group, name string) {
	if g, n, ok := strings.Cut(s, "."); ok {
		return g, n
	}
	return "", s
}

// Match reports whether the filter selects the card.
func (f *Filter) Match(c *Card) bool {
	if len(f.Props) == 0 {
		return true
	}
	for i := range f.Props {
		if ok := f.Props[i].match(c); ok != f.AllOf {
			return ok
		}
	}
	return f.AllOf
}

func (f *PropFilter) match(c *Card) bool {
	if strings.EqualFold(f.Name, "VERSION") && f.Group == "" {
		p := Property{Name: "VERSION", Value: string(c.Version)}
		return !f.NotDefined && f.fulfilled(&p)
	}
	for i := range c.Properties {
		p := &c.Properties[i]
		if !p.Is(f.Name) || f.Group != "" && !strings.EqualFold(f.Group, p.Group) {
			continue
		}
		if f.NotDefined {
			return false
		}
		if f.fulfilled(p) {
			return true
		}
	}
	return f.NotDefined
}

// fulfilled tests one property.
func (f *PropFilter) fulfilled(p *Property) bool {
	if len(f.Texts) == 0 && len(f.Params) == 0 {
		return true
	}
	if len(f.Texts) > 0 {
		values := p.Values()
		for i := range f.Texts {
			if ok := f.Texts[i].match(values); ok != f.AllOf {
				return ok
			}
		}
	}
	for i := range f.Params {
		if ok := f.Params[i].match(p); ok != f.AllOf {
			return ok
		}
	}
	return f.AllOf
}

func (f *ParamFilter) match(p *Property) bool {
	values := p.Param(f.Name)
	switch {
	case f.NotDefined:
		return values == nil
	case values == nil:
		return false
	case f.Text == nil:
		return true
	}
	var words []string
	for _, v := range values {
		words = append(words, v)
		if strings.EqualFold(f.Name, "TYPE") && strings.Contains(v, ",") {
			words = append(words, strings.SplitN(v, ",", MaxParams)...)
		}
	}
	return f.Text.match(words)
}

func (m *TextMatch) match(values []string) bool {
	for _, v := range values {
		if m.Type.holds(m.Collation.Key(v), m.key) {
			return !m.Negate
		}
	}
	return m.Negate
}

func (t MatchType) holds(value, key string) bool {
	switch t {
	case Equals:
		return value == key
	case StartsWith:
		return strings.HasPrefix(value, key)
	case EndsWith:
		return strings.HasSuffix(value, key)
	}
	return strings.Contains(value, key)
}

// Values returns the texts that a filter compares: the whole value, and of a
// structured value or a list its parts, too, so that a category can be asked
// for by its name.
func (p *Property) Values() []string {
	whole := []string{p.Text()}
	var sep byte
	switch strings.ToUpper(p.Name) {
	case "N", "ADR", "ORG":
		sep = ';'
	case "NICKNAME", "CATEGORIES":
		sep = ','
	default:
		return whole
	}
	parts := split(p.Value, sep, true, maxParts)
	if len(parts) == 1 {
		return whole
	}
	for _, v := range parts {
		if v != "" {
			whole = append(whole, v)
		}
	}
	return whole
}
