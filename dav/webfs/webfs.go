// Package webfs shows files by WebDAV: each member's tree at
// /dav/files/ADDRESS/, what was deleted at /dav/trash/ADDRESS/ and earlier
// versions at /dav/versions/ADDRESS/.
//
// What it promises: a name comes back as it was given and is found in every
// Unicode form of it; a file keeps its ID when it is moved; a tag of a folder
// changes with anything below it. MOVE of a file onto another, which is how
// programs save, keeps the other's history. What others share with a member is
// in his own tree, where he may rename and move it without a trace in theirs.
// DELETE puts into the trash.
//
// Restoring: MOVE /dav/trash/ADDRESS/trash/ENTRY to any name below
// /dav/trash/ADDRESS/restore/ brings it back where it was; COPY of
// /dav/versions/ADDRESS/versions/FILEID/VERSION to any name below
// /dav/versions/ADDRESS/restore/ makes it the file's content again.
//
// Of RFC 4918: all of classes 1, 2 and 3, by the engine; GET of a folder is 405.
// RFC 4331 quota, RFC 3744 rights on folders and files, RFC 6578 on folders, but
// for sync-level infinite above what others share. Not standards but widely
// used: X-OC-Mtime, OC-Checksum (SHA1, MD5 and SHA256), oc:fileid and its kin,
// Win32LastModifiedTime and Win32CreationTime.
package webfs

import (
	"fmt"
	"hash/fnv"
	"slices"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// Prefix, TrashPrefix and VersionsPrefix are where the trees are mounted.
const (
	Prefix         = "/dav/files/"
	TrashPrefix    = "/dav/trash/"
	VersionsPrefix = "/dav/versions/"
)

// Mount mounts the three trees on an engine.
func Mount(e *dav.Engine) {
	e.Mount(Prefix, filesTree{})
	e.Mount(TrashPrefix, trashTree{})
	e.Mount(VersionsPrefix, versionsTree{})
}

var (
	homesKind  = &dav.Kind{Name: "homes", Collection: true, Privileges: dav.PrivRead | dav.PrivReadOwn}
	folderKind = folderProperties(&dav.Kind{
		Name: "folder", Collection: true, Unsummed: true, Privileges: dav.PrivFiles, Lockable: true})
	fileKind = fileProperties(&dav.Kind{Name: "file", Privileges: dav.PrivFiles, Lockable: true})
)

// plain is a collection that only leads to others.
type plain struct {
	members []string
	find    func(name string) (dav.Resource, error)
}

var _ dav.Collection = plain{}

func (plain) Kind() *dav.Kind                   { return homesKind }
func (plain) Stat() dav.Stat                    { return dav.Stat{Size: -1} }
func (plain) Owner() storage.AccountID          { return 0 }
func (plain) Allowed(*dav.Scope) dav.Privileges { return homesKind.Privileges }

func (p plain) Members(_ *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	for _, name := range p.members {
		if name <= after {
			continue
		}
		r, err := p.find(name)
		if err != nil {
			return err
		}
		if !fn(name, r) {
			break
		}
	}
	return nil
}

// filesTree is the tree of homes.
type filesTree struct{}

func (filesTree) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	if len(path) == 0 {
		return homes(s, func(name string) (dav.Resource, error) { return filesTree{}.Resolve(s, []string{name}) })
	}
	own, address, err := home(s, path[0])
	if err != nil {
		return nil, err
	}
	v := &view{own: own, address: address}
	p, err := files.Resolve(s.Tx, own, path[1:])
	if err != nil {
		return nil, err
	}
	return v.resource(s, p)
}

// homes lists the user's own home only: what groups have is mounted in it.
func homes(s *dav.Scope, find func(string) (dav.Resource, error)) (dav.Resource, error) {
	a, err := accounts.Get(s.Tx, s.User)
	if err != nil {
		return nil, err
	}
	return plain{[]string{a.Address}, find}, nil
}

// home opens the tree at an address: one of the user's own, or that of a group he
// is in. It returns the primary address, which all have in common. Whoever else
// there is, nobody learns here.
func home(s *dav.Scope, address string) (*files.Tree, string, error) {
	a, err := s.Lookup(address)
	if err != nil || !slices.Contains(s.Identities, a.ID) {
		return nil, "", fmt.Errorf("home %q: %w", address, storage.ErrNotFound)
	}
	t, err := files.Open(s.Tx, a.ID)
	return t, a.Address, err
}

// A view is a home as one transaction sees it.
type view struct {
	own     *files.Tree
	address string
	epoch   uint32
	mounts  map[storage.ItemID][]storage.Object // what others share below each own folder
}

// below are the folders of others that are mounted below an own one.
func (v *view) below(s *dav.Scope, folder storage.ItemID) []storage.Object {
	if v.mounts == nil {
		v.mounts = map[storage.ItemID][]storage.Object{}
		for id, o := range files.Mounts(s.Tx, v.own) {
			for n, err := files.Get(s.Tx, v.own, id); err == nil && n.Parent != 0; n, err = files.Get(s.Tx, v.own, n.Parent) {
				v.mounts[n.Parent] = append(v.mounts[n.Parent], o)
			}
		}
	}
	return v.mounts[folder]
}

// tag is the entity tag of a folder with everything below it.
func (v *view) tag(s *dav.Scope, t *files.Tree, folder storage.ItemID, totals files.Totals) string {
	if v.epoch == 0 {
		v.epoch = s.Tx.SyncToken(v.own.Collection).Epoch
	}
	tag := files.FolderTag(t, folder, totals, v.epoch)
	if t.ID != v.own.ID {
		return tag
	}
	shared := v.below(s, folder)
	if len(shared) == 0 {
		return tag
	}
	sum := uint64(0) // the order of the mounts says nothing
	for _, o := range shared {
		h := fnv.New64a()
		if t, err := files.ByID(s.Tx, o.Collection); err == nil {
			fmt.Fprint(h, o, files.FolderTotals(s.Tx, t, o.Item).Changed)
		}
		sum += h.Sum64()
	}
	return fmt.Sprintf("%s-%x", tag, sum)
}

// rights returns what the user may do with a node, by the entries on it and on
// everything above it.
func rights(s *dav.Scope, t *files.Tree, id storage.ItemID) (r storage.Rights) {
	if t.Account == s.User {
		return storage.OwnerRights
	}
	for _, o := range files.Objects(s.Tx, t, id) {
		r |= accounts.Rights(s.Tx, s.Identities, o)
	}
	return r
}

// resource makes a place's resource. What the user may not even see is not
// found.
func (v *view) resource(s *dav.Scope, p files.Place) (dav.Resource, error) {
	n := node{view: v, place: p, owner: p.Tree.Account, rights: rights(s, p.Tree, p.Node.ID)}
	if n.rights&(storage.RightLookup|storage.RightRead) == 0 {
		return nil, fmt.Errorf("%q: %w", p.Node.Name, storage.ErrNotFound)
	}
	names, _ := files.Path(s.Tx, p.Tree, files.Root, p.Node.ID)
	address := v.address
	if p.Tree.ID != v.own.ID {
		a, err := accounts.Get(s.Tx, n.owner)
		if err != nil {
			return nil, err
		}
		address = a.Address
	}
	n.above = append([]string{"dav", "files", address}, names...)
	if len(names) > 0 {
		n.above = n.above[:len(n.above)-1]
	}
	return n.build(s), nil
}
