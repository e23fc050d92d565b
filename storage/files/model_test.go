package files

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

// A model is a tree as a map: paths to bodies, a folder's being "/".
type model map[string]string

func (m model) below(path string) (out []string) {
	for p := range m {
		if p == path || strings.HasPrefix(p, path+"/") {
			out = append(out, p)
		}
	}
	return out
}

func (m model) remove(path string) {
	for _, p := range m.below(path) {
		delete(m, p)
	}
}

func (m model) copy(from, to string) {
	for _, p := range m.below(from) {
		m[to+p[len(from):]] = m[p]
	}
}

func (m model) isFolder(path string) bool { return path == "" || m[path] == "/" }

// A syncer is a client that synchronizes now and then.
type syncer struct {
	folder   storage.ItemID
	infinite bool
	at       storage.SyncToken
	have     model
	restarts int
}

// Three clients do random things to one tree; a map says what must be there,
// and readers with tokens of random ages come to know it.
func TestModel(t *testing.T) {
	h := newHouse(t, 0)
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 9))
		m := model{}
		h.update(func(tx *storage.Tx) error { // a fresh tree each time
			if seed == 0 {
				return nil
			}
			left, err := Purge(tx, h.a, 100_000)
			if err == nil && left {
				err = errors.New("not purged at once")
			}
			if err == nil {
				err = Ensure(tx, h.a, h.now)
			}
			return err
		})
		clients := []*syncer{{infinite: true, folder: Root}, {infinite: true, folder: Root}, {folder: Root}}
		for step := range 500 {
			h.now = h.now.Add(time.Duration(rng.IntN(400)) * time.Second)
			h.random(rng, m, storage.AccountID(1+rng.IntN(3)))
			if rng.IntN(5) == 0 {
				h.sync(rng, clients[rng.IntN(len(clients))], m)
			}
			if step%100 == 99 {
				h.compare(m)
			}
		}
		h.check()
		t.Logf("seed %d: readers started again %d, %d and %d times", seed, clients[0].restarts, clients[1].restarts, clients[2].restarts)
	}
}

// random does one operation to the tree and to the model and compares whether
// it went well.
func (h *house) random(rng *rand.Rand, m model, by storage.AccountID) {
	h.t.Helper()
	pick := func() string {
		paths := append(slices.Sorted(maps.Keys(m)), "")
		return paths[rng.IntN(len(paths))]
	}
	name := string(rune('a' + rng.IntN(5)))
	dir, other := pick(), pick()
	path := strings.TrimPrefix(dir+"/"+name, "/")
	at := Attr{By: by, Now: h.now}
	body := fmt.Sprint("body ", rng.IntN(1_000_000))
	op := rng.IntN(12)
	c := h.content(body)
	var wrong string
	err := h.db.Update(func(tx *storage.Tx) error {
		t := h.tree(tx, h.a)
		parent, err := h.find(tx, t, dir)
		if err != nil {
			h.t.Fatal(err)
		}
		n, err := h.find(tx, t, other)
		if err != nil {
			h.t.Fatal(err)
		}
		switch {
		case op < 4:
			_, _, err = Put(tx, t, parent.ID, name, c, at)
			wrong = mismatch(err, m.isFolder(dir) && m[path] != "/")
		case op < 7:
			_, err = Mkdir(tx, t, parent.ID, name, at)
			wrong = mismatch(err, m.isFolder(dir) && m[path] == "")
		case op < 9:
			_, err = Move(tx, t, n.ID, parent.ID, name, at)
			inside := dir == other || strings.HasPrefix(dir, other+"/")
			wrong = mismatch(err, other != "" && !inside && m.isFolder(dir) && (m[path] == "" || path == other))
		case op < 10:
			err = Delete(tx, t, n.ID, at)
			wrong = mismatch(err, other != "")
		case op < 11:
			err = h.copyTree(tx, t, n, parent, name, at)
			wrong = mismatch(err, other != "" && !strings.HasPrefix(dir+"/", other+"/") && m.isFolder(dir) && m[path] == "")
		default:
			_, err = PurgeTrash(tx, t, h.now.Add(-time.Hour), rng.IntN(20))
			wrong = mismatch(err, true)
		}
		return err
	})
	if wrong != "" {
		h.t.Fatalf("operation %d, %q in %q, %q: %s: %v", op, name, dir, other, wrong, err)
	}
	if err != nil {
		return
	}
	switch {
	case op < 4:
		m[path] = body
	case op < 7:
		m[path] = "/"
	case op < 9:
		if path != other {
			m.copy(other, path)
			m.remove(other)
		}
	case op < 10:
		m.remove(other)
	case op < 11:
		m.copy(other, path)
	}
	if len(m) > 60 { // small trees meet more often
		top := slices.Sorted(maps.Keys(m))[0]
		h.delete(h.a, top)
		m.remove(top)
	}
}

func mismatch(err error, possible bool) string {
	if (err == nil) != possible {
		return fmt.Sprintf("the model says %v", possible)
	}
	return ""
}

func (h *house) copyTree(tx *storage.Tx, t *Tree, n, parent Node, name string, at Attr) error {
	if n.Kind == File {
		_, err := CopyFile(tx, t, n.ID, t, parent.ID, name, at)
		return err
	}
	if _, inside := Path(tx, t, n.ID, parent.ID); inside {
		return storage.ErrInvalid
	}
	c, err := StartCopy(tx, t, n.ID, t, at)
	for done := false; err == nil && !done; {
		done, err = c.Step(tx, 7, at)
	}
	if err == nil {
		_, err = c.Finish(tx, parent.ID, name, at)
	}
	return err
}

// sync brings a reader up to date, in pages between which the tree may change,
// and compares what it then has.
func (h *house) sync(rng *rand.Rand, s *syncer, m model) {
	h.t.Helper()
	limit := 1 + rng.IntN(30)
	for more, quiet := true, false; more || !quiet; {
		quiet = quiet || !more // what happened between pages may take one more
		h.view(func(tx *storage.Tx) {
			var err error
			t := h.tree(tx, h.a)
			s.at.Collection = t.ID
			s.at, more, err = Sync(tx, t, s.folder, s.at, limit, s.infinite, func(c Change) { s.apply(h, c) })
			if errors.Is(err, storage.ErrFloor) && s.at.ModSeq > 0 {
				s.at, s.have, more, err = storage.SyncToken{}, nil, true, nil
				s.restarts++
			}
			if err != nil {
				h.t.Fatal(err)
			}
		})
		if more && !quiet && rng.IntN(3) == 0 {
			h.random(rng, m, h.a)
		}
	}
	want := model{}
	for p, body := range m {
		if s.infinite || !strings.Contains(p, "/") {
			want[p] = body
		}
	}
	if s.have == nil {
		s.have = model{}
	}
	if !maps.Equal(s.have, want) {
		h.t.Fatalf("a reader at %v has %v\nmust have %v", s.at, s.have, want)
	}
}

func (s *syncer) apply(h *house, c Change) {
	if s.have == nil {
		s.have = model{}
	}
	path := strings.Join(c.Path, "/")
	switch {
	case c.Removed:
		s.have.remove(path)
	case c.Node.Kind == Folder:
		s.have[path] = "/"
	default:
		s.have.remove(path) // what was a folder
		s.have[path] = h.read(c.Node.Content)
	}
}

// compare lists the whole tree and holds it against the model.
func (h *house) compare(m model) {
	h.t.Helper()
	have := model{}
	h.view(func(tx *storage.Tx) {
		t := h.tree(tx, h.a)
		var list func(id storage.ItemID, path string)
		list = func(id storage.ItemID, path string) {
			for after := ""; ; {
				page, err := List(tx, t, id, after, 2)
				if err != nil {
					h.t.Fatal(err)
				}
				if len(page) == 0 {
					return
				}
				for _, n := range page {
					after = n.Name
					have[path+n.Name] = "/"
					if n.Kind == File {
						have[path+n.Name] = h.read(n.Content)
					} else {
						list(n.ID, path+n.Name+"/")
					}
				}
			}
		}
		list(Root, "")
	})
	if !maps.Equal(have, m) {
		h.t.Fatalf("the tree has %v\nmust have %v", have, m)
	}
}
