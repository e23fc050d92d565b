package vcard

import "strings"

// to4 adds a property of version 3.0 to a card of version 4.0.
func to4(out *Card, p Property) {
	if len(p.Param("CHARSET")) > 0 { // RFC 6350 §3.1: always UTF-8
		p.setParam("CHARSET")
	}
	switch strings.ToUpper(p.Name) {
	case "PHOTO", "LOGO", "SOUND", "KEY":
		p = binary4(p)
	case "PROFILE":
		return // RFC 2426 §2.1.2: a constant
	case appleKind:
		p = renamed(p, "KIND")
	case appleMember:
		p = renamed(p, "MEMBER")
	case "X-ABSHOWAS":
		if strings.EqualFold(strings.TrimSpace(p.Value), "COMPANY") {
			p = renamed(p, "KIND")
			p.Value = "org"
		}
	case "X-ANNIVERSARY":
		p = date4(renamed(p, "ANNIVERSARY"))
	case "BDAY":
		p = date4(p)
	case "REV":
		p = timestamp4(p)
	case "GEO":
		p = geo4(p)
	case "TZ":
		p = zone4(p)
	case "AGENT":
		p = renamed(p, "RELATED")
		if len(p.Param("VALUE")) == 0 {
			p.setParam("VALUE", "text")
		}
		p.setParam("TYPE", "agent")
	case "EMAIL":
		if p.HasType("INTERNET") {
			p.setParam("TYPE", p.types("INTERNET")...)
		}
	case "URL", "SOURCE":
		if strings.IndexByte(p.Value, '\\') >= 0 {
			p = edit(p)
			p.Value = clean(p.Text())
		}
	}
	if p.HasType("PREF") { // RFC 6350 §5.3
		p.setParam("TYPE", p.types("PREF")...)
		p.setParam("PREF", "1")
	}
	out.put(p)
}

// date4 writes a date in the basic form (RFC 6350 §4.3.1), and without its year
// when Apple's parameter says that it has none.
func date4(p Property) Property {
	v := strings.TrimSpace(p.Value)
	omit := p.Param("X-APPLE-OMIT-YEAR")
	d, ok := basicDate(v)
	if !ok {
		if len(p.Param("VALUE")) == 0 && v != "" {
			p.setParam("VALUE", "text")
		}
		return p
	}
	p.setParam("VALUE")
	if len(omit) > 0 && len(d) >= 8 && d[:4] == omit[0] {
		p.setParam("X-APPLE-OMIT-YEAR")
		d = "--" + d[4:8]
	}
	p.Value = d
	return p
}

// basicDate takes the separators out of a date or date-time of RFC 2426.
func basicDate(v string) (string, bool) {
	day, clock, timed := strings.Cut(v, "T")
	if strings.HasPrefix(day, "--") { // --MM-DD
		rest := strings.ReplaceAll(day[2:], "-", "")
		return "--" + rest, !timed && len(rest) == 4 && digits(rest)
	}
	day = strings.ReplaceAll(day, "-", "")
	if len(day) != 8 || !digits(day) {
		return v, false
	}
	if !timed {
		return day, true
	}
	clock, ok := basicTime(clock)
	return day + "T" + clock, ok
}

// basicTime: hh:mm:ss, a fraction dropped, then Z or an offset.
func basicTime(v string) (string, bool) {
	zone := ""
	if i := strings.IndexAny(v, "Zz+-"); i >= 0 {
		v, zone = v[:i], strings.ToUpper(strings.ReplaceAll(v[i:], ":", ""))
	}
	v, _, _ = strings.Cut(strings.ReplaceAll(v, ":", ""), ".")
	return v + zone, digits(v) && len(v) == 6 && isZone(zone)
}

// isZone: none, Z, or an offset of hours and perhaps minutes.
func isZone(z string) bool {
	return z == "" || z == "Z" || (len(z) == 3 || len(z) == 5) && z[0] != 'Z' && digits(z[1:])
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func timestamp4(p Property) Property {
	if d, ok := basicDate(strings.TrimSpace(p.Value)); ok && d != p.Value {
		p = edit(p)
		p.Value = d
		p.setParam("VALUE")
	}
	return p
}

func geo4(p Property) Property {
	lat, long, ok := strings.Cut(p.Value, ";")
	if !ok {
		return p
	}
	p = edit(p)
	p.Value = "geo:" + strings.TrimSpace(lat) + "," + strings.TrimSpace(long) // RFC 5870
	return p
}

func zone4(p Property) Property {
	if p.is("VALUE", "text") {
		p.setParam("VALUE") // the default of RFC 6350 §6.5.1
		return p
	}
	v := strings.TrimSpace(p.Value)
	if o := strings.ReplaceAll(v, ":", ""); len(o) == 5 && (o[0] == '+' || o[0] == '-') && digits(o[1:]) {
		p.setParam("VALUE", "utc-offset")
		p.Value = o
	}
	return p
}

// maxLabels is how many labels look for their address; more get one of their own.
const maxLabels = 100

// joinLabels puts each LABEL (RFC 2426 §3.2.2) into the ADR of the same types,
// or into one of its own (RFC 6350 §6.3.1).
func (c *Card) joinLabels() {
	kept := c.Properties[:0:0]
	var labels []Property
	for _, p := range c.Properties {
		if p.Is("LABEL") {
			labels = append(labels, p)
		} else {
			kept = append(kept, p)
		}
	}
	c.Properties = kept
	for i, l := range labels {
		var adr *Property
		if i < maxLabels {
			adr = c.addressFor(l)
		}
		if adr == nil {
			c.put(Property{Group: l.Group, Name: "ADR", Params: l.Params, Value: ";;;;;;"})
			adr = &c.Properties[len(c.Properties)-1]
		}
		adr.setParam("LABEL", l.Text())
	}
}

func (c *Card) addressFor(label Property) *Property {
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.Is("ADR") && len(p.Param("LABEL")) == 0 && strings.EqualFold(p.Group, label.Group) && sameTypes(p, &label) {
			return p
		}
	}
	return nil
}

func sameTypes(a, b *Property) bool {
	ta, tb := a.types(), b.types()
	if len(ta) != len(tb) {
		return false
	}
	for _, t := range ta {
		if !b.HasType(t) {
			return false
		}
	}
	return true
}

// joinSortString makes SORT-STRING (RFC 2426 §3.6.5) a parameter of N, or of FN.
func (c *Card) joinSortString() {
	s := c.First("SORT-STRING")
	if s == nil {
		return
	}
	text := s.Text()
	to := c.First("N")
	if to == nil {
		if to = c.First("FN"); to == nil {
			return
		}
	}
	to.setParam("SORT-AS", text)
	kept := c.Properties[:0:0]
	for _, p := range c.Properties {
		if !p.Is("SORT-STRING") {
			kept = append(kept, p)
		}
	}
	c.Properties = kept
}
