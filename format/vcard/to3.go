package vcard

import (
	"net/url"
	"strconv"
	"strings"
)

// to3 adds a property of version 4.0 to a card of version 3.0.
func to3(out *Card, p Property) {
	switch strings.ToUpper(p.Name) {
	case "PHOTO", "LOGO", "SOUND", "KEY":
		p = binary3(p)
	case "KIND":
		switch strings.ToLower(strings.TrimSpace(p.Value)) {
		case "individual":
			return // the default
		case "group":
			p = renamed(p, appleKind)
		case "org":
			p = renamed(p, "X-ABSHOWAS")
			p.Value = "COMPANY"
		}
	case "MEMBER":
		p = renamed(p, appleMember)
	case "ANNIVERSARY":
		p = date3(renamed(p, "X-ANNIVERSARY"))
	case "BDAY":
		p = date3(p)
	case "REV":
		p = timestamp3(p)
	case "GEO":
		if lat, long, ok := strings.Cut(strings.TrimPrefix(p.Value, "geo:"), ","); ok {
			p = edit(p)
			long, _, _ = strings.Cut(long, ";") // parameters of the URI
			long, _, _ = strings.Cut(long, ",") // altitude
			p.Value = lat + ";" + long
		}
	case "TZ":
		p = zone3(p)
	case "RELATED":
		if p.HasType("agent") {
			p = renamed(p, "AGENT")
			p.setParam("TYPE")
			if p.is("VALUE", "text") {
				p.setParam("VALUE")
			}
		}
	case "TEL":
		p = phone3(p)
	case "EMAIL":
		if !p.HasType("X400") && !p.HasType("INTERNET") {
			p.setParam("TYPE", append([]string{"INTERNET"}, p.types()...)...)
		}
	case "N", "FN":
		if as := p.Param("SORT-AS"); len(as) > 0 {
			if !out.sorted {
				out.Add("SORT-STRING", strings.Join(as, ","))
				out.sorted = true
			}
			p.setParam("SORT-AS")
		}
	}
	out.put(p)
}

// phone3: 3.0 has no URIs in TEL (RFC 2426 §3.3.1).
func phone3(p Property) Property {
	if !p.is("VALUE", "uri") {
		return p
	}
	p.setParam("VALUE")
	v := p.Value
	if len(v) > 4 && strings.EqualFold(v[:4], "tel:") {
		v = v[4:]
	}
	if u, err := url.PathUnescape(v); err == nil {
		v = u
	}
	p.Value = clean(Escape(v))
	return p
}

// date3 writes a date in the form that every 3.0 client reads; one without a
// year in Apple's way.
func date3(p Property) Property {
	v := strings.TrimSpace(p.Value)
	switch {
	case p.is("VALUE", "text"):
		return p
	case strings.HasPrefix(v, "--") && !strings.HasPrefix(v, "---"):
		md := strings.ReplaceAll(v[2:], "-", "")
		if len(md) != 4 || !digits(md) {
			return p
		}
		p.setParam("X-APPLE-OMIT-YEAR", "1604") // a leap year
		p.Value = "1604-" + md[:2] + "-" + md[2:]
		return p
	}
	if d, ok := extendedDate(v); ok && d != v {
		p = edit(p)
		p.Value = d
	}
	return p
}

func extendedDate(v string) (string, bool) {
	day, clock, timed := strings.Cut(v, "T")
	day = strings.ReplaceAll(day, "-", "")
	if len(day) != 8 || !digits(day) {
		return v, false
	}
	d := day[:4] + "-" + day[4:6] + "-" + day[6:]
	if !timed {
		return d, true
	}
	clock, ok := basicTime(clock)
	if !ok {
		return v, false
	}
	d += "T" + clock[:2] + ":" + clock[2:4] + ":" + clock[4:6]
	if z := clock[6:]; len(z) == 5 {
		return d + z[:3] + ":" + z[3:], true
	}
	return d + clock[6:], true
}

func timestamp3(p Property) Property {
	if d, ok := extendedDate(strings.TrimSpace(p.Value)); ok && d != p.Value {
		p = edit(p)
		p.Value = d
	}
	return p
}

func zone3(p Property) Property {
	v := strings.TrimSpace(p.Value)
	switch {
	case p.is("VALUE", "utc-offset"):
		p.setParam("VALUE")
		if len(v) == 5 {
			p.Value = v[:3] + ":" + v[3:]
		}
	case len(p.Param("VALUE")) == 0:
		p.setParam("VALUE", "text")
	}
	return p
}

// splitAddresses takes LABEL out of ADR. An address that was there only to hold
// it goes.
func (c *Card) splitAddresses() {
	var out []Property
	for _, p := range c.Properties {
		label := p.Param("LABEL")
		if !p.Is("ADR") || len(label) == 0 {
			out = append(out, p)
			continue
		}
		p.setParam("LABEL")
		if strings.Trim(p.Value, ";") != "" {
			out = append(out, p)
		}
		out = append(out, Property{Group: p.Group, Name: "LABEL", Params: p.Params, Value: Escape(strings.Join(label, ","))})
	}
	c.Properties = out
}

// keepOnePref turns the least PREF of each kind of property into TYPE=pref.
func (c *Card) keepOnePref() {
	best, least := map[string]int{}, map[string]int{}
	for i := range c.Properties {
		p := &c.Properties[i]
		if n, ok := p.pref(); ok {
			name := strings.ToUpper(p.Name)
			if l, seen := least[name]; !seen || n < l {
				best[name], least[name] = i, n
			}
		}
	}
	for i := range c.Properties {
		p := &c.Properties[i]
		if len(p.Param("PREF")) == 0 {
			continue
		}
		p.setParam("PREF")
		if b, ok := best[strings.ToUpper(p.Name)]; ok && b == i {
			p.setParam("TYPE", append(p.types(), "pref")...)
		}
	}
}

// pref is a number from 1, the most wanted, to 100 (RFC 6350 §5.3).
func (p *Property) pref() (int, bool) {
	v := p.Param("PREF")
	if len(v) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(v[0])
	return n, err == nil && n >= 1 && n <= 100
}
