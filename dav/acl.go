package dav

import (
	"errors"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// acl answers ACL (RFC 3744 §8.1). The lists are those of the store, so they
// grant only, to users and groups only; DAV:acl-restrictions says so.
func acl(x *Exchange) error {
	body, err := x.document(davxml.DAV("acl"))
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	err = x.Update(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		sh, ok := r.(Sharer)
		if !ok {
			parent, _, _ := s.parent(x.at)
			return x.notAllowed(r, parent)
		}
		if err := s.require(r, x.at.raw, PrivWriteACL); err != nil {
			return err
		}
		path := lockPath(x.at, r, nil)
		if err := c.check(s, r, path); err != nil {
			return err
		}
		if err := c.free(s, path); err != nil {
			return err
		}
		entries, err := s.parseACL(r, body)
		if err != nil {
			return err
		}
		return sh.SetACL(s, entries)
	})
	if err == nil {
		x.Answer.Header().Set("Content-Length", "0")
		x.Answer.WriteHeader(http.StatusOK)
	}
	return err
}

// parseACL reads the entries. One principal may be in several.
func (s *Scope) parseACL(r Resource, body *davxml.Element) ([]storage.ACE, error) {
	given := map[storage.AccountID]Privileges{}
	var order []storage.AccountID
	for _, ace := range body.Children() {
		if ace.Name != davxml.DAV("ace") {
			continue
		}
		id, p, err := s.parseACE(r, ace)
		if err != nil {
			return nil, err
		}
		if id == r.Owner() {
			continue // has everything anyhow
		}
		if _, ok := given[id]; !ok {
			order = append(order, id)
		}
		given[id] |= p
	}
	if len(order) > storage.MaxACL {
		return nil, Forbidden(davxml.DAV("limited-number-of-aces"))
	}
	out := make([]storage.ACE, 0, len(order))
	for _, id := range order {
		out = append(out, storage.ACE{Account: id, Rights: RightsOf(given[id])})
	}
	return out, nil
}

// parseACE reads one entry, or says which precondition it violates (RFC 3744
// §8.1.1).
func (s *Scope) parseACE(r Resource, ace *davxml.Element) (id storage.AccountID, p Privileges, err error) {
	switch {
	case ace.Child(davxml.DAV("invert")) != nil:
		return 0, 0, Forbidden(davxml.DAV("no-invert"))
	case ace.Child(davxml.DAV("deny")) != nil:
		return 0, 0, Forbidden(davxml.DAV("grant-only"))
	case ace.Child(davxml.DAV("inherited")) != nil:
		return 0, 0, Forbidden(davxml.DAV("no-inherited-ace-conflict"))
	case ace.Child(davxml.DAV("protected")) != nil:
		return 0, 0, Forbidden(davxml.DAV("no-protected-ace-conflict"))
	case ace.Child(davxml.DAV("grant")) == nil || ace.Child(davxml.DAV("principal")) == nil:
		return 0, 0, Status(http.StatusBadRequest)
	}
	ref := ace.Child(davxml.DAV("principal")).Child(davxml.DAV("href"))
	if ref == nil {
		return 0, 0, Forbidden(davxml.DAV("allowed-principal"))
	}
	a, err := s.FindPrincipal(ref.Text())
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrInvalid) {
		return 0, 0, Forbidden(davxml.DAV("recognized-principal"))
	}
	if err != nil {
		return 0, 0, err
	}
	for _, g := range ace.Child(davxml.DAV("grant")).Children() {
		for _, name := range g.Children() {
			q, ok := privilegeNamed(name.Name)
			if q &= r.Kind().Privileges; !ok || q == 0 {
				return 0, 0, Forbidden(davxml.DAV("not-supported-privilege"))
			}
			p |= q
		}
	}
	return a.ID, p, nil
}

// privilegeNamed finds a privilege, single or aggregate.
func privilegeNamed(n davxml.Name) (Privileges, bool) {
	switch n {
	case davxml.DAV("all"):
		return PrivAll, true
	case davxml.DAV("write"):
		return PrivWrite, true
	}
	for _, row := range privileges {
		if row.name == n {
			return row.p, true
		}
	}
	return 0, false
}

// getACL writes the owner's entry, which cannot be changed, and those there are.
func getACL(s *Scope, r Resource, w *davxml.Writer) error {
	if r.Owner() != 0 {
		w.Raw("<D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>")
	}
	sh, ok := r.(Sharer)
	if !ok {
		return nil
	}
	for _, e := range sh.ACL(s) {
		h := s.PrincipalHref(e.Account)
		if h == "" {
			continue
		}
		w.Raw("<D:ace><D:principal>")
		w.Href(h)
		w.Raw("</D:principal><D:grant>")
		PrivilegesOf(e.Rights).writeSet(w, r.Kind().Privileges)
		w.Raw("</D:grant></D:ace>")
	}
	return nil
}

func getACLRestrictions(_ *Scope, _ Resource, w *davxml.Writer) error {
	w.Raw("<D:grant-only/><D:no-invert/>")
	return nil
}

func getOwnPrivileges(s *Scope, r Resource, w *davxml.Writer) error {
	r.Allowed(s).writeSet(w, r.Kind().Privileges)
	return nil
}

// getSupportedPrivileges writes the tree of RFC 3744 §5.3.
func getSupportedPrivileges(_ *Scope, r Resource, w *davxml.Writer) error {
	within := r.Kind().Privileges
	openSupported(w, davxml.DAV("all"), "Everything")
	for _, row := range privileges {
		switch {
		case within&row.p == 0 || row.p&(PrivWrite|PrivReadFreeBusy) != 0:
			continue
		case row.p == PrivRead && within.Has(PrivReadFreeBusy): // RFC 4791 §6.1.1
			openSupported(w, row.name, row.what)
			writeSupported(w, PrivReadFreeBusy)
			w.Close(davxml.DAV("supported-privilege"))
			continue
		}
		writeSupported(w, row.p)
	}
	if within&PrivWrite != 0 {
		openSupported(w, davxml.DAV("write"), "Change")
		writeSupported(w, within&PrivWrite)
		w.Close(davxml.DAV("supported-privilege"))
	}
	w.Close(davxml.DAV("supported-privilege"))
	return nil
}

// writeSupported writes single privileges.
func writeSupported(w *davxml.Writer, p Privileges) {
	for _, row := range privileges {
		if p&row.p != 0 {
			openSupported(w, row.name, row.what)
			for _, part := range row.parts {
				openSupported(w, part, row.what)
				w.Close(davxml.DAV("supported-privilege"))
			}
			w.Close(davxml.DAV("supported-privilege"))
		}
	}
}

func openSupported(w *davxml.Writer, n davxml.Name, what string) {
	w.Open(davxml.DAV("supported-privilege"))
	writePrivilege(w, n)
	w.Open(davxml.DAV("description"), "xml:lang", "en")
	w.Text(what)
	w.Close(davxml.DAV("description"))
}
