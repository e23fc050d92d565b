package davtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
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
	mu         sync.Mutex
	outcomes   []bool // of the uploads that were received
	owner      storage.AccountID

	folders, files, moods *dav.Kind
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
		dav.Property{Name: name("late"), Late: late}, dav.Property{Name: name("colour"), Personal: true},
		dav.Property{Name: name("broken"), Get: func(*dav.Scope, dav.Resource, *davxml.Writer) error { return errors.New("broken") }})
	t.moods = &dav.Kind{Name: "toy mood", Privileges: dav.PrivFiles}
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

// Outcomes returns of each upload that was received whether it was committed.
func (t *Toy) Outcomes() []bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.outcomes)
}

func (t *Toy) finished(committed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes = append(t.outcomes, committed)
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
	// A Mood is a file whose name ends in .mood: it can be had loud.
	Mood struct{ File }
	// A Loud is a Mood as text/x-loud.
	Loud struct{ File }
)

var (
	_ dav.Reader     = File{}
	_ dav.Reader     = Loud{}
	_ dav.Holder     = File{}
	_ dav.Negotiator = Mood{}
	_ dav.Writer     = Folder{}
	_ dav.Maker      = Folder{}
	_ dav.Deleter    = Folder{}
	_ dav.Carrier    = Folder{}
	_ dav.Syncer     = Folder{}
	_ dav.Sharer     = Folder{}
	_ dav.Searcher   = Folder{}
	_ dav.Poster     = Folder{}
)

func (n *node) base() *node { return n }

// nodeOf is the node of any of the toy's resources.
func nodeOf(r dav.Resource) *node { return r.(interface{ base() *node }).base() }

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
	if strings.HasSuffix(n.name, ".mood") {
		return Mood{File{n}}
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

// Kind differs, because the type does.
func (m Mood) Kind() *dav.Kind { return m.toy.moods }

// Negotiate offers text/plain and text/x-loud.
func (m Mood) Negotiate(accept string) (dav.Resource, error) {
	switch accept {
	case "", "text/plain", "*/*":
		return m.File, nil
	case "text/x-loud":
		return Loud(m), nil
	}
	return nil, dav.Status(http.StatusNotAcceptable)
}

// Stat has a tag of its own, and no size before it is made.
func (l Loud) Stat() dav.Stat {
	st := l.File.Stat()
	st.ETag, st.Type, st.Size = st.ETag+"-loud", "text/x-loud", -1
	return st
}

// Content is the text in capitals.
func (l Loud) Content(db *storage.DB) (io.ReadCloser, error) {
	r, err := db.OpenBlob(l.blob)
	if err != nil {
		return nil, err
	}
	b, err := r.Bytes()
	return io.NopCloser(strings.NewReader(strings.ToUpper(string(b)))), errors.Join(err, r.Close())
}

func late(db *storage.DB, r dav.Resource, w *davxml.Writer) error {
	f, err := db.OpenBlob(nodeOf(r).blob)
	if err != nil {
		return err
	}
	b, err := f.Bytes()
	w.TextBytes(b)
	return errors.Join(err, f.Close())
}

func (f Folder) Kind() *dav.Kind { return f.toy.folders }
func (f Folder) Stat() dav.Stat  { return dav.Stat{Size: -1, Modified: f.modified, Display: f.name} }
