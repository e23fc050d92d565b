package webfs

import (
	"fmt"
	"net/http"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

var _ dav.Preparer = (*folder)(nil)

// Prepare copies a folder in bounded commits, where nobody sees it.
func (f *folder) Prepare(x *dav.Exchange, c dav.Carriage, move bool) (any, func(), error) {
	src := nodeOf(c.Source)
	nothing := func() {}
	if src == nil || src.isFile() || c.Shallow || move && (src.place.Mount != nil || src.place.Tree.ID == f.place.Tree.ID) {
		return nil, nothing, nil
	}
	var copier *files.Copier
	err := x.Update(func(s *dav.Scope) (err error) {
		from, to, err := trees(s, src, &f.node)
		if err == nil {
			copier, err = files.StartCopy(s.Tx, from, src.place.Node.ID, to, f.attr(s))
		}
		return err
	})
	if err != nil {
		return nil, nothing, err
	}
	discard := func() {
		_ = x.Update(func(s *dav.Scope) error { return copier.Abort(s.Tx, f.attr(s)) }) // or it goes after a day
	}
	for done := false; !done && err == nil; {
		step := time.Now()
		err = x.Update(func(s *dav.Scope) (err error) {
			done, err = copier.Step(s.Tx, files.Batch, f.attr(s))
			return err
		})
		if err == nil && !done {
			err = x.Pause(step)
		}
	}
	if err != nil {
		discard()
		return nil, nothing, err
	}
	return copier, discard, nil
}

// trees are those of two nodes as they are in this transaction.
func trees(s *dav.Scope, a, b *node) (from, to *files.Tree, err error) {
	if from, err = files.ByID(s.Tx, a.place.Tree.ID); err == nil {
		to, err = files.ByID(s.Tx, b.place.Tree.ID)
	}
	return from, to, err
}

// Copy copies a file or a folder. No byte is copied; all are counted.
func (f *folder) Copy(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	src := nodeOf(c.Source)
	if src == nil {
		return nil, dav.Status(http.StatusForbidden)
	}
	return f.copy(s, src, c)
}

func (f *folder) copy(s *dav.Scope, src *node, c dav.Carriage) (dav.Resource, error) {
	if old := nodeOf(c.Old); old != nil && old.isFile() && src.isFile() {
		return f.copyOnto(s, src, old)
	}
	if err := f.clear(s, c.Old); err != nil {
		return nil, err
	}
	t, id, at := f.place.Tree, f.place.Node.ID, f.attr(s)
	var n files.Node
	var err error
	switch {
	case src.isFile():
		n, err = files.CopyFile(s.Tx, src.place.Tree, src.place.Node.ID, t, id, c.Name, at)
	case c.Shallow:
		if n, err = files.Mkdir(s.Tx, t, id, c.Name, at); err == nil {
			err = s.Tx.CopyProperties(src.Object(), storage.Object{Collection: t.ID, Item: n.ID})
		}
	default:
		copier, ok := c.Prepared.(*files.Copier)
		if !ok {
			return nil, dav.Status(http.StatusConflict) // it was something else a moment ago
		}
		n, err = copier.Finish(s.Tx, id, c.Name, at)
	}
	if err != nil {
		return nil, err
	}
	return f.child(s, n), nil
}

func (n *node) isFile() bool { return n.place.Node.Kind == files.File }

// copyOnto gives a file the content and the properties of another; what it had
// becomes a version.
func (f *folder) copyOnto(s *dav.Scope, src, old *node) (dav.Resource, error) {
	at := f.attr(s)
	at.Modified = src.place.Node.ModTime()
	n, _, err := files.Put(s.Tx, old.place.Tree, old.place.Node.Parent, old.place.Node.Name, src.place.Node.Content, at)
	if err != nil {
		return nil, err
	}
	if err := s.Tx.CopyProperties(src.Object(), old.Object()); err != nil {
		return nil, err
	}
	return f.child(s, n), nil
}

// clear takes away what is in the place of a destination.
func (f *folder) clear(s *dav.Scope, old dav.Resource) error {
	n := nodeOf(old)
	switch {
	case n == nil:
		return nil
	case n.place.Mount != nil: // a share is not replaced by accident
		return fmt.Errorf("%q is shared: %w", n.place.Mount.Name, storage.ErrPermission)
	}
	return files.Delete(s.Tx, n.place.Tree, n.place.Node.ID, f.attr(s))
}

// Move moves a file or a folder: within one tree at no price, between two as a
// copy, after which the source is in its owner's trash.
func (f *folder) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	src, old := nodeOf(c.Source), nodeOf(c.Old)
	switch {
	case src == nil:
		return nil, dav.Status(http.StatusForbidden)
	case src.place.Mount != nil:
		return f.moveMount(s, src, c)
	case src.place.Tree.ID != f.place.Tree.ID:
		r, err := f.copy(s, src, c)
		if err == nil {
			err = files.Delete(s.Tx, src.place.Tree, src.place.Node.ID, f.attr(s))
		}
		return r, err
	case old != nil && old.isFile() && src.isFile():
		if err := s.Tx.CopyProperties(src.Object(), old.Object()); err != nil {
			return nil, err
		}
		n, err := files.Replace(s.Tx, f.place.Tree, src.place.Node.ID, old.place.Node.ID, f.attr(s))
		if err != nil {
			return nil, err
		}
		return f.child(s, n), nil
	}
	if err := f.clear(s, c.Old); err != nil {
		return nil, err
	}
	n, err := files.Move(s.Tx, f.place.Tree, src.place.Node.ID, f.place.Node.ID, c.Name, f.attr(s))
	if err != nil {
		return nil, err
	}
	return f.child(s, n), nil
}

// moveMount gives what others share another place among the user's own.
func (f *folder) moveMount(s *dav.Scope, src *node, c dav.Carriage) (dav.Resource, error) {
	if f.place.Beyond || f.place.Tree.ID != f.own.ID {
		return nil, fmt.Errorf("%q into another's folder: %w", src.place.Mount.Name, storage.ErrPermission)
	}
	if err := f.clear(s, c.Old); err != nil {
		return nil, err
	}
	n, err := files.Move(s.Tx, f.own, src.place.Mount.ID, f.place.Node.ID, c.Name, f.attr(s))
	if err != nil {
		return nil, err
	}
	return f.child(s, n), nil
}
