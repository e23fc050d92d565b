package webfs

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

func oc(local string) davxml.Name { return davxml.Name{Space: davxml.NSOwnCloud, Local: local} }
func ms(local string) davxml.Name { return davxml.Name{Space: davxml.NSMicrosoft, Local: local} }

// common are the properties of files and folders beside the engine's.
func common(k *dav.Kind) *dav.Kind {
	modified, created := dav.Live(davxml.DAV("getlastmodified")), dav.Live(davxml.DAV("creationdate"))
	modified.Set, created.Set = setModified, setCreated
	return k.Add(
		modified, created,
		// Set by clients that know no other way to keep a date; seconds.
		dav.Property{Name: davxml.DAV("lastmodified"), Get: getSeconds, Set: setModified},
		dav.Property{Name: ms("Win32LastModifiedTime"), Get: getModified, Set: setModified},
		dav.Property{Name: ms("Win32CreationTime"), Get: getCreatedHTTP, Set: setCreated},
		dav.Property{Name: oc("id"), Get: getID},
		dav.Property{Name: oc("fileid"), Get: getID},
		dav.Property{Name: oc("permissions"), Get: getPermissions},
		dav.Property{Name: oc("size"), Get: getSize},
		dav.Property{Name: nameClash, Get: getNameClash},
	)
}

func folderProperties(k *dav.Kind) *dav.Kind { return common(k) }

func fileProperties(k *dav.Kind) *dav.Kind {
	return common(k).Add(dav.Property{Name: oc("checksums"), Get: getChecksums})
}

func getModified(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(r.Stat().Modified.UTC().Format(http.TimeFormat))
	return nil
}

func getSeconds(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(strconv.FormatInt(r.Stat().Modified.Unix(), 10))
	return nil
}

func getCreatedHTTP(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(r.Stat().Created.UTC().Format(http.TimeFormat))
	return nil
}

func setModified(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
	at, err := readDate(s, v)
	if err != nil {
		return err
	}
	return setDates(s, r, files.Attr{By: s.User, Now: s.Now, Modified: at})
}

func setCreated(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
	at, err := readDate(s, v)
	if err != nil {
		return err
	}
	return setDates(s, r, files.Attr{By: s.User, Now: s.Now, Created: at})
}

func setDates(s *dav.Scope, r dav.Resource, at files.Attr) error {
	n := nodeOf(r)
	changed, err := files.SetDates(s.Tx, n.place.Tree, n.place.Node.ID, at)
	n.place.Node.Modified, n.place.Node.Created = changed.Modified, changed.Created
	if f, ok := r.(*folder); ok && err == nil {
		f.totals = files.FolderTotals(s.Tx, n.place.Tree, n.place.Node.ID)
	}
	return err
}

// readDate reads a date as HTTP, RFC 3339 or seconds since 1970 write it. A
// date cannot be removed.
func readDate(s *dav.Scope, v *davxml.Element) (time.Time, error) {
	if v == nil {
		return time.Time{}, dav.Forbidden(davxml.DAV("cannot-modify-protected-property"))
	}
	if at, err := parseDate(v.Text()); err == nil {
		return at, nil
	}
	if at := clientTime(v.Text(), s.Now); !at.IsZero() {
		return at, nil
	}
	return time.Time{}, dav.Status(http.StatusConflict)
}

func parseDate(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := http.ParseTime(text); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, text)
}

// fileID is unique in the store, stable when the node moves within its tree,
// and a decimal number, as clients expect.
func fileID(o storage.Object) string {
	return strconv.FormatUint(uint64(o.Collection)<<32|uint64(o.Item), 10)
}

func parseFileID(s string) (storage.Object, error) {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return storage.Object{}, fmt.Errorf("file ID %q: %w", s, storage.ErrNotFound)
	}
	return storage.Object{Collection: storage.CollectionID(v >> 32), Item: storage.ItemID(v)}, nil
}

func getID(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(fileID(nodeOf(r).Object()))
	return nil
}

// getPermissions writes what clients that know ownCloud look for: S shared, R
// may share, M mounted, G may read, D may delete, NV may rename and move, W may
// write, CK may create files and folders.
func getPermissions(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	n := nodeOf(r)
	has := func(want storage.Rights, letters string) {
		if n.rights&want != 0 {
			w.Text(letters)
		}
	}
	if n.place.Beyond {
		w.Text("S")
	}
	has(storage.RightAdminister, "R")
	if n.place.Mount != nil {
		w.Text("M")
	}
	has(storage.RightRead, "G")
	has(storage.RightDeleteItems, "D")
	has(storage.RightDeleteItems, "NV")
	if n.isFile() {
		has(storage.RightWrite, "W")
	} else {
		has(storage.RightInsert|storage.RightCreate, "CK")
	}
	return nil
}

// nameClash is there when a sibling's name differs in case only: on the disks of
// Windows and macOS the two would be one file.
var nameClash = davxml.Name{Space: "https://essaim.coop/ns", Local: "name-clash"}

func getNameClash(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	n := nodeOf(r)
	if n.place.Mount != nil || !files.Clash(s.Tx, n.place.Tree, n.place.Node) {
		return storage.ErrNotFound
	}
	w.Text("case")
	return nil
}

func getSize(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	w.Text(strconv.FormatInt(sizeOf(r), 10))
	return nil
}

func sizeOf(r dav.Resource) int64 {
	if f, ok := r.(*folder); ok {
		return f.totals.Bytes
	}
	return nodeOf(r).place.Node.Size
}

func getChecksums(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
	n := &nodeOf(r).place.Node
	var sums []string
	for _, c := range []struct {
		name string
		sum  []byte
	}{{"SHA1", n.SHA1}, {"MD5", n.MD5}, {"SHA256", n.SHA256}} {
		if len(c.sum) > 0 {
			sums = append(sums, fmt.Sprintf("%s:%x", c.name, c.sum))
		}
	}
	if len(sums) == 0 {
		return storage.ErrNotFound
	}
	w.Leaf(oc("checksum"), strings.Join(sums, " "))
	return nil
}
