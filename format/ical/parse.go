package ical

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const bom = "\ufeff"

// Parse reads text that holds exactly one VCALENDAR, within DefaultLimits.
func Parse(b []byte) (*Calendar, error) { return DefaultLimits.Parse(b) }

// Parse is Parse within other limits.
func (lim Limits) Parse(b []byte) (*Calendar, error) {
	all, err := lim.ParseAll(b)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("%w: %d VCALENDARs, not one", ErrSyntax, len(all))
	}
	return all[0], nil
}

// ParseAll reads a stream of VCALENDARs (RFC 5545 §3.4). They share one source.
func (lim Limits) ParseAll(b []byte) ([]*Calendar, error) {
	if len(b) > lim.Bytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(b), lim.Bytes)
	}
	p := parser{lim: lim, src: string(b), eol: "\r\n"}
	if i := strings.IndexByte(p.src, '\n'); i == 0 || i > 0 && p.src[i-1] != '\r' {
		p.eol = "\n"
	}
	if strings.HasPrefix(p.src, bom) {
		p.pos = len(bom)
	}
	for p.next() {
		if err := p.take(); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if len(p.open) > 0 {
		return nil, fmt.Errorf("%w: %s has no END", ErrSyntax, p.open[len(p.open)-1].Name)
	}
	return p.done, nil
}

type parser struct {
	lim   Limits
	src   string
	eol   string
	pos   int
	line  int // number of the physical line that the content line began with
	phys  int
	lines int
	comps int

	text       string // the content line, unfolded
	start, end int
	open       []*Component
	done       []*Calendar
}

// next unfolds the next content line (RFC 5545 §3.1); blank lines are passed over.
func (p *parser) next() bool {
	for p.pos < len(p.src) {
		p.start, p.line = p.pos, p.phys+1
		p.text = p.physical()
		if p.text == "" && !p.folded() {
			continue
		}
		if p.folded() {
			var b strings.Builder
			b.WriteString(p.text)
			for p.folded() {
				p.pos++
				b.WriteString(p.physical())
			}
			p.text = b.String()
		}
		p.end = p.pos
		if strings.Trim(p.text, " \t") == "" {
			continue
		}
		return true
	}
	return false
}

func (p *parser) folded() bool {
	return p.pos < len(p.src) && (p.src[p.pos] == ' ' || p.src[p.pos] == '\t')
}

// physical takes one line of the source without its end.
func (p *parser) physical() string {
	p.phys++
	rest := p.src[p.pos:]
	i := strings.IndexByte(rest, '\n')
	if i < 0 {
		p.pos = len(p.src)
		return strings.TrimRight(rest, "\r")
	}
	p.pos += i + 1
	return strings.TrimRight(rest[:i], "\r")
}

// take puts a content line where it belongs.
func (p *parser) take() error {
	if p.lines++; p.lines > p.lim.Lines {
		return fmt.Errorf("%w: more than %d lines", ErrLimit, p.lim.Lines)
	}
	prop, err := parseLine(p.text, p.lim.Params)
	if err != nil {
		return err
	}
	prop.start, prop.end = p.start, p.end
	switch prop.Name {
	case "BEGIN":
		return p.begin(strings.ToUpper(strings.TrimSpace(prop.Value)))
	case "END":
		return p.finish(strings.ToUpper(strings.TrimSpace(prop.Value)))
	}
	if len(p.open) == 0 {
		return fmt.Errorf("%w: %s outside of VCALENDAR", ErrSyntax, prop.Name)
	}
	c := p.open[len(p.open)-1]
	if c.Props == nil {
		c.Props = make([]Prop, 0, 8)
	}
	c.Props = append(c.Props, prop)
	if len(c.Children) == 0 {
		c.body = p.end
	}
	return nil
}

func (p *parser) begin(name string) error {
	switch p.comps++; {
	case !isName(name):
		return fmt.Errorf("%w: component %q", ErrSyntax, name)
	case p.comps > p.lim.Components:
		return fmt.Errorf("%w: more than %d components", ErrLimit, p.lim.Components)
	case len(p.open) >= p.lim.Depth:
		return fmt.Errorf("%w: components nested deeper than %d", ErrLimit, p.lim.Depth)
	case len(p.open) == 0 && name != "VCALENDAR":
		return fmt.Errorf("%w: begins with %s, not VCALENDAR", ErrSyntax, name)
	}
	c := &Component{Name: name, start: p.start, body: p.end}
	if n := len(p.open); n > 0 {
		p.open[n-1].Children = append(p.open[n-1].Children, c)
	}
	p.open = append(p.open, c)
	return nil
}

func (p *parser) finish(name string) error {
	n := len(p.open)
	if n == 0 || p.open[n-1].Name != name {
		return fmt.Errorf("%w: END:%s ends nothing", ErrSyntax, name)
	}
	c := p.open[n-1]
	c.tail, c.end = p.start, p.end
	p.open = p.open[:n-1]
	if n == 1 {
		p.done = append(p.done, &Calendar{Component: c, src: p.src, eol: p.eol})
	}
	return nil
}

// parseLine takes a content line apart (RFC 5545 §3.1).
func parseLine(s string, maxParams int) (p Prop, err error) {
	if !utf8.ValidString(s) {
		return p, fmt.Errorf("%w: the text is not UTF-8", ErrSyntax)
	}
	if i := strings.IndexFunc(s, control); i >= 0 {
		return p, fmt.Errorf("%w: control character %#x", ErrSyntax, s[i])
	}
	i := strings.IndexAny(s, ":;")
	if i < 0 {
		return p, fmt.Errorf("%w: no colon in %.40q", ErrSyntax, s)
	}
	if p.Name = strings.ToUpper(strings.TrimSpace(s[:i])); !isName(p.Name) {
		return p, fmt.Errorf("%w: property name %.40q", ErrSyntax, s[:i])
	}
	for total := 0; s[i] == ';'; {
		var q Param
		if q, i, err = parseParam(s, i+1); err != nil {
			return p, fmt.Errorf("%s: %w", p.Name, err)
		}
		if total += 1 + len(q.Values); total > maxParams {
			return p, fmt.Errorf("%w: more than %d parameters", ErrLimit, maxParams)
		}
		p.Params = append(p.Params, q)
	}
	p.Value = s[i+1:]
	return p, nil
}

// parseParam reads a parameter that begins at i and returns where it ends, at a
// semicolon or the colon.
func parseParam(s string, i int) (p Param, end int, err error) {
	n := strings.IndexAny(s[i:], "=;:")
	if n < 0 || s[i+n] != '=' {
		return p, 0, fmt.Errorf("%w: parameter %.40q has no value", ErrSyntax, s[i:])
	}
	if p.Name = strings.ToUpper(strings.TrimSpace(s[i : i+n])); !isName(p.Name) {
		return p, 0, fmt.Errorf("%w: parameter name %.40q", ErrSyntax, s[i:i+n])
	}
	for i += n + 1; ; i++ {
		var v string
		if v, i, err = paramValue(s, i); err != nil {
			return p, 0, fmt.Errorf("%s: %w", p.Name, err)
		}
		p.Values = append(p.Values, decodeParam(v))
		if s[i] != ',' {
			return p, i, nil
		}
	}
}

func paramValue(s string, i int) (v string, end int, err error) {
	if i < len(s) && s[i] == '"' {
		n := strings.IndexByte(s[i+1:], '"')
		if n < 0 {
			return "", 0, fmt.Errorf("%w: a quote is not closed", ErrSyntax)
		}
		v, i = s[i+1:i+1+n], i+n+2
		if i >= len(s) || !strings.ContainsRune(",;:", rune(s[i])) {
			return "", 0, fmt.Errorf("%w: text after a closing quote", ErrSyntax)
		}
		return v, i, nil
	}
	n := strings.IndexAny(s[i:], ",;:")
	if n < 0 {
		return "", 0, fmt.Errorf("%w: no colon", ErrSyntax)
	}
	return s[i : i+n], i + n, nil
}

func control(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff
}

func isName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
