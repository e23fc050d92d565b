package vcard

import (
	"fmt"
	"strings"
)

// The names Apple's address books give to groups in 3.0.
const (
	appleKind   = "X-ADDRESSBOOKSERVER-KIND"
	appleMember = "X-ADDRESSBOOKSERVER-MEMBER"
)

// Convert returns the card in version 3.0 or 4.0; the card itself when it is
// that already. The card is not changed, and what neither needs is copied as it
// stands. What differs is carried so that it survives the way back:
//
//	3.0                                   4.0
//	PHOTO;ENCODING=b;TYPE=JPEG:…          PHOTO:data:image/jpeg;base64,…   (LOGO, SOUND, KEY)
//	PHOTO;VALUE=uri;TYPE=JPEG:http…       PHOTO;MEDIATYPE=image/jpeg:http…
//	TYPE=PREF                             PREF=1 (the least PREF on the way back)
//	EMAIL;TYPE=INTERNET                   EMAIL
//	X-ADDRESSBOOKSERVER-KIND, -MEMBER     KIND:group, MEMBER
//	X-ABSHOWAS:COMPANY                    KIND:org
//	X-ANNIVERSARY                         ANNIVERSARY
//	BDAY:1996-04-15                       BDAY:19960415
//	BDAY;X-APPLE-OMIT-YEAR=1604:1604-…    BDAY:--0415
//	REV:1995-10-31T22:27:10Z              REV:19951031T222710Z
//	GEO:37.38;-122.08                     GEO:geo:37.38,-122.08
//	TZ:-05:00                             TZ;VALUE=utc-offset:-0500
//	LABEL;TYPE=HOME:…                     ADR;LABEL="…";TYPE=HOME:…
//	SORT-STRING:…                         N;SORT-AS="…"
//	AGENT;VALUE=uri:…                     RELATED;VALUE=uri;TYPE=agent:…
//
// A missing FN or N is made from the other, from ORG or from EMAIL.
func (c *Card) Convert(to Version) (*Card, error) {
	switch {
	case to == c.Version:
		return c, nil
	case to != V3 && to != V4:
		return nil, fmt.Errorf("%w: %.20q", ErrVersion, to)
	case c.Version == V21:
		v3 := c.from21()
		return v3.Convert(to)
	}
	out := &Card{Version: to, Properties: make([]Property, 0, len(c.Properties)+2)}
	step := to4
	if to == V3 {
		step = to3
	}
	for _, p := range c.Properties {
		step(out, p)
	}
	if to == V4 {
		out.joinLabels()
		out.joinSortString()
	} else {
		out.splitAddresses()
		out.keepOnePref()
	}
	out.complete()
	return out, nil
}

// complete adds the names that a version requires (RFC 2426 §3.1.1 and §3.1.2,
// RFC 6350 §6.2.1).
func (c *Card) complete() {
	name := ""
	if c.First("FN") == nil {
		name = c.displayName()
		c.Add("FN", name)
	}
	if c.Version == V3 && c.First("N") == nil {
		c.AddFields("N", c.Text("FN"), "", "", "", "")
	}
}

// displayName makes a name to show from whatever there is.
func (c *Card) displayName() string {
	if n := c.First("N"); n != nil {
		var parts []string
		for _, i := range []int{3, 1, 2, 0, 4} { // RFC 6350 §6.2.2: family, given, additional, prefixes, suffixes
			if f := strings.TrimSpace(n.Field(i)); f != "" {
				parts = append(parts, f)
			}
		}
		if len(parts) > 0 {
			return strings.Join(parts, " ")
		}
	}
	if o := c.First("ORG"); o != nil && o.Field(0) != "" {
		return o.Field(0)
	}
	for _, name := range []string{"EMAIL", "TEL", "NICKNAME", "UID"} {
		if t := c.Text(name); t != "" {
			return t
		}
	}
	return "?"
}

// edit marks a copy of a property to be written anew.
func edit(p Property) Property {
	p.raw = nil
	return p
}

// renamed is the property under another name.
func renamed(p Property, name string) Property {
	p.Name = name
	return edit(p)
}

func (c *Card) put(p Property) { c.Properties = append(c.Properties, p) }

// types returns the TYPE values in single words, without those of drop.
func (p *Property) types(drop ...string) (out []string) {
	for _, v := range p.Param("TYPE") {
	words:
		for x := range strings.SplitSeq(v, ",") {
			x = strings.TrimSpace(x)
			for _, d := range drop {
				if strings.EqualFold(x, d) {
					continue words
				}
			}
			if x != "" {
				out = append(out, x)
			}
			if len(out) == MaxParams {
				return out
			}
		}
	}
	return out
}

// is reports whether a parameter has a value, in any case.
func (p *Property) is(param, value string) bool {
	for _, v := range p.Param(param) {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}
