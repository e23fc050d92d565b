package webfs

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

var (
	versionsKind = &dav.Kind{Name: "versions", Collection: true, Privileges: pastPrivileges}
	versionKind  = (&dav.Kind{Name: "version", Privileges: pastPrivileges}).Add(dav.Property{Name: nc("version-author"), Get: getVersionAuthor})
	revertKind   = &dav.Kind{Name: "restore version", Collection: true, Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivBind}
)

func getVersionAuthor(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(addressOf(s, r.(*version).v.By))
	return nil
}

// versionsTree is /dav/versions/ADDRESS/{versions/FILEID/VERSION,restore}. What
// others share has its versions here, too, under its own ID.
type versionsTree struct{}

func (t versionsTree) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	if len(path) == 0 {
		return homes(s, func(name string) (dav.Resource, error) { return t.Resolve(s, []string{name}) })
	}
	if _, _, err := home(s, path[0]); err != nil {
		return nil, err
	}
	switch {
	case len(path) == 1:
		return plain{[]string{"restore", "versions"}, func(name string) (dav.Resource, error) {
			return t.Resolve(s, []string{path[0], name})
		}}, nil
	case path[1] == "restore" && len(path) == 2:
		return revert{}, nil
	case path[1] != "versions" || len(path) > 4:
		return nil, storage.ErrNotFound
	case len(path) == 2:
		return plain{}, nil // nobody wants to see all
	}
	h, err := historyOf(s, path[2])
	if err != nil || len(path) == 3 {
		return h, err
	}
	seq, err := strconv.ParseUint(path[3], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("version %q: %w", path[3], storage.ErrNotFound)
	}
	v, err := files.GetVersion(s.Tx, h.tree, h.file.ID, storage.ModSeq(seq))
	if err != nil {
		return nil, err
	}
	return &version{h, v}, nil
}

// A history is the collection of a file's versions.
type history struct {
	tree   *files.Tree
	file   files.Node
	rights storage.Rights
}

var (
	_ dav.Deleter = (*history)(nil)
	_ dav.Reader  = (*version)(nil)
	_ dav.Carrier = revert{}
)

func historyOf(s *dav.Scope, id string) (*history, error) {
	o, err := parseFileID(id)
	if err != nil {
		return nil, err
	}
	t, err := files.ByID(s.Tx, o.Collection)
	if err != nil {
		return nil, err
	}
	n, err := files.Get(s.Tx, t, o.Item)
	if err != nil {
		return nil, err
	}
	h := &history{t, n, rights(s, t, n.ID)}
	if n.Kind != files.File || !h.rights.Has(storage.RightRead) {
		return nil, fmt.Errorf("file %s: %w", id, storage.ErrNotFound)
	}
	return h, nil
}

func (h *history) Kind() *dav.Kind          { return versionsKind }
func (h *history) Stat() dav.Stat           { return dav.Stat{Size: -1, Display: h.file.Name} }
func (h *history) Owner() storage.AccountID { return h.tree.Account }

func (h *history) Allowed(*dav.Scope) dav.Privileges {
	return dav.PrivilegesOf(h.rights) & pastPrivileges
}

// Members are the versions, the oldest first.
func (h *history) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	seen, _ := strconv.ParseUint(after, 10, 64)
	all, err := files.Versions(s.Tx, h.tree, h.file.ID)
	for _, v := range all {
		if uint64(v.Seq) > seen && !fn(strconv.FormatUint(uint64(v.Seq), 10), &version{h, v}) {
			break
		}
	}
	return err
}

// Delete removes a version for good.
func (h *history) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	return files.DeleteVersion(s.Tx, h.tree, h.file.ID, r.(*version).v.Seq)
}

// A version is what a file held.
type version struct {
	of *history
	v  files.Version
}

func (x *version) Kind() *dav.Kind                     { return versionKind }
func (x *version) Owner() storage.AccountID            { return x.of.tree.Account }
func (x *version) Allowed(s *dav.Scope) dav.Privileges { return x.of.Allowed(s) }

func (x *version) Stat() dav.Stat {
	return dav.Stat{
		ETag: strings.Trim(x.v.ETag(), `"`), Size: x.v.Size, Type: x.v.Type, Display: x.of.file.Name,
		Modified: time.UnixMilli(x.v.Written), Created: time.UnixMilli(x.v.Written),
	}
}

func (x *version) Content(db *storage.DB) (io.ReadCloser, error) { return x.v.Open(db) }

// revert is where versions are copied to be the files' contents again.
type revert struct{}

func (revert) Kind() *dav.Kind                   { return revertKind }
func (revert) Stat() dav.Stat                    { return dav.Stat{Size: -1} }
func (revert) Owner() storage.AccountID          { return 0 }
func (revert) Allowed(*dav.Scope) dav.Privileges { return revertKind.Privileges }

func (revert) Members(*dav.Scope, string, func(string, dav.Resource) bool) error { return nil }

func (revert) Copy(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	x, ok := c.Source.(*version)
	if !ok {
		return nil, dav.Status(http.StatusForbidden)
	}
	if !x.of.rights.Has(storage.RightWrite) {
		return nil, fmt.Errorf("%q: %w", x.of.file.Name, storage.ErrPermission)
	}
	at := files.Attr{By: s.User, Now: s.Now}
	if _, err := files.RestoreVersion(s.Tx, x.of.tree, x.of.file.ID, x.v.Seq, at); err != nil {
		return nil, err
	}
	return x, nil
}

// Move is what some clients say for it; the version stays all the same.
func (r revert) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) { return r.Copy(s, c) }
