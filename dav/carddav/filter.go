package carddav

import (
	"net/http"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/vcard"
)

// maxTests bounds the conditions of one filter, and the properties that a partial
// card can be asked for.
const maxTests = 100

// parseFilter reads CARDDAV:filter (RFC 6352 §10.5); no element is everything.
func parseFilter(e *davxml.Element) (*vcard.Filter, error) {
	p := filterParser{}
	f := &vcard.Filter{AllOf: p.allOf(e)}
	for _, c := range e.Children() {
		if c.Name != davxml.CardDAV("prop-filter") {
			p.refuse(c)
			continue
		}
		f.Props = append(f.Props, p.prop(c))
	}
	return f, p.err
}

// A filterParser keeps the first error.
type filterParser struct {
	tests int
	err   error
}

func (p *filterParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// refuse answers a filter that asks for what is not there to be asked for.
func (p *filterParser) refuse(e *davxml.Element) {
	err := dav.Forbidden(davxml.CardDAV("supported-filter"))
	err.Detail = func(w *davxml.Writer) { w.Element(e) }
	p.fail(err)
}

// count bounds the work that a filter is.
func (p *filterParser) count() {
	if p.tests++; p.tests > maxTests {
		p.fail(dav.Forbidden(davxml.CardDAV("supported-filter")))
	}
}

func (p *filterParser) allOf(e *davxml.Element) bool {
	switch e.Attr("test") {
	case "", "anyof":
		return false
	case "allof":
		return true
	}
	p.fail(dav.Status(http.StatusBadRequest))
	return false
}

func (p *filterParser) prop(e *davxml.Element) vcard.PropFilter {
	p.count()
	f := vcard.PropFilter{AllOf: p.allOf(e)}
	if f.Group, f.Name = vcard.PropName(e.Attr("name")); f.Name == "" {
		p.fail(dav.Status(http.StatusBadRequest))
	}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CardDAV("is-not-defined"):
			f.NotDefined = true
		case davxml.CardDAV("text-match"):
			f.Texts = append(f.Texts, p.text(c))
		case davxml.CardDAV("param-filter"):
			f.Params = append(f.Params, p.param(c))
		default:
			p.refuse(c)
		}
	}
	return f
}

func (p *filterParser) param(e *davxml.Element) vcard.ParamFilter {
	p.count()
	f := vcard.ParamFilter{Name: e.Attr("name")}
	if f.Name == "" {
		p.fail(dav.Status(http.StatusBadRequest))
	}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CardDAV("is-not-defined"):
			f.NotDefined = true
		case davxml.CardDAV("text-match"):
			m := p.text(c)
			f.Text = &m
		default:
			p.refuse(c)
		}
	}
	return f
}

var matchTypes = map[string]vcard.MatchType{
	"": vcard.Contains, "contains": vcard.Contains, "equals": vcard.Equals, "starts-with": vcard.StartsWith, "ends-with": vcard.EndsWith,
}

func (p *filterParser) text(e *davxml.Element) vcard.TextMatch {
	p.count()
	collation, ok := vcard.CollationByName(e.Attr("collation"))
	if !ok {
		p.fail(dav.Forbidden(davxml.CardDAV("supported-collation")))
	}
	t, ok := matchTypes[e.Attr("match-type")]
	negate := e.Attr("negate-condition")
	if !ok || negate != "" && negate != "yes" && negate != "no" {
		p.fail(dav.Status(http.StatusBadRequest))
	}
	return vcard.NewTextMatch(e.Text(), collation, t, negate == "yes")
}
