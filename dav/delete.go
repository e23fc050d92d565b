package dav

import (
	"net/http"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/locks"
)

// del answers DELETE (RFC 4918 §9.6): all of it or nothing.
func del(x *Exchange) error {
	if _, err := x.depth(infinity, infinity); err != nil && x.Request.Header.Get("Depth") != "0" {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	var d Deleter
	err = x.Update(func(s *Scope) error {
		t, err := s.place(x.at)
		if err != nil || t.r == nil || x.at.slash && !t.r.Kind().Collection {
			return missing(err)
		}
		var ok bool
		if d, ok = t.parent.(Deleter); !ok {
			return x.notAllowed(t.r, t.parent)
		}
		if x.Request.Header.Get("Depth") == "0" && t.r.Kind().Collection {
			return Status(http.StatusBadRequest)
		}
		if err := s.mayLeave(x.at, t.parent); err != nil {
			return err
		}
		if err := c.check(s, t.r, t.path); err != nil {
			return err
		}
		if err := c.freeTree(s, t); err != nil {
			return err
		}
		locks.RemoveTree(s.Tx, t.path)
		return d.Delete(s, t.name, t.r)
	})
	if err != nil {
		return err
	}
	if f, ok := d.(Finisher); ok {
		f.Finish(x)
	}
	x.made(false)
	return nil
}

// missing is the error of a method whose resource must be there: a path in a
// collection that is not there is not found either.
func missing(err error) error {
	if e := statusOf(err); err == nil || e != nil && e.Status == http.StatusConflict {
		return storage.ErrNotFound
	}
	return err
}

// mayLeave is nil when the user may take the member at l out of its collection.
func (s *Scope) mayLeave(l location, parent Collection) error {
	return s.require(parent, l.parentHref(), PrivUnbind)
}

// freeTree is nil when locks let the request remove or replace a resource with
// everything below it: those on it, below it, and on the collection that loses
// a member (RFC 4918 §7.4, 9.6.1).
func (c *conditions) freeTree(s *Scope, t target) error {
	if err := c.free(s, t.path); err != nil {
		return err
	}
	if err := c.free(s, lockPath(t.up(), t.parent, nil)); err != nil {
		return err
	}
	return c.freeBelow(s, t.path)
}
