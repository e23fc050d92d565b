package dav

import (
	"net/http"
	"strings"

	"essaim.coop/essaim/storage/locks"
)

// A carrying is one COPY or MOVE.
type carrying struct {
	*Exchange
	c         *conditions
	to        location
	overwrite bool
	move      bool
	depth     int
	derr      error // what is wrong with the depth, were the source a collection
}

// carry answers COPY and MOVE (RFC 4918 §9.8, 9.9): all of it or nothing.
func carry(x *Exchange) (err error) {
	k := &carrying{Exchange: x, move: x.Request.Method == "MOVE"}
	allowed := []int{infinity, 0}
	if k.move {
		allowed = allowed[:1] // RFC 4918 §9.9.2; of a file Depth says nothing
	}
	k.depth, k.derr = x.depth(infinity, allowed...)
	if k.to, err = x.destination(); err != nil {
		return err
	}
	if k.overwrite, err = x.overwrite(); err != nil {
		return err
	}
	if k.c, err = x.conditions(); err != nil {
		return err
	}
	prepared, discard, err := k.prepare()
	if err != nil {
		return err
	}
	created := false
	err = x.Update(func(s *Scope) error {
		from, dest, err := k.find(s)
		if err != nil {
			return err
		}
		created = dest.r == nil
		return k.carry(s, from, dest, prepared)
	})
	if err != nil {
		discard()
		return err
	}
	x.made(created)
	return nil
}

// prepare has a Preparer do what is too much for one transaction.
func (k *carrying) prepare() (prepared any, discard func(), err error) {
	var p Preparer
	var c Carriage
	err = k.View(func(s *Scope) error {
		from, dest, err := k.find(s)
		if err == nil {
			p, _ = dest.parent.(Preparer)
			c = k.carriage(from, dest)
		}
		return err
	})
	discard = func() {}
	if err == nil && p != nil {
		if c.Source.Kind().Collection {
			done, err := k.turn()
			if err != nil {
				return nil, discard, err
			}
			defer done()
		}
		prepared, discard, err = p.Prepare(k.Exchange, c, k.move)
	}
	return prepared, discard, err
}

// find finds what to carry and where to, and looks at everything that can
// forbid it.
func (k *carrying) find(s *Scope) (from, dest target, err error) {
	from, err = s.place(k.at)
	if err != nil || from.r == nil || k.at.slash && !from.r.Kind().Collection {
		return from, dest, missing(err)
	}
	if k.derr != nil && from.r.Kind().Collection {
		return from, dest, k.derr
	}
	if dest, err = k.destinationIn(s, from); err != nil {
		return from, dest, err
	}
	if err = s.require(from.r, k.at.raw, PrivRead); err == nil && k.move {
		err = s.mayLeave(k.at, from.parent)
	}
	if err == nil {
		err = k.c.check(s, from.r, from.path)
	}
	if err == nil && k.move {
		err = k.c.freeTree(s, from)
	}
	return from, dest, err
}

// destination reads the Destination header (RFC 4918 §10.3).
func (x *Exchange) destination() (location, error) {
	v := strings.TrimSpace(x.Request.Header.Get("Destination"))
	if v == "" {
		return location{}, Status(http.StatusBadRequest)
	}
	return parseRef(v, x.engine.ours(x.Request))
}

// overwrite reads the Overwrite header (RFC 4918 §10.6); none is T.
func (x *Exchange) overwrite() (bool, error) {
	switch strings.ToUpper(strings.TrimSpace(x.Request.Header.Get("Overwrite"))) {
	case "", "T":
		return true, nil
	case "F":
		return false, nil
	}
	return false, Status(http.StatusBadRequest)
}

// destinationIn finds where to carry to and looks at what forbids it there.
func (k *carrying) destinationIn(s *Scope, from target) (t target, err error) {
	fromMount, _ := k.engine.mountOf(from.segments)
	if m, _ := k.engine.mountOf(k.to.segments); m != fromMount {
		return t, Status(http.StatusForbidden)
	}
	if t, err = s.place(k.to); err != nil {
		return t, err
	}
	switch {
	case t.path == from.path,
		strings.HasPrefix(t.path, from.path+"/"), strings.HasPrefix(from.path, t.path+"/"):
		return t, Status(http.StatusForbidden) // onto itself, into itself, over what holds it
	case t.r != nil && !k.overwrite:
		return t, Status(http.StatusPreconditionFailed)
	case k.to.slash && !from.r.Kind().Collection && (t.r == nil || !t.r.Kind().Collection):
		return t, Status(http.StatusConflict)
	}
	if _, ok := t.parent.(Carrier); !ok {
		return t, Status(http.StatusForbidden)
	}
	need := PrivBind
	if t.r != nil {
		need |= PrivUnbind // the one there is deleted first, RFC 4918 §9.8.4
		if !t.r.Kind().Collection && !from.r.Kind().Collection {
			need = 0
			if err := s.require(t.r, k.to.raw, PrivWriteContent); err != nil {
				return t, err
			}
		}
	}
	if err := s.require(t.parent, k.to.parentHref(), need); err != nil {
		return t, err
	}
	return t, k.c.freeTree(s, t)
}

func (k *carrying) carriage(from, dest target) Carriage {
	return Carriage{Source: from.r, From: from.parent, FromName: from.name, Name: dest.name, Old: dest.r, Shallow: k.depth == 0 && !k.move}
}

// carry does it. Locks stay with their URLs: the source's end with it, one on
// the destination remains (RFC 4918 §7.6, 9.9.1).
func (k *carrying) carry(s *Scope, from, dest target, prepared any) error {
	if k.move {
		locks.RemoveTree(s.Tx, from.path)
	}
	if dest.r != nil {
		var below []locks.Lock
		locks.Below(s.Tx, dest.path, s.Now, func(l locks.Lock) bool { below = append(below, l); return true })
		for _, l := range below {
			locks.Remove(s.Tx, l)
		}
	}
	c := k.carriage(from, dest)
	c.Prepared = prepared
	if k.move {
		_, err := dest.parent.(Carrier).Move(s, c)
		return err
	}
	_, err := dest.parent.(Carrier).Copy(s, c)
	return err
}
