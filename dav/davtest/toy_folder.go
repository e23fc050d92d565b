package davtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// Members gives them in order of names.
func (f Folder) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	from := f.toy.key(f.id, after)
	if after != "" {
		from = append(from, 0)
	}
	s.Tx.Scan(from, f.toy.key(f.id+1, ""), false, func(k, v []byte) bool {
		n := f.toy.get(s.Tx, storage.ItemID(binary.BigEndian.Uint32(v)))
		return fn(n.name, n.resource())
	})
	return nil
}

// Receive refuses a text that begins with bad, and has one that begins with
// alter answered like one that is stored differently.
func (f Folder) Receive(up *dav.Upload) error {
	up.Finally(f.toy.finished)
	r, err := up.Body.Reader()
	if err != nil {
		return err
	}
	head := make([]byte, 5)
	n, _ := r.ReadAt(head, 0)
	switch {
	case strings.HasPrefix(string(head[:n]), "bad"):
		err = dav.Forbidden(davxml.Name{Space: NS, Local: "valid-text"})
	case string(head[:n]) == "alter":
		up.Altered = true
		up.Answer.Set("Toy", "altered")
	}
	return errors.Join(err, r.Close())
}

// Write puts the body under the name.
func (f Folder) Write(s *dav.Scope, name string, old dav.Resource, up *dav.Upload) (dav.Resource, error) {
	n := &node{toy: f.toy, parent: f.id, name: name}
	if old != nil {
		n = nodeOf(old)
		s.Tx.Release(n.blob)
	}
	grown := up.Body.Size - n.size
	n.size, n.blob = up.Body.Size, s.Tx.Attach(up.Body)
	return File{n}, n.put(s, grown)
}

// Make makes a folder; the only type it knows is toy:box.
func (f Folder) Make(s *dav.Scope, name string, types []davxml.Name) (dav.Resource, error) {
	for _, t := range types {
		if t != (davxml.Name{Space: NS, Local: "box"}) && t != davxml.CalDAV("calendar") {
			return nil, dav.Forbidden(davxml.DAV("valid-resourcetype"))
		}
	}
	s.Answer.Set("Toy", "made")
	n := &node{toy: f.toy, parent: f.id, name: name, folder: true}
	return Folder{n}, n.put(s, 0)
}

// Delete removes a member and what is below it.
func (f Folder) Delete(s *dav.Scope, name string, r dav.Resource) error { return remove(s, r) }

func remove(s *dav.Scope, r dav.Resource) error {
	n := nodeOf(r)
	if !n.folder {
		s.Tx.Release(n.blob)
	}
	var below []dav.Resource
	if err := (Folder{n}).Members(s, "", func(_ string, c dav.Resource) bool { below = append(below, c); return true }); err != nil {
		return err
	}
	for _, c := range below {
		if err := remove(s, c); err != nil {
			return err
		}
	}
	c, err := s.Tx.Collection(n.toy.Collection)
	if err != nil {
		return err
	}
	s.Tx.Delete(n.toy.key(n.parent, n.name))
	if err := s.Tx.Vacate(c, n.id, n.toy.path(s.Tx, n)); err != nil {
		return err
	}
	_, err = s.Tx.RemoveItem(c, n.id, n.size)
	return err
}

// path is where a node is, from the root of the toy.
func (t *Toy) path(tx *storage.Tx, n *node) string {
	var names []string
	for ; n.id != 0; n = t.get(tx, n.parent) {
		names = append(names, n.name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Copy copies, with the properties.
func (f Folder) Copy(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	if c.Old != nil {
		if err := remove(s, c.Old); err != nil {
			return nil, err
		}
	}
	from := nodeOf(c.Source)
	n := &node{toy: f.toy, parent: f.id, name: c.Name, folder: from.folder, size: from.size, blob: from.blob}
	if !n.folder {
		s.Tx.Retain(n.blob)
	}
	if err := n.put(s, n.size); err != nil {
		return nil, err
	}
	if err := s.Tx.CopyProperties(from.Object(), n.Object()); err != nil || c.Shallow {
		return n.resource(), err
	}
	var below []string
	if err := (Folder{from}).Members(s, "", func(name string, _ dav.Resource) bool { below = append(below, name); return true }); err != nil {
		return nil, err
	}
	for _, name := range below {
		if _, err := (Folder{n}).Copy(s, dav.Carriage{Source: f.toy.child(s.Tx, from.id, name).resource(), Name: name}); err != nil {
			return nil, err
		}
	}
	return n.resource(), nil
}

// Move changes the name; what is below comes along.
func (f Folder) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	if c.Old != nil {
		if err := remove(s, c.Old); err != nil {
			return nil, err
		}
	}
	n := nodeOf(c.Source)
	col, err := s.Tx.Collection(f.toy.Collection)
	if err != nil {
		return nil, err
	}
	if err := s.Tx.Vacate(col, n.id, f.toy.path(s.Tx, n)); err != nil {
		return nil, err
	}
	s.Tx.Delete(f.toy.key(n.parent, n.name))
	n.parent, n.name = f.id, c.Name
	return n.resource(), n.put(s, 0)
}

// SyncCollection is that of all of the toy, so folders hear of each other's
// changes, too.
func (f Folder) SyncCollection() storage.CollectionID { return f.toy.Collection }

// Sync tells of what is below the folder. Of a folder that was moved it does not
// tell of the members.
func (f Folder) Sync(s *dav.Scope, t storage.SyncToken, limit int, infinite bool, fn func([]string, dav.Resource)) (storage.SyncToken, bool, error) {
	p, err := s.Tx.Sync(t, limit)
	if err != nil {
		return t, false, err
	}
	own := f.toy.path(s.Tx, f.node)
	tell := func(path string, r dav.Resource) {
		if own != "" {
			var ok bool
			if path, ok = strings.CutPrefix(path, own+"/"); !ok {
				return
			}
		}
		if names := strings.Split(path, "/"); infinite || len(names) == 1 {
			fn(names, r)
		}
	}
	for _, id := range append(slices.Clone(p.Removed), p.Changed...) {
		if !p.Initial {
			for _, name := range s.Tx.VacatedNames(f.toy.Collection, id, p.Since) {
				if _, err := f.toy.Resolve(s, strings.Split(name, "/")); err != nil { // nothing else has it
					tell(name, nil)
				}
			}
		}
	}
	for _, id := range p.Changed {
		n := f.toy.get(s.Tx, id)
		tell(f.toy.path(s.Tx, n), n.resource())
	}
	return p.Next, p.More, nil
}

// ACL is the collection's.
func (f Folder) ACL(s *dav.Scope) []storage.ACE { return s.Tx.ACL(f.toy.Collection.Object()) }

// SetACL replaces it.
func (f Folder) SetACL(s *dav.Scope, acl []storage.ACE) error {
	for _, e := range f.ACL(s) {
		if err := s.Tx.SetACL(f.toy.Collection.Object(), e.Account, 0); err != nil {
			return err
		}
	}
	for _, e := range acl {
		if err := s.Tx.SetACL(f.toy.Collection.Object(), e.Account, e.Rights); err != nil {
			return err
		}
	}
	return nil
}

// Search knows displayname like and eq, on members.
func (f Folder) Search(s *dav.Scope, q *dav.Query, from any, fn func([]string, dav.Resource) bool) (next any, err error) {
	after, _ := from.(string)
	if q.Where != nil && (q.Where.Prop != davxml.DAV("displayname") || q.Where.Op != "like" && q.Where.Op != "eq") {
		return nil, dav.Forbidden(davxml.DAV("search-grammar-supported"))
	}
	return next, f.Members(s, after, func(name string, r dav.Resource) bool {
		if q.Where != nil && !strings.Contains(name, strings.Trim(q.Where.Value, "%")) {
			return true
		}
		if !fn([]string{name}, r) {
			next = name
		}
		return next == nil
	})
}

// Post answers with the size of what was sent.
func (f Folder) Post(x *dav.Exchange) error {
	b, err := x.Receive(100)
	if err != nil {
		return err
	}
	defer b.Discard()
	_, err = fmt.Fprintf(x.Answer, "%d bytes", b.Size)
	return err
}

// texts is the report: members whose text holds what the report's does.
func texts(x *dav.Exchange, body *davxml.Element) error {
	want, err := dav.ParseWant(body)
	if err != nil {
		return err
	}
	hold := strings.TrimSpace(body.Child(davxml.Name{Space: NS, Local: "hold"}).Text())
	m, after, more := x.Multistatus(want), "", true
	for more && err == nil {
		more = false
		err = x.View(func(s *dav.Scope) error {
			r, err := x.Target(s)
			if err != nil {
				return err
			}
			return Folder{nodeOf(r)}.Members(s, after, func(name string, r dav.Resource) bool {
				f := nodeOf(r)
				if f.folder {
					return true
				}
				m.ResourceIf(s, x.Href(true)+name, r, func(db *storage.DB) (bool, error) {
					b, err := db.OpenBlob(f.blob)
					if err != nil {
						return false, err
					}
					text, err := b.Bytes()
					return strings.Contains(string(text), hold), errors.Join(err, b.Close())
				})
				after, more = name, m.Full()
				return !more
			})
		})
		if err == nil {
			err = m.Flush()
		}
	}
	return m.Finish(err)
}
