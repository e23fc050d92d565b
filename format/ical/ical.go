// Package ical reads iCalendar (RFC 5545) and edits it line by line.
//
// What it promises: Parse makes a tree of components and properties that
// remembers where in the source each of them stands. The source is never
// rewritten: a Patch replaces, removes and adds whole content lines and leaves
// every other byte as the client wrote it. Time and memory are linear in the
// input and bounded by Limits; nothing panics and nothing recurses on foreign
// input. There is no I/O.
//
// What is accepted beyond the letter: a byte order mark, LF alone, blank lines,
// folds in the middle of a character, quotes inside bare parameter values,
// names with an underscore. What is refused, with the line and the reason: text
// that is not UTF-8, control characters (XML cannot carry them), lines without a
// colon, components that do not nest, and what is over a limit.
//
// Subpackages: recur expands recurrences, zone finds time zones, filter and view
// are CalDAV's queries and partial answers, freebusy computes busy time, itip
// makes and applies scheduling messages, overlay keeps apart what is of one person.
//
// RFCs: 5545 (§3.1 lines, §3.3 values), 6868 (parameter encoding), 7986 and 9074
// (their properties need no special reading), 4791 §4.1 (Object).
package ical

import (
	"errors"
	"fmt"
	"strings"
)

// ContentType is the media type of iCalendar text (RFC 5545 §8.1).
const ContentType = "text/calendar"

// Limits bound what Parse takes.
type Limits struct {
	Bytes      int // of the whole text
	Depth      int // of nested components
	Lines      int // content lines
	Components int
	Params     int // parameters and their values on one line
}

// DefaultLimits fit a single calendar object.
var DefaultLimits = Limits{Bytes: 1 << 20, Depth: 8, Lines: 50_000, Components: 5_000, Params: 200}

// ErrSyntax is what every error of Parse and of the values is.
var ErrSyntax = errors.New("not iCalendar")

// ErrLimit is text that is over a limit; it is an ErrSyntax too.
var ErrLimit = fmt.Errorf("%w: too large", ErrSyntax)

// A Param is a parameter of a property; values are decoded (RFC 6868).
type Param struct {
	Name   string // in upper case
	Values []string
}

// A Prop is one content line.
type Prop struct {
	Name   string // in upper case
	Params []Param
	Value  string // unfolded, otherwise as written; see Text

	start, end int // in the source, folds and line end included
}

// Param returns the first value of a parameter, "" when it is not there.
func (p *Prop) Param(name string) string {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return p.Params[i].Values[0]
		}
	}
	return ""
}

// HasParam reports whether a parameter is there.
func (p *Prop) HasParam(name string) bool {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return true
		}
	}
	return false
}

// Text returns the value as TEXT, unescaped (RFC 5545 §3.3.11).
func (p *Prop) Text() string { return UnescapeText(p.Value) }

// A Component is what stands between BEGIN and END.
type Component struct {
	Name     string // in upper case
	Props    []Prop
	Children []*Component

	// In the source: the BEGIN line, where the first child or END begins, the
	// END line, and behind it.
	start, body, tail, end int
}

// Prop returns the first property of that name, nil when there is none.
func (c *Component) Prop(name string) *Prop {
	for i := range c.Props {
		if c.Props[i].Name == name {
			return &c.Props[i]
		}
	}
	return nil
}

// All returns every property of that name, in order.
func (c *Component) All(name string) (out []*Prop) {
	for i := range c.Props {
		if c.Props[i].Name == name {
			out = append(out, &c.Props[i])
		}
	}
	return out
}

// Value returns the raw value of the first property of that name, or "".
func (c *Component) Value(name string) string {
	if p := c.Prop(name); p != nil {
		return p.Value
	}
	return ""
}

// Text returns the unescaped value of the first property of that name, or "".
func (c *Component) Text(name string) string { return UnescapeText(c.Value(name)) }

// Named returns the children of that name, in order.
func (c *Component) Named(name string) (out []*Component) {
	for _, k := range c.Children {
		if k.Name == name {
			out = append(out, k)
		}
	}
	return out
}

// A Calendar is one VCALENDAR with its source.
type Calendar struct {
	*Component
	src string
	eol string // the source's line end
}

// Source returns the text as it was given.
func (c *Calendar) Source() string { return c.src }

// Lines returns the content line of a property as it stands in the source, with
// its folds and line end.
func (c *Calendar) Lines(p *Prop) string { return c.src[p.start:p.end] }

// Slice returns a component as it stands in the source.
func (c *Calendar) Slice(k *Component) string { return c.src[k.start:k.end] }

// Head returns a component's BEGIN line, Tail its END line.
func (c *Calendar) Head(k *Component) string {
	if len(k.Props) > 0 {
		return c.src[k.start:k.Props[0].start]
	}
	return c.src[k.start:k.body]
}

// Tail returns the END line.
func (c *Calendar) Tail(k *Component) string { return c.src[k.tail:k.end] }

// EOL returns the line end that the source uses.
func (c *Calendar) EOL() string { return c.eol }

// Method returns the METHOD in upper case, "" for stored data.
func (c *Calendar) Method() string { return strings.ToUpper(c.Value("METHOD")) }
