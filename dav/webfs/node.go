package webfs

import (
	"io"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

// A node is what files and folders have in common.
type node struct {
	*view
	place  files.Place
	owner  storage.AccountID
	rights storage.Rights
	above  []string // the path of the owner's folder it is in, from the root of the server
	in     *folder  // or a folder it is below, by the names between: most are never asked
	names  []string
}

// A file is a resource with bytes.
type file struct{ node }

// A folder is a collection of files and folders.
type folder struct {
	node
	totals files.Totals
	etag   string
}

var (
	_ dav.Reader    = (*file)(nil)
	_ dav.Holder    = (*file)(nil)
	_ dav.Sharer    = (*file)(nil)
	_ dav.Canonical = (*file)(nil)

	_ dav.Writer    = (*folder)(nil)
	_ dav.Roomy     = (*folder)(nil)
	_ dav.Maker     = (*folder)(nil)
	_ dav.Deleter   = (*folder)(nil)
	_ dav.Carrier   = (*folder)(nil)
	_ dav.Syncer    = (*folder)(nil)
	_ dav.Holder    = (*folder)(nil)
	_ dav.Sharer    = (*folder)(nil)
	_ dav.Canonical = (*folder)(nil)
)

// build makes the resource of a node.
func (n node) build(s *dav.Scope) dav.Resource {
	if n.place.Node.Kind == files.File {
		return &file{n}
	}
	f := &folder{node: n, totals: files.FolderTotals(s.Tx, n.place.Tree, n.place.Node.ID)}
	f.etag = strings.Trim(n.tag(s, n.place.Tree, n.place.Node.ID, f.totals), `"`)
	return f
}

func (n *node) Owner() storage.AccountID { return n.owner }

func (n *node) Allowed(*dav.Scope) dav.Privileges {
	return dav.PrivilegesOf(n.rights) & dav.PrivFiles
}

func (n *node) Object() storage.Object {
	return storage.Object{Collection: n.place.Tree.ID, Item: n.place.Node.ID}
}

func (n *node) attr(s *dav.Scope) files.Attr { return files.Attr{By: s.User, Now: s.Now} }

func (n *node) Touch(s *dav.Scope) error {
	return files.Touch(s.Tx, n.place.Tree, n.place.Node.ID, n.attr(s))
}

// segments is the canonical path: where the owner finds it.
func (n *node) segments() []string {
	if n.in != nil {
		return append(append(slices.Clip(n.in.segments()), n.names...), n.place.Node.Name)
	}
	if n.place.Node.ID == files.Root {
		return n.above
	}
	return append(slices.Clip(n.above), n.place.Node.Name)
}

func (n *node) CanonicalPath() string { return dav.Path(n.segments()...) }

func (n *node) ACL(s *dav.Scope) []storage.ACE { return s.Tx.ACL(n.Object()) }

// SetACL replaces the entries on the node itself.
func (n *node) SetACL(s *dav.Scope, acl []storage.ACE) error {
	o := n.Object()
	for _, e := range s.Tx.ACL(o) {
		if !slices.ContainsFunc(acl, func(x storage.ACE) bool { return x.Account == e.Account }) {
			if err := s.Tx.SetACL(o, e.Account, 0); err != nil {
				return err
			}
		}
	}
	for _, e := range acl {
		if err := s.Tx.SetACL(o, e.Account, e.Rights); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) Kind() *dav.Kind { return fileKind }

func (f *file) Stat() dav.Stat {
	n := &f.place.Node
	return dav.Stat{
		ETag: strings.Trim(n.ETag(), `"`), Size: n.Size, Type: n.Type, Display: n.Name,
		Modified: n.ModTime(), Created: time.UnixMilli(n.Created),
	}
}

func (f *file) Content(db *storage.DB) (io.ReadCloser, error) { return f.place.Node.Open(db) }

func (f *folder) Kind() *dav.Kind { return folderKind }

func (f *folder) Stat() dav.Stat {
	n := &f.place.Node
	if f.place.Mount != nil {
		n = f.place.Mount
	}
	return dav.Stat{
		ETag: f.etag, Size: -1, Display: n.Name,
		Modified: time.UnixMilli(f.totals.Time), Created: time.UnixMilli(f.place.Node.Created),
	}
}

// child is the resource of a child, or nil for one that is not shown: what its
// owner has mounted in a shared folder, and a mount of what is gone.
func (f *folder) child(s *dav.Scope, n files.Node) dav.Resource { return f.below(s, n, nil) }

// below is child for a node further down, with the names of the folders between.
func (f *folder) below(s *dav.Scope, n files.Node, between []string) dav.Resource {
	p, err := f.place.Enter(s.Tx, n)
	if err != nil {
		return nil
	}
	if p.Mount != nil {
		r, err := f.view.resource(s, p)
		if err != nil {
			return nil
		}
		return r
	}
	return f.member(s, p, between)
}

// member is the resource of a place below this folder, with the names between.
func (f *folder) member(s *dav.Scope, p files.Place, between []string) dav.Resource {
	c := node{view: f.view, place: p, owner: f.owner, rights: f.rights, in: f, names: between}
	if f.owner != s.User {
		for _, id := range s.Identities {
			c.rights |= s.Tx.RightsOf(c.Object(), id)
		}
	}
	return c.build(s)
}

const pageSize = 100 // a page of an answer has some 150

// Members are in the order of their names in NFC.
func (f *folder) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	for {
		page, err := files.List(s.Tx, f.place.Tree, f.place.Node.ID, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, n := range page {
			after = n.Name
			if r := f.child(s, n); r != nil && !fn(n.Name, r) {
				return nil
			}
		}
	}
}

func (f *folder) SyncCollection() storage.CollectionID { return f.place.Tree.ID }

func (f *folder) Sync(s *dav.Scope, t storage.SyncToken, limit int, infinite bool, fn func([]string, dav.Resource)) (storage.SyncToken, bool, error) {
	if infinite && f.place.Tree.ID == f.own.ID && len(f.view.below(s, f.place.Node.ID)) > 0 {
		return t, false, dav.Forbidden(syncTraversal) // those have logs of their own
	}
	return files.Sync(s.Tx, f.place.Tree, f.place.Node.ID, t, limit, infinite, func(c files.Change) {
		if c.Removed {
			fn(c.Path, nil)
			return
		}
		if r := f.below(s, c.Node, c.Path[:len(c.Path)-1]); r != nil {
			fn(c.Path, r)
		}
	})
}
