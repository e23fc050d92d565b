package davtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/blob"
)

// NS is the namespace of the toy's own properties.
const NS = "urn:toy"

// A Toy is a tree of folders and files in one collection of an account, mounted
// at a prefix. Its files are rows of a fixed shape; rows of 0xF0 lead from a
// folder and a name to an item.
type Toy struct {
	House      *House
	Collection storage.CollectionID
	owner      storage.AccountID

	folders, files *dav.Kind
}

// NewToy mounts the files of an account at a prefix. Property Toy.late of a file
// is its text, Toy.colour is each user's own, Toy.shape can be set when a folder
// is made, Toy.small takes at most ten bytes. The report Toy.texts gives the
// members whose text holds the report's.
func NewToy(h *House, prefix, owner string) *Toy {
	t := &Toy{House: h, owner: h.Accounts[owner]}
	h.Update(func(tx *storage.Tx) error {
		c, err := tx.CreateCollection(t.owner, storage.KindFolder, "toy"+prefix, nil, h.Now)
		if err == nil {
			t.Collection = c.ID
		}
		return err
	})
	name := func(local string) davxml.Name { return davxml.Name{Space: NS, Local: local} }
	t.files = (&dav.Kind{Name: "toy file", Privileges: dav.PrivFiles, Lockable: true}).Add(
		dav.Property{Name: name("late"), Late: late}, dav.Property{Name: name("colour"), Personal: true})
	t.folders = (&dav.Kind{
		Name: "toy folder", Collection: true, Privileges: dav.PrivFiles, Lockable: true, Infinite: true, MaxBody: 10 << 20, MkCalendar: true,
		Features: []string{"toy"},
	}).Add(
		dav.Property{Name: name("colour"), Personal: true, All: true}, dav.Property{Name: name("shape"), Initial: true},
		dav.Property{Name: name("small"), Check: func(v *davxml.Element) error {
			if len(v.Text()) > 10 {
				return dav.Conflict(name("small-enough"))
			}
			return nil
		}},
	).AddReport(dav.Report{Name: name("texts"), Run: texts})
	h.Engine.Mount(prefix, t)
	h.Hooks = append(h.Hooks, t.check)
	return t
}

// Fill puts n small files into the root at once.
func (t *Toy) Fill(n int) {
	t.House.TB.Helper()
	w := t.House.DB.Stage()
	if _, err := io.WriteString(w, "some text"); err != nil {
		t.House.TB.Fatal(err)
	}
	body, err := w.Finish()
	if err != nil {
		t.House.TB.Fatal(err)
	}
	t.House.Update(func(tx *storage.Tx) error {
		b, s := tx.Attach(body), &dav.Scope{Tx: tx, Now: t.House.Now}
		for i := range n {
			if i > 0 {
				tx.Retain(b)
			}
			f := &node{toy: t, name: fmt.Sprintf("file-%06d.txt", i), size: body.Size, blob: b}
			if err := f.put(s, body.Size); err != nil {
				return err
			}
		}
		return nil
	})
}

// check tells which bodies are in use.
func (t *Toy) check(tx *storage.Tx, r *storage.Report) {
	tx.Items(t.Collection, 1, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		if n := t.unmarshal(id, v); !n.folder {
			r.Refers(n.blob)
		}
		return true
	})
}

// A node is a folder or file, as its row says.
type node struct {
	toy      *Toy
	id       storage.ItemID // 0: the root
	parent   storage.ItemID
	name     string
	folder   bool
	size     int64
	blob     blob.ID
	version  uint64
	modified time.Time
}

type (
	// A File is a file of the toy.
	File struct{ *node }
	// A Folder is a folder of the toy.
	Folder struct{ *node }
)

var (
	_ dav.Reader   = File{}
	_ dav.Holder   = File{}
	_ dav.Writer   = Folder{}
	_ dav.Maker    = Folder{}
	_ dav.Deleter  = Folder{}
	_ dav.Carrier  = Folder{}
	_ dav.Syncer   = Folder{}
	_ dav.Sharer   = Folder{}
	_ dav.Searcher = Folder{}
	_ dav.Poster   = Folder{}
)

func (n *node) marshal() []byte {
	b := []byte{0}
	if n.folder {
		b[0] = 1
	}
	for _, v := range []uint64{uint64(n.parent), uint64(n.size), uint64(n.blob), n.version, uint64(n.modified.Unix())} {
		b = binary.AppendUvarint(b, v)
	}
	return append(b, n.name...)
}

func (t *Toy) unmarshal(id storage.ItemID, b []byte) *node {
	n := &node{toy: t, id: id, folder: b[0] == 1}
	b = b[1:]
	var v [5]uint64
	for i := range v {
		m := 0
		v[i], m = binary.Uvarint(b)
		b = b[m:]
	}
	n.parent, n.size, n.blob, n.version, n.modified = storage.ItemID(v[0]), int64(v[1]), blob.ID(v[2]), v[3], time.Unix(int64(v[4]), 0)
	n.name = string(b)
	return n
}

func (n *node) resource() dav.Resource {
	if n.folder {
		return Folder{n}
	}
	return File{n}
}

func (t *Toy) key(parent storage.ItemID, name string) []byte {
	k := binary.BigEndian.AppendUint32([]byte{0xF0}, uint32(t.Collection))
	return append(binary.BigEndian.AppendUint32(k, uint32(parent)), name...)
}

func (t *Toy) get(tx *storage.Tx, id storage.ItemID) *node {
	if id == 0 {
		return &node{toy: t, folder: true, modified: t.House.Now}
	}
	return t.unmarshal(id, tx.Item(t.Collection, id))
}

func (t *Toy) child(tx *storage.Tx, parent storage.ItemID, name string) *node {
	v := tx.Get(t.key(parent, name))
	if v == nil {
		return nil
	}
	return t.get(tx, storage.ItemID(binary.BigEndian.Uint32(v)))
}

// Resolve walks down the path.
func (t *Toy) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	n := t.get(s.Tx, 0)
	for _, name := range path {
		if n = t.child(s.Tx, n.id, name); n == nil {
			return nil, storage.ErrNotFound
		}
	}
	if n.rights(s) == 0 {
		return nil, storage.ErrNotFound
	}
	return n.resource(), nil
}

func (n *node) rights(s *dav.Scope) storage.Rights {
	return accounts.Rights(s.Tx, s.Identities, n.toy.Collection.Object())
}

// put writes a row, of a new item when it has no ID.
func (n *node) put(s *dav.Scope, grown int64) error {
	c, err := s.Tx.Collection(n.toy.Collection)
	if err != nil {
		return err
	}
	n.version, n.modified = s.Tx.NextID("toy"), s.Now
	id, _, err := s.Tx.PutItem(c, n.id, n.marshal(), grown)
	if err != nil {
		return err
	}
	n.id = id
	s.Tx.Put(n.toy.key(n.parent, n.name), binary.BigEndian.AppendUint32(nil, uint32(id)))
	return nil
}

func (n *node) Allowed(s *dav.Scope) dav.Privileges {
	return dav.PrivilegesOf(n.rights(s)) & dav.PrivFiles
}
func (n *node) Owner() storage.AccountID { return n.toy.owner }

func (n *node) Object() storage.Object {
	return storage.Object{Collection: n.toy.Collection, Item: n.id}
}

// Touch has a new version follow from new properties of folders, which tells
// the log; a file keeps its tag.
func (n *node) Touch(s *dav.Scope) error {
	if n.id == 0 {
		return nil
	}
	c, err := s.Tx.Collection(n.toy.Collection)
	if err == nil {
		s.Tx.ReplaceItem(c, n.id, n.marshal())
	}
	return err
}

func (f File) Kind() *dav.Kind { return f.toy.files }
func (f File) Stat() dav.Stat {
	return dav.Stat{ETag: fmt.Sprintf("v%d", f.version), Size: f.size, Type: "text/plain", Modified: f.modified, Created: f.modified}
}

// Content opens the body.
func (f File) Content(db *storage.DB) (io.ReadCloser, error) { return db.OpenBlob(f.blob) }

func late(db *storage.DB, r dav.Resource, w *davxml.Writer) error {
	f, err := db.OpenBlob(r.(File).blob)
	if err != nil {
		return err
	}
	b, err := f.Bytes()
	w.TextBytes(b)
	return errors.Join(err, f.Close())
}

func (f Folder) Kind() *dav.Kind { return f.toy.folders }
func (f Folder) Stat() dav.Stat  { return dav.Stat{Size: -1, Modified: f.modified, Display: f.name} }

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

// Receive refuses what says that it is bad.
func (f Folder) Receive(up *dav.Upload) error {
	r, err := up.Body.Reader()
	if err != nil {
		return err
	}
	head := make([]byte, 3)
	if n, _ := r.ReadAt(head, 0); string(head[:n]) == "bad" {
		err = dav.Forbidden(davxml.Name{Space: NS, Local: "valid-text"})
	}
	return errors.Join(err, r.Close())
}

// Write puts the body under the name.
func (f Folder) Write(s *dav.Scope, name string, old dav.Resource, up *dav.Upload) (dav.Resource, error) {
	n := &node{toy: f.toy, parent: f.id, name: name}
	if old != nil {
		n = old.(File).node
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
	n := &node{toy: f.toy, parent: f.id, name: name, folder: true}
	return Folder{n}, n.put(s, 0)
}

// Delete removes a member and what is below it.
func (f Folder) Delete(s *dav.Scope, name string, r dav.Resource) error { return remove(s, r) }

func remove(s *dav.Scope, r dav.Resource) error {
	var n *node
	switch r := r.(type) {
	case File:
		n = r.node
		s.Tx.Release(n.blob)
	case Folder:
		n = r.node
		var below []dav.Resource
		if err := r.Members(s, "", func(_ string, c dav.Resource) bool { below = append(below, c); return true }); err != nil {
			return err
		}
		for _, c := range below {
			if err := remove(s, c); err != nil {
				return err
			}
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
	switch from := c.Source.(type) {
	case File:
		n := &node{toy: f.toy, parent: f.id, name: c.Name, size: from.size, blob: from.blob}
		s.Tx.Retain(n.blob)
		if err := n.put(s, n.size); err != nil {
			return nil, err
		}
		return File{n}, s.Tx.CopyProperties(from.Object(), n.Object())
	case Folder:
		n := &node{toy: f.toy, parent: f.id, name: c.Name, folder: true}
		if err := n.put(s, 0); err != nil {
			return nil, err
		}
		if err := s.Tx.CopyProperties(from.Object(), n.Object()); err != nil || c.Shallow {
			return Folder{n}, err
		}
		var below []string
		if err := from.Members(s, "", func(name string, _ dav.Resource) bool { below = append(below, name); return true }); err != nil {
			return nil, err
		}
		for _, name := range below {
			if _, err := (Folder{n}).Copy(s, dav.Carriage{Source: f.toy.child(s.Tx, from.id, name).resource(), Name: name}); err != nil {
				return nil, err
			}
		}
		return Folder{n}, nil
	}
	return nil, storage.ErrInvalid
}

// Move changes the name; what is below comes along.
func (f Folder) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	if c.Old != nil {
		if err := remove(s, c.Old); err != nil {
			return nil, err
		}
	}
	var n *node
	switch from := c.Source.(type) {
	case File:
		n = from.node
	case Folder:
		n = from.node
	}
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

// Sync tells of what is below the folder; names that were left are told of the
// root's.
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
				tell(name, nil)
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
func (f Folder) Search(s *dav.Scope, q *dav.Query, skip int, fn func([]string, dav.Resource) bool) error {
	if q.Where != nil && (q.Where.Prop != davxml.DAV("displayname") || q.Where.Op != "like" && q.Where.Op != "eq") {
		return dav.Forbidden(davxml.DAV("search-grammar-supported"))
	}
	return f.Members(s, "", func(name string, r dav.Resource) bool {
		if q.Where != nil && !strings.Contains(name, strings.Trim(q.Where.Value, "%")) {
			return true
		}
		if skip > 0 {
			skip--
			return true
		}
		return fn([]string{name}, r)
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
			return r.(Folder).Members(s, after, func(name string, r dav.Resource) bool {
				f, ok := r.(File)
				if !ok {
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
