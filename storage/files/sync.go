package files

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"essaim.coop/essaim/storage"
)

// A Change is a member of a folder that is new or has changed, or a path that
// no member has any more.
type Change struct {
	Path    []string
	Node    Node
	Removed bool
}

const (
	// broodLimit is how much below folders that came from elsewhere one page
	// tells; whoever has more to learn starts again, which has pages of its own.
	broodLimit = 20_000
	// emptyPages is how many pages of the log without a word about the folder
	// are passed over at once.
	emptyPages = 50
	// syncRows is how many rows one page looks at for the children of a folder
	// that has more below it.
	syncRows = 20_000
)

// Sync calls fn with what a reader at a token has to learn of what is below a
// folder (RFC 6578 §3.5), about limit of it: of its children or, when infinite,
// of everything. It returns where to go on and whether there is more now.
// ErrFloor when the log does not reach back, and the reader must start again.
//
// A folder that came from elsewhere brings everything below it, and one that
// went takes it along unsaid. When another folder has its name by now, what was
// below cannot be told from what is: that is ErrFloor, too.
func Sync(tx *storage.Tx, t *Tree, folder storage.ItemID, token storage.SyncToken, limit int, infinite bool, fn func(Change)) (next storage.SyncToken, more bool, err error) {
	w := &walk{tx: tx, t: t, top: folder, infinite: infinite, fn: fn, at: map[storage.ItemID]spot{folder: {ok: true}}}
	if !infinite && (token.Initial || token.ModSeq == 0) {
		next, more = w.children(token, max(limit, 1))
		return next, more, nil
	}
	next, more = token, true
	for range emptyPages {
		var p storage.SyncPage
		if p, err = tx.Sync(next, limit); err != nil {
			return token, false, err
		}
		if err = w.page(p); err != nil {
			return token, false, err
		}
		if next, more = p.Next, p.More; w.told > 0 || !more {
			break
		}
	}
	return next, more, nil
}

// A spot is where a folder is below the top of a walk, if it is.
type spot struct {
	path []string
	ok   bool
}

type walk struct {
	tx       *storage.Tx
	t        *Tree
	top      storage.ItemID
	infinite bool
	fn       func(Change)
	told     int
	at       map[storage.ItemID]spot
}

func (w *walk) spot(id storage.ItemID) spot {
	if s, ok := w.at[id]; ok {
		return s
	}
	var s spot
	if n, err := Get(w.tx, w.t, id); err == nil && n.Parent != 0 {
		if above := w.spot(n.Parent); above.ok {
			s = spot{append(slices.Clone(above.path), n.Name), true}
		}
	}
	w.at[id] = s
	return s
}

// under returns where a name in a folder is, if it is of this walk.
func (w *walk) under(parent storage.ItemID, name string) ([]string, bool) {
	if parent == 0 || !w.infinite && parent != w.top {
		return nil, false
	}
	s := w.spot(parent)
	return append(slices.Clone(s.path), name), s.ok
}

func (w *walk) tell(c Change) {
	w.told++
	w.fn(c)
}

// children gives those of the top in the order of their IDs, and then the token
// of when it began.
func (w *walk) children(token storage.SyncToken, limit int) (next storage.SyncToken, more bool) {
	next = token
	if !token.Initial {
		next = w.tx.SyncToken(w.t.Collection)
	}
	var ids []storage.ItemID
	last := token.After
	if FolderTotals(w.tx, w.t, w.top).Nodes() > syncRows {
		ids, last, more = w.t.childrenAfter(w.tx, w.top, token.After, limit)
	} else {
		ids = w.t.childIDs(w.tx, w.top, nil, math.MaxInt)
		slices.Sort(ids)
		from, _ := slices.BinarySearch(ids, token.After+1)
		ids = ids[from:]
		if more = len(ids) > limit; more {
			ids = ids[:limit]
			last = ids[limit-1]
		}
	}
	for _, id := range ids {
		if n, err := Get(w.tx, w.t, id); err == nil {
			w.tell(Change{Path: []string{n.Name}, Node: n})
		}
	}
	next.Initial, next.After = more, 0
	if more {
		next.After = last
	}
	return next, more
}

// childIDs adds up to most of a folder's children to ids.
func (t *Tree) childIDs(tx *storage.Tx, folder storage.ItemID, ids []storage.ItemID, most int) []storage.ItemID {
	tx.ScanPrefix(t.key('C', folder), func(_, v []byte) bool {
		ids = append(ids, storage.ItemID(binary.BigEndian.Uint32(v)))
		most--
		return most > 0
	})
	return ids
}

// childrenAfter looks for children of a folder among all nodes after one, at
// most syncRows of them: the names of a large folder would have to be put in the
// order of IDs for every page. It returns how far it has looked, and whether
// there is more to look at.
func (t *Tree) childrenAfter(tx *storage.Tx, folder, after storage.ItemID, limit int) (ids []storage.ItemID, last storage.ItemID, more bool) {
	rows := syncRows
	tx.Items(t.ID, after+1, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		if more = rows == 0 || len(ids) == limit; more {
			return false
		}
		if rows, last = rows-1, id; parentIn(v) == folder {
			ids = append(ids, id)
		}
		return true
	})
	return ids, last, more
}

// page tells what a page of the log says.
func (w *walk) page(p storage.SyncPage) error {
	ids, err := w.concerned(p)
	for _, id := range ids {
		if err != nil {
			return err
		}
		err = w.item(id, p)
	}
	return err
}

// concerned are the items of a page, and those below a folder that was placed.
func (w *walk) concerned(p storage.SyncPage) ([]storage.ItemID, error) {
	ids := slices.Concat(p.Changed, p.Removed)
	if p.Initial || !w.infinite {
		return ids, nil
	}
	var placed []storage.ItemID
	for _, id := range p.Changed {
		if n, err := Get(w.tx, w.t, id); err == nil && n.Kind == Folder && n.Placed > p.Since && w.spot(id).ok {
			placed = append(placed, id)
		}
	}
	for brood := []storage.ItemID(nil); len(placed) > 0; {
		id := placed[len(placed)-1]
		placed = placed[:len(placed)-1]
		from := len(brood)
		brood = w.t.childIDs(w.tx, id, brood, broodLimit+1-len(brood))
		if len(brood) > broodLimit {
			return nil, fmt.Errorf("more than %d came at once: %w", broodLimit, storage.ErrFloor)
		}
		for _, child := range brood[from:] {
			if w.tx.Get(w.t.key('E', child)) != nil {
				placed = append(placed, child)
			}
		}
		ids = append(ids, brood[from:]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// item tells what happened to one: that it is there, and the places it left.
func (w *walk) item(id storage.ItemID, p storage.SyncPage) error {
	if n, err := Get(w.tx, w.t, id); err == nil {
		if path, ok := w.under(n.Parent, n.Name); ok {
			w.tell(Change{Path: path, Node: n})
		}
	}
	if p.Initial {
		return nil
	}
	for _, v := range w.tx.VacatedNames(w.t.ID, id, p.Since) {
		if len(v) <= 5 {
			continue
		}
		parent, kind, name := storage.ItemID(binary.BigEndian.Uint32([]byte(v))), Kind(v[4]), v[5:]
		path, ok := w.under(parent, name)
		if !ok {
			continue
		}
		now, err := Child(w.tx, w.t, parent, name)
		switch {
		case err != nil:
			w.tell(Change{Path: path, Removed: true})
		case w.infinite && kind == Folder && now.Kind == Folder && now.ID != id:
			return fmt.Errorf("%q is another folder now: %w", name, storage.ErrFloor)
		}
	}
	return nil
}
