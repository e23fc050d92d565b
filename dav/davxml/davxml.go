// Package davxml reads and writes the XML of WebDAV.
//
// What it promises: Parse reads a document of bounded bytes, depth and nodes,
// strictly and with namespaces (XML 1.0, Namespaces in XML 1.0), and refuses
// document types, entities other than the five predefined ones, processing
// instructions and any encoding but UTF-8, so that nothing is ever expanded or
// fetched; its memory is bounded by the limits whatever it is given. A Writer
// makes well-formed XML of anything: what XML cannot carry is replaced by
// U+FFFD, and text is escaped, never put into CDATA sections.
package davxml

import "strings"

// A Name is an expanded name.
type Name struct{ Space, Local string }

func (n Name) String() string { return "{" + n.Space + "}" + n.Local }

// The namespaces that have a fixed prefix in what a Writer writes.
const (
	NS               = "DAV:"
	NSCalDAV         = "urn:ietf:params:xml:ns:caldav"
	NSCardDAV        = "urn:ietf:params:xml:ns:carddav"
	NSCalendarServer = "http://calendarserver.org/ns/"
	NSApple          = "http://apple.com/ns/ical/"
	NSOwnCloud       = "http://owncloud.org/ns"
	NSNextcloud      = "http://nextcloud.org/ns"
	NSMicrosoft      = "urn:schemas-microsoft-com:"
	NSPush           = "https://bitfire.at/webdav-push"
	NSXML            = "http://www.w3.org/XML/1998/namespace"
)

// DAV and the others make names in those namespaces.
func DAV(local string) Name            { return Name{NS, local} }
func CalDAV(local string) Name         { return Name{NSCalDAV, local} }
func CardDAV(local string) Name        { return Name{NSCardDAV, local} }
func CalendarServer(local string) Name { return Name{NSCalendarServer, local} }
func Apple(local string) Name          { return Name{NSApple, local} }

// known are the namespaces with a prefix; the index is a bit in Writer.declared.
// "D" must be the prefix of DAV: for the sake of old Windows clients.
var known = [...]struct{ space, prefix string }{
	{NS, "D"}, {NSCalDAV, "C"}, {NSCardDAV, "CR"}, {NSCalendarServer, "CS"}, {NSApple, "A"},
	{NSOwnCloud, "oc"}, {NSNextcloud, "nc"}, {NSMicrosoft, "Z"}, {NSPush, "P"},
}

// knownIndex returns the place of a namespace in known, -1 for others.
func knownIndex(space string) int {
	for i := range known {
		if known[i].space == space {
			return i
		}
	}
	return -1
}

// An Attr is an attribute; namespace declarations are not attributes.
type Attr struct {
	Name  Name
	Value string
}

// An Element is an element with everything in it.
type Element struct {
	Name  Name
	Attrs []Attr
	Nodes []Node
}

// A Node is a child element, or text when Element is nil.
type Node struct {
	*Element
	Chars string
}

// Text returns the element's own character data, not that of its children.
// A nil Element has none.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	if len(e.Nodes) == 1 {
		return e.Nodes[0].Chars
	}
	var s strings.Builder
	for _, n := range e.Nodes {
		s.WriteString(n.Chars)
	}
	return s.String()
}

// Child returns the first child element of a name, or nil.
func (e *Element) Child(n Name) *Element {
	if e != nil {
		for _, c := range e.Nodes {
			if c.Element != nil && c.Name == n {
				return c.Element
			}
		}
	}
	return nil
}

// Children returns the child elements in order.
func (e *Element) Children() []*Element {
	if e == nil {
		return nil
	}
	out := make([]*Element, 0, len(e.Nodes))
	for _, c := range e.Nodes {
		if c.Element != nil {
			out = append(out, c.Element)
		}
	}
	return out
}

// Attr returns the value of an attribute without namespace, "" when absent.
func (e *Element) Attr(local string) string {
	if e != nil {
		for _, a := range e.Attrs {
			if a.Name.Space == "" && a.Name.Local == local {
				return a.Value
			}
		}
	}
	return ""
}
