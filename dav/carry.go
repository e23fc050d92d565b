package dav

import (
	"net/http"
	"strings"

	"essaim.coop/essaim/storage/locks"
)

// carry answers COPY and MOVE (RFC 4918 §9.8, 9.9): all of it or nothing.
func carry(x *Exchange) error {
	move := x.Request.Method == "MOVE"
	allowed := []int{infinity, 0}
	if move {
		allowed = allowed[:1] // RFC 4918 §9.9.2; of a file Depth says nothing
	}
	depth, derr := x.depth(infinity, allowed...)
	to, err := x.destination()
	if err != nil {
		return err
	}
	overwrite, err := x.overwrite()
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	created := false
	err = x.Update(func(s *Scope) error {
		from, err := s.place(x.at)
		if err != nil || from.r == nil || x.at.slash && !from.r.Kind().Collection {
			return missing(err)
		}
		if derr != nil && from.r.Kind().Collection {
			return derr
		}
		dest, err := x.destinationIn(s, c, from, to, overwrite)
		if err != nil {
			return err
		}
		created = dest.r == nil
		return x.carry(s, c, from, dest, move, depth == 0)
	})
	if err == nil {
		x.made(created)
	}
	return err
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
func (x *Exchange) destinationIn(s *Scope, c *conditions, from target, to location, overwrite bool) (t target, err error) {
	fromMount, _ := x.engine.mountOf(from.segments)
	if m, _ := x.engine.mountOf(to.segments); m != fromMount {
		return t, Status(http.StatusForbidden)
	}
	if t, err = s.place(to); err != nil {
		return t, err
	}
	switch {
	case t.path == from.path,
		strings.HasPrefix(t.path, from.path+"/"), strings.HasPrefix(from.path, t.path+"/"):
		return t, Status(http.StatusForbidden) // onto itself, into itself, over what holds it
	case t.r != nil && !overwrite:
		return t, Status(http.StatusPreconditionFailed)
	case to.slash && !from.r.Kind().Collection:
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
			if err := s.require(t.r, to.raw, PrivWriteContent); err != nil {
				return t, err
			}
		}
	}
	if err := s.require(t.parent, to.parentHref(), need); err != nil {
		return t, err
	}
	return t, c.freeTree(s, t)
}

// carry looks at what forbids it at the source, and does it. Locks stay with
// their URLs: the source's end with it, one on the destination remains (RFC 4918
// §7.6, 9.9.1).
func (x *Exchange) carry(s *Scope, c *conditions, from, to target, move, shallow bool) error {
	if err := s.require(from.r, x.at.raw, PrivRead); err != nil {
		return err
	}
	if move {
		if err := s.mayLeave(x.at, from.parent); err != nil {
			return err
		}
	}
	if err := c.check(s, from.r, from.path); err != nil {
		return err
	}
	if move {
		if err := c.freeTree(s, from); err != nil {
			return err
		}
		locks.RemoveTree(s.Tx, from.path)
	}
	if to.r != nil {
		var below []locks.Lock
		locks.Below(s.Tx, to.path, s.Now, func(l locks.Lock) bool { below = append(below, l); return true })
		for _, l := range below {
			locks.Remove(s.Tx, l)
		}
	}
	carriage := Carriage{Source: from.r, From: from.parent, FromName: from.name, Name: to.name, Old: to.r, Shallow: shallow}
	if move {
		_, err := to.parent.(Carrier).Move(s, carriage)
		return err
	}
	_, err := to.parent.(Carrier).Copy(s, carriage)
	return err
}
