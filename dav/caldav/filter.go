package caldav

import (
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/collation"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
)

// maxTests bounds the conditions of one filter.
const maxTests = 500

// parseFilter reads CALDAV:filter (RFC 4791 §9.7). One that the RFC does not
// allow is valid-filter, one that asks for what is not there supported-filter.
func parseFilter(e *davxml.Element) (*filter.Comp, error) {
	p := filterParser{}
	var f filter.Comp
	outer := e.Children()
	if len(outer) != 1 || outer[0].Name != davxml.CalDAV("comp-filter") {
		return nil, dav.Forbidden(davxml.CalDAV("valid-filter"))
	}
	f = p.comp(outer[0])
	if f.Name != "VCALENDAR" {
		p.invalid()
	}
	return &f, p.err
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

func (p *filterParser) invalid() { p.fail(dav.Forbidden(davxml.CalDAV("valid-filter"))) }

// refuse answers a filter that asks for what is not there to be asked for.
func (p *filterParser) refuse(e *davxml.Element) {
	err := dav.Forbidden(davxml.CalDAV("supported-filter"))
	err.Detail = func(w *davxml.Writer) { w.Element(e) }
	p.fail(err)
}

// name counts the conditions and reads what one is about; case does not matter (RFC
// 5545 §2).
func (p *filterParser) name(e *davxml.Element) string {
	if p.tests++; p.tests > maxTests {
		p.fail(dav.Forbidden(davxml.CalDAV("supported-filter")))
	}
	if e.Attr("name") == "" {
		p.invalid()
	}
	return strings.ToUpper(e.Attr("name"))
}

func (p *filterParser) comp(e *davxml.Element) filter.Comp {
	f := filter.Comp{Name: p.name(e)}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CalDAV("is-not-defined"):
			f.NotDefined = true
		case davxml.CalDAV("time-range"):
			f.Range = p.timeRange(c)
		case davxml.CalDAV("prop-filter"):
			f.Props = append(f.Props, p.prop(c))
		case davxml.CalDAV("comp-filter"):
			f.Comps = append(f.Comps, p.comp(c))
		default:
			p.refuse(c)
		}
	}
	if f.NotDefined && len(e.Children()) > 1 || f.Range != nil && f.Name == "VCALENDAR" {
		p.invalid()
	}
	return f
}

func (p *filterParser) prop(e *davxml.Element) filter.Prop {
	f := filter.Prop{Name: p.name(e)}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CalDAV("is-not-defined"):
			f.NotDefined = true
		case davxml.CalDAV("time-range"):
			f.Range = p.timeRange(c)
		case davxml.CalDAV("text-match"):
			f.Text = p.text(c)
		case davxml.CalDAV("param-filter"):
			f.Params = append(f.Params, p.param(c))
		default:
			p.refuse(c)
		}
	}
	if f.NotDefined && len(e.Children()) > 1 || f.Range != nil && f.Text != nil {
		p.invalid()
	}
	return f
}

func (p *filterParser) param(e *davxml.Element) filter.Param {
	f := filter.Param{Name: p.name(e)}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CalDAV("is-not-defined"):
			f.NotDefined = true
		case davxml.CalDAV("text-match"):
			f.Text = p.text(c)
		default:
			p.refuse(c)
		}
	}
	if f.NotDefined && f.Text != nil {
		p.invalid()
	}
	return f
}

// text reads a text-match; the default collation is i;ascii-casemap (§9.7.5).
func (p *filterParser) text(e *davxml.Element) *filter.Text {
	c, ok := collation.ASCIICasemap, true
	if name := e.Attr("collation"); name != "" && name != "default" {
		c, ok = collation.ByName(name)
	}
	if !ok {
		p.fail(dav.Forbidden(davxml.CalDAV("supported-collation")))
	}
	negate := e.Attr("negate-condition")
	if negate != "" && negate != "yes" && negate != "no" {
		p.invalid()
	}
	return filter.NewText(e.Text(), c, negate == "yes")
}

func (p *filterParser) timeRange(e *davxml.Element) *filter.Range {
	r, ok := readRange(e)
	if !ok {
		p.invalid()
	}
	return &r
}

// readRange reads the attributes of a time-range: one at least, both in UTC, the
// end after the start (§9.9).
func readRange(e *davxml.Element) (r filter.Range, ok bool) {
	if e.Attr("start") == "" && e.Attr("end") == "" {
		return r, false
	}
	read := func(name string) (t time.Time, ok bool) {
		v := e.Attr(name)
		if v == "" {
			return t, true
		}
		s, err := ical.ParseStamp(v, "")
		return time.Unix(s.Wall, 0).UTC(), err == nil && s.UTC
	}
	var ok1, ok2 bool
	r.Start, ok1 = read("start")
	r.End, ok2 = read("end")
	return r, ok1 && ok2 && (r.Start.IsZero() || r.End.IsZero() || r.End.After(r.Start))
}

// readBounds is readRange of an element whose both attributes must be there.
func readBounds(e *davxml.Element) (*filter.Range, error) {
	r, ok := readRange(e)
	if !ok || r.Start.IsZero() || r.End.IsZero() {
		return nil, dav.Status(400)
	}
	return &r, nil
}
