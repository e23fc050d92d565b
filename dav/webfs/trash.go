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
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

func nc(local string) davxml.Name { return davxml.Name{Space: davxml.NSNextcloud, Local: local} }

const pastPrivileges = dav.PrivRead | dav.PrivReadOwn | dav.PrivUnbind

var (
	trashKind   = &dav.Kind{Name: "trash", Collection: true, Privileges: pastPrivileges}
	restoreKind = &dav.Kind{Name: "restore", Collection: true, Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivBind}
	trashedKind = trashedProperties(&dav.Kind{Name: "trashed file", Privileges: pastPrivileges})
	trashedDir  = trashedProperties(&dav.Kind{Name: "trashed folder", Collection: true, Privileges: pastPrivileges})
)

func trashedProperties(k *dav.Kind) *dav.Kind {
	text := func(name string, of func(s *dav.Scope, x *files.Trashed) string) dav.Property {
		return dav.Property{Name: nc(name), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
			x := &trashedOf(r).entry
			if x.Deleted == 0 {
				return storage.ErrNotFound // below an entry
			}
			w.Text(of(s, x))
			return nil
		}}
	}
	return k.Add(
		text("trashbin-filename", func(_ *dav.Scope, x *files.Trashed) string { return x.Name }),
		text("trashbin-original-location", func(_ *dav.Scope, x *files.Trashed) string { return strings.TrimPrefix(x.Path+"/"+x.Name, "/") }),
		text("trashbin-deletion-time", func(_ *dav.Scope, x *files.Trashed) string { return strconv.FormatInt(x.Deleted/1000, 10) }),
		text("trashbin-deleted-by-id", func(s *dav.Scope, x *files.Trashed) string { return addressOf(s, x.Author) }),
	)
}

// addressOf is how an account is called, "" for one that is gone.
func addressOf(s *dav.Scope, id storage.AccountID) string {
	a, err := accounts.Get(s.Tx, id)
	if err != nil {
		return ""
	}
	return a.Address
}

// trashTree is /dav/trash/ADDRESS/{trash,restore}/.
type trashTree struct{}

func (t trashTree) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	if len(path) == 0 {
		return homes(s, func(name string) (dav.Resource, error) { return t.Resolve(s, []string{name}) })
	}
	own, _, err := home(s, path[0])
	if err != nil {
		return nil, err
	}
	switch {
	case len(path) == 1:
		return plain{[]string{"restore", "trash"}, func(name string) (dav.Resource, error) {
			return t.Resolve(s, []string{path[0], name})
		}}, nil
	case path[1] == "restore" && len(path) == 2:
		return &restore{own}, nil
	case path[1] != "trash":
		return nil, storage.ErrNotFound
	case len(path) == 2:
		return &trash{own}, nil
	}
	return trashedAt(s, own, path[2:])
}

// entryName names an entry so that names sort by the time of deletion, and no
// two are the same.
func entryName(x files.Trashed) string {
	return fmt.Sprintf("%013d-%010d-%s", x.Deleted, x.ID, x.Name)
}

func parseEntryName(name string) (deleted int64, id storage.ItemID) {
	a, rest, _ := strings.Cut(name, "-")
	b, _, _ := strings.Cut(rest, "-")
	deleted, _ = strconv.ParseInt(a, 10, 64)
	n, _ := strconv.ParseUint(b, 10, 32)
	return deleted, storage.ItemID(n)
}

func trashedAt(s *dav.Scope, own *files.Tree, path []string) (dav.Resource, error) {
	_, id := parseEntryName(path[0])
	x, err := files.TrashEntry(s.Tx, own, id)
	if err != nil || entryName(x) != path[0] {
		return nil, fmt.Errorf("trash %q: %w", path[0], storage.ErrNotFound)
	}
	for _, name := range path[1:] {
		n, err := files.Child(s.Tx, own, x.ID, name)
		if err != nil {
			return nil, err
		}
		x = files.Trashed{Node: n}
	}
	return newTrashed(own, x), nil
}

func newTrashed(own *files.Tree, x files.Trashed) dav.Resource {
	if x.Kind == files.Folder {
		return &trashedFolder{trashed{own, x}}
	}
	return &trashedFile{trashed{own, x}}
}

// trash is the collection of what was deleted.
type trash struct{ own *files.Tree }

var (
	_ dav.Deleter    = (*trash)(nil)
	_ dav.Carrier    = (*restore)(nil)
	_ dav.Reader     = (*trashedFile)(nil)
	_ dav.Collection = (*trashedFolder)(nil)
)

func (t *trash) Kind() *dav.Kind                   { return trashKind }
func (t *trash) Stat() dav.Stat                    { return dav.Stat{Size: -1} }
func (t *trash) Owner() storage.AccountID          { return t.own.Account }
func (t *trash) Allowed(*dav.Scope) dav.Privileges { return trashKind.Privileges }

// Members are in the order in which they were deleted.
func (t *trash) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	deleted, id := parseEntryName(after)
	for {
		page, err := files.Trash(s.Tx, t.own, deleted, id, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, x := range page {
			deleted, id = x.Deleted, x.ID
			if !fn(entryName(x), newTrashed(t.own, x)) {
				return nil
			}
		}
	}
}

// Delete removes an entry for good: it is out of sight at once.
func (t *trash) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	return files.PurgeEntry(s.Tx, t.own, trashedOf(r).entry.ID, files.Batch, s.Now)
}

// mostFinish is how long a DELETE goes on with what it has put out of sight.
const mostFinish = 5 * time.Second

// Finish removes what is below a large entry. The rest goes as trash does.
func (t *trash) Finish(x *dav.Exchange) {
	start := time.Now()
	for left := true; left && time.Since(start) < mostFinish; {
		step := time.Now()
		err := x.Update(func(s *dav.Scope) error {
			own, err := files.ByID(s.Tx, t.own.ID)
			if err == nil {
				left, err = files.PurgeHidden(s.Tx, own, files.Batch, s.Now)
			}
			return err
		})
		if err != nil || left && x.Pause(step) != nil {
			return
		}
	}
}

// restore is where entries are moved to be brought back.
type restore struct{ own *files.Tree }

func (t *restore) Kind() *dav.Kind                   { return restoreKind }
func (t *restore) Stat() dav.Stat                    { return dav.Stat{Size: -1} }
func (t *restore) Owner() storage.AccountID          { return t.own.Account }
func (t *restore) Allowed(*dav.Scope) dav.Privileges { return restoreKind.Privileges }

func (t *restore) Members(*dav.Scope, string, func(string, dav.Resource) bool) error { return nil }

func (t *restore) Copy(*dav.Scope, dav.Carriage) (dav.Resource, error) {
	return nil, dav.Status(http.StatusForbidden)
}

// Move brings an entry back to the folder it was in; the name asked for says
// nothing.
func (t *restore) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	x := trashedOf(c.Source)
	if x == nil || x.entry.Deleted == 0 {
		return nil, dav.Status(http.StatusForbidden)
	}
	n, err := files.Restore(s.Tx, t.own, x.entry.ID, files.Attr{By: s.User, Now: s.Now})
	if err != nil {
		return nil, err
	}
	return newTrashed(t.own, files.Trashed{Node: n}), nil
}

// trashed is an entry, or what is below one.
type trashed struct {
	own   *files.Tree
	entry files.Trashed
}

type (
	trashedFile   struct{ trashed }
	trashedFolder struct{ trashed }
)

func trashedOf(r dav.Resource) *trashed {
	switch r := r.(type) {
	case *trashedFile:
		return &r.trashed
	case *trashedFolder:
		return &r.trashed
	}
	return nil
}

func (x *trashed) Owner() storage.AccountID          { return x.own.Account }
func (x *trashed) Allowed(*dav.Scope) dav.Privileges { return pastPrivileges }

func (x *trashed) stat() dav.Stat {
	return dav.Stat{Size: -1, Display: x.entry.Name, Modified: x.entry.ModTime(), Created: time.UnixMilli(x.entry.Created)}
}

func (x *trashedFile) Kind() *dav.Kind { return trashedKind }

func (x *trashedFile) Stat() dav.Stat {
	st := x.stat()
	st.Size, st.Type, st.ETag = x.entry.Size, x.entry.Type, strings.Trim(x.entry.ETag(), `"`)
	return st
}

func (x *trashedFile) Content(db *storage.DB) (io.ReadCloser, error) { return x.entry.Open(db) }

func (x *trashedFolder) Kind() *dav.Kind { return trashedDir }
func (x *trashedFolder) Stat() dav.Stat  { return x.stat() }

func (x *trashedFolder) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	for {
		page, err := files.List(s.Tx, x.own, x.entry.ID, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, n := range page {
			after = n.Name
			if !fn(n.Name, newTrashed(x.own, files.Trashed{Node: n})) {
				return nil
			}
		}
	}
}
