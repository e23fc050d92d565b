package dav

import (
	"errors"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// proppatch answers PROPPATCH (RFC 4918 §9.2): all instructions or none, in
// their order.
func proppatch(x *Exchange) error {
	body, err := x.document(davxml.DAV("propertyupdate"))
	if err != nil {
		return err
	}
	todo, err := instructions(body)
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	p := &patch{x: x}
	collection := false
	err = x.Update(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		collection = r.Kind().Collection
		path := lockPath(x.at, r, nil)
		if err := s.require(r, x.at.raw, todo.needs(r.Kind())); err != nil {
			return err
		}
		if err := c.check(s, r, path); err != nil {
			return err
		}
		if err := c.free(s, path); err != nil {
			return err
		}
		return p.apply(s, r, todo)
	})
	if err != nil && !errors.Is(err, errPatch) {
		return err
	}
	if err == nil && x.prefers(preferMinimal) { // RFC 8144 §2.2
		x.applied(preferMinimal)
		x.Answer.Header().Set("Content-Length", "0")
		x.Answer.WriteHeader(http.StatusOK)
		return nil
	}
	return p.multistatus(x.at.href(collection))
}

// An instruction sets a property, or removes it.
type instruction struct {
	prop   *davxml.Element
	remove bool
}

type update []instruction

func instructions(body *davxml.Element) (todo update, err error) {
	for _, c := range body.Children() {
		remove := c.Name == davxml.DAV("remove")
		if !remove && c.Name != davxml.DAV("set") {
			continue // RFC 4918 §17: what is not known is passed over
		}
		for _, p := range c.Child(davxml.DAV("prop")).Children() {
			inherit(p, "lang", c.Child(davxml.DAV("prop")), c, body)
			todo = append(todo, instruction{p, remove})
		}
	}
	if len(todo) == 0 {
		return nil, Status(http.StatusBadRequest)
	}
	return todo, nil
}

// inherit gives a property the xml: attribute that is in scope (RFC 4918 §4.3).
func inherit(p *davxml.Element, local string, from ...*davxml.Element) {
	name := davxml.Name{Space: davxml.NSXML, Local: local}
	for _, e := range append([]*davxml.Element{p}, from...) {
		for _, a := range e.Attrs {
			if a.Name == name {
				if e != p {
					p.Attrs = append(p.Attrs, a)
				}
				return
			}
		}
	}
}

// needs returns the privileges for an update: what is everyone's own to say
// takes none beyond reading.
func (u update) needs(k *Kind) Privileges {
	need := PrivRead
	for _, in := range u {
		if p := k.property(in.prop.Name); p == nil || !p.Personal {
			need |= PrivWriteProperties
		}
	}
	return need
}

// A patch gathers what became of each property.
type patch struct {
	x       *Exchange
	initial bool // the resource is being made
	failed  bool
	results []patched
}

type patched struct {
	name davxml.Name
	err  *StatusError // nil: done
}

// errPatch undoes the transaction of a patch of which something failed.
var errPatch = errors.New("dav: a property could not be set")

func (p *patch) apply(s *Scope, r Resource, todo update) error {
	p.results, p.failed = nil, false // a transaction may be run again
	for _, in := range todo {
		err := p.one(s, r, in)
		if err == nil {
			p.results = append(p.results, patched{in.prop.Name, nil})
			continue
		}
		e := statusOf(err)
		if e == nil {
			return err
		}
		p.note(in.prop.Name, e)
	}
	if p.failed {
		return errPatch
	}
	return nil
}

func (p *patch) note(n davxml.Name, e *StatusError) {
	p.failed = true
	p.results = append(p.results, patched{n, e})
}

func (p *patch) one(s *Scope, r Resource, in instruction) error {
	value := in.prop
	if in.remove {
		value = nil
	}
	prop := r.Kind().property(in.prop.Name)
	switch {
	case prop == nil:
		return s.hold(r, false, in.prop.Name, value)
	case prop.protected() || prop.Initial && !p.initial:
		return Forbidden(davxml.DAV("cannot-modify-protected-property"))
	case prop.Set != nil:
		return prop.Set(s, r, value)
	}
	if value != nil && prop.Check != nil {
		if err := prop.Check(value); err != nil {
			return err
		}
	}
	return s.hold(r, prop.Personal, in.prop.Name, value)
}

// multistatus answers with what became of each.
func (p *patch) multistatus(href string) error {
	var w davxml.Writer
	w.Root(davxml.DAV("multistatus"))
	w.Open(davxml.DAV("response"))
	w.Href(href)
	p.propstats(&w)
	w.Close(davxml.DAV("response"))
	w.Close(davxml.DAV("multistatus"))
	p.x.xml(http.StatusMultiStatus, &w)
	return nil
}

// answer is what MKCOL and MKCALENDAR say of properties that could not be set.
func (p *patch) answer(root davxml.Name) error {
	var w davxml.Writer
	w.Root(root, davxml.NS)
	p.propstats(&w)
	w.Close(root)
	p.x.xml(http.StatusForbidden, &w)
	return nil
}

// propstats writes one for those that went well, or would have, and one for each
// that did not.
func (p *patch) propstats(w *davxml.Writer) {
	status := http.StatusOK
	if p.failed {
		status = http.StatusFailedDependency
	}
	var well []*planned
	for _, res := range p.results {
		if res.err == nil {
			pl := newPlanned(res.name, nil, w)
			well = append(well, &pl)
		}
	}
	writeNames(w, well, status)
	for _, res := range p.results {
		if res.err == nil {
			continue
		}
		w.Raw("<D:propstat><D:prop>")
		w.Empty(res.name)
		w.Raw("</D:prop>")
		writeStatus(w, res.err.Status)
		writeError(w, res.err)
		w.Raw("</D:propstat>")
	}
}

// notHeld is why a resource that keeps no properties refuses one.
var notHeld = &StatusError{Status: http.StatusForbidden, Err: storage.ErrPermission}
