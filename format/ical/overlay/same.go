package overlay

import (
	"slices"
	"strings"

	"essaim.coop/essaim/format/ical"
)

// Same reports whether two objects differ in nothing but what is personal in them
// and how programs write: the order and folding of lines, what a program says of
// itself, the text of time zones, when it was written.
func Same(a, b *ical.Object) bool { return form(a.Component, 0) == form(b.Component, 0) }

func written(depth int, name string) bool {
	switch name {
	case "DTSTAMP", "LAST-MODIFIED", "TRANSP":
		return depth == 1
	}
	return depth == 0 || depth == 1 && isMark(name)
}

// form is a component in one form for all orders; the parser bounds the depth.
func form(c *ical.Component, depth int) string {
	var own, inner []string
	for i := range c.Props {
		if p := c.Props[i]; !written(depth, p.Name) {
			p.Params = slices.Clone(p.Params)
			slices.SortStableFunc(p.Params, func(a, b ical.Param) int { return strings.Compare(a.Name, b.Name) })
			own = append(own, p.Line("\n"))
		}
	}
	for _, k := range c.Children {
		if depth == 0 && k.Name == "VTIMEZONE" || depth == 1 && isAlarm(k) {
			continue
		}
		inner = append(inner, form(k, depth+1))
	}
	slices.Sort(own)
	slices.Sort(inner)
	return "BEGIN:" + c.Name + "\n" + strings.Join(own, "") + strings.Join(inner, "") + "END:" + c.Name + "\n"
}
