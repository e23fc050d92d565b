package dav

import (
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// A Want says which properties of resources to write. It serves one request.
type Want struct {
	all, names bool
	asked      []davxml.Name // of DAV:prop, or of DAV:include beside allprop
	instead    map[davxml.Name]Property
	minimal    bool // say nothing of what is not there (RFC 8144 §2.1)
	plans      map[*Kind]*plan
}

// maxAsked is how many properties one request can name: every answer names them
// again for every resource.
const maxAsked = 1000

// ParseWant reads the DAV:prop, DAV:allprop or DAV:propname in the body of a
// PROPFIND or a report (RFC 4918 §14.20). No body is DAV:allprop; a body that
// has none of them, or more than one, is a 400.
func ParseWant(body *davxml.Element) (*Want, error) {
	w := &Want{}
	if body == nil {
		w.all = true
		return w, nil
	}
	choices := 0
	for _, c := range body.Children() {
		switch c.Name {
		case davxml.DAV("prop"):
			choices++
			w.ask(c)
		case davxml.DAV("allprop"):
			choices++
			w.all = true
		case davxml.DAV("propname"):
			choices++
			w.names = true
		case davxml.DAV("include"):
			w.ask(c)
		}
	}
	switch {
	case choices != 1:
		return nil, Status(http.StatusBadRequest)
	case len(w.asked) > maxAsked:
		return nil, Status(http.StatusRequestEntityTooLarge)
	}
	return w, nil
}

// WantNames asks for the properties named.
func WantNames(names ...davxml.Name) *Want { return &Want{asked: names} }

func (w *Want) ask(prop *davxml.Element) {
	seen := make(map[davxml.Name]bool, len(prop.Nodes))
	for _, c := range prop.Children() {
		if !seen[c.Name] {
			seen[c.Name] = true
			w.asked = append(w.asked, c.Name)
		}
	}
}

// Asks reports whether the property was asked for by name.
func (w *Want) Asks(n davxml.Name) bool {
	for _, a := range w.asked {
		if a == n {
			return true
		}
	}
	return false
}

// Instead has this request read a property in another way than its Kind does:
// for one whose request says which part of it is wanted.
func (w *Want) Instead(p Property) {
	if w.instead == nil {
		w.instead = map[davxml.Name]Property{}
	}
	w.instead[p.Name] = p
}

// spaces are the namespaces worth declaring at the root of the answer.
func (w *Want) spaces() (out []string) {
	for _, n := range w.asked {
		out = append(out, n.Space)
	}
	return out
}

// A plan is a Want compiled for one Kind.
type plan struct {
	items []planned
	dead  bool // all the held ones, too
}

// A planned property has its tags made.
type planned struct {
	name               davxml.Name
	key                string    // that it is held under, if it is
	prop               *Property // nil: not of the registry
	needs              Privileges
	open, close, empty string
}

func (w *Want) plan(k *Kind, tags *davxml.Writer) *plan {
	if p := w.plans[k]; p != nil {
		return p
	}
	p := &plan{dead: w.all || w.names, items: make([]planned, 0, len(w.asked))}
	has := map[davxml.Name]bool{}
	add := func(n davxml.Name, prop *Property) {
		if has[n] {
			return
		}
		has[n] = true
		if in, ok := w.instead[n]; ok {
			prop = &in
		}
		p.items = append(p.items, newPlanned(n, prop, tags))
	}
	if w.all || w.names {
		k.each(func(prop *Property) {
			if w.names || prop.All {
				add(prop.Name, prop)
			}
		})
	}
	for _, n := range w.asked {
		add(n, k.property(n))
	}
	if w.plans == nil {
		w.plans = map[*Kind]*plan{}
	}
	w.plans[k] = p
	return p
}

// newPlanned makes the tags of a property in the namespaces tags has declared.
func newPlanned(n davxml.Name, prop *Property, tags *davxml.Writer) planned {
	p := planned{name: n, prop: prop, needs: PrivRead}
	if prop == nil || prop.Get == nil {
		p.key = n.String()
	}
	if prop != nil && prop.Needs != 0 {
		p.needs = prop.Needs
	}
	at := tags.Len()
	tags.Open(n)
	open := tags.Len() - at
	tags.Close(n)
	closed := tags.Len() - at
	tags.Empty(n)
	all := string(tags.Bytes()[at:])
	tags.Truncate(at)
	p.open, p.close, p.empty = all[:open], all[open:closed], all[closed:]
	return p
}

// property returns what the registry knows of a name: the kind's own, or else
// the engine's.
func (k *Kind) property(n davxml.Name) *Property {
	if p := k.props[n]; p != nil {
		return p
	}
	return live.props[n]
}

// each calls fn with every property of the registry.
func (k *Kind) each(fn func(*Property)) {
	for _, p := range live.order {
		if k.props[p.Name] == nil {
			fn(p)
		}
	}
	for _, p := range k.order {
		fn(p)
	}
}

// heldBy returns the value of a held property, nil when there is none: the
// property's element as it was set, XML that stands on its own.
func (s *Scope) heldBy(r Resource, personal bool, name string) []byte {
	o, ok := s.holding(r)
	if !ok {
		return nil
	}
	var owner storage.AccountID
	if personal {
		owner = s.User
	}
	return s.Tx.Property(o, owner, name)
}

// holding is object, but not for one of a collection in which nothing has
// properties: mostly so, and in a long listing asked once.
func (s *Scope) holding(r Resource) (storage.Object, bool) {
	o, ok := s.object(r)
	if !ok || o.Collection == 0 || s.Answer != nil { // in an Update, properties may come
		return o, ok
	}
	if s.held.collection != o.Collection {
		s.held = held{o.Collection, s.Tx.HasProperties(o.Collection)}
	}
	return o, s.held.any
}

// held is whether a collection has properties, as a View has found.
type held struct {
	collection storage.CollectionID
	any        bool
}
