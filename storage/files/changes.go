package files

import (
	"encoding/binary"
	"fmt"
	"slices"

	"essaim.coop/essaim/storage"
)

// A Change is a member of a folder that is new or has changed, or a path that
// no member has any more.
type Change struct {
	Place   uint64 // in the order of Changes
	Path    []string
	Node    Node
	Removed bool
}

// Changes calls fn with what happened below a folder after since (RFC 6578
// §3.5), in order and beginning after a place, until fn returns false: its
// children or, when infinite, everything below. Since 0 is everything that is
// there. ErrFloor when the log does not reach back.
//
// A folder that came from elsewhere brings everything below it, and one that
// went takes it along unsaid. When another folder has its name now, what was
// below cannot be told from what is: then the reader must start again, too.
func Changes(tx *storage.Tx, t *Tree, folder storage.ItemID, since storage.ModSeq, infinite bool, after uint64, fn func(Change) bool) error {
	w := &walk{tx: tx, t: t, top: folder, since: since, infinite: infinite, at: map[storage.ItemID]spot{folder: {ok: true}}}
	switch {
	case since == 0 && infinite:
		w.everything(after, fn)
		return nil
	case since == 0:
		w.children(after, fn)
		return nil
	case since >= FolderTotals(tx, t, folder).Changed:
		return nil
	}
	ch, err := tx.Changes(t.ID, since)
	if err != nil {
		return err
	}
	for _, id := range w.concerned(ch) {
		if uint64(id) >= after>>16 && !w.item(id, after, fn) {
			break
		}
	}
	return w.err
}

// SyncPoint is the ModSeq of the last change below a folder, as far as the log
// reaches.
func SyncPoint(tx *storage.Tx, t *Tree, folder storage.ItemID) storage.ModSeq {
	return max(FolderTotals(tx, t, folder).Changed, t.Floor)
}

// A spot is where a folder is, below the top of a walk.
type spot struct {
	path []string
	ok   bool
}

type walk struct {
	tx       *storage.Tx
	t        *Tree
	top      storage.ItemID
	since    storage.ModSeq
	infinite bool
	at       map[storage.ItemID]spot
	err      error
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

func (w *walk) everything(after uint64, fn func(Change) bool) {
	w.tx.Items(w.t.ID, storage.ItemID(after>>16)+1, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		n, err := unmarshalNode(id, v)
		if err != nil {
			return true
		}
		path, ok := w.under(n.Parent, n.Name)
		return !ok || fn(Change{Place: uint64(id) << 16, Path: path, Node: n})
	})
}

func (w *walk) children(after uint64, fn func(Change) bool) {
	var ids []storage.ItemID
	w.tx.ScanPrefix(w.t.key('C', w.top), func(_, v []byte) bool {
		ids = append(ids, storage.ItemID(binary.BigEndian.Uint32(v)))
		return true
	})
	slices.Sort(ids)
	for _, id := range ids {
		n, err := Get(w.tx, w.t, id)
		if err == nil && uint64(id) > after>>16 && !fn(Change{Place: uint64(id) << 16, Path: []string{n.Name}, Node: n}) {
			return
		}
	}
}

// concerned are the items of the log, and those below a folder that was placed.
func (w *walk) concerned(ch storage.Changes) []storage.ItemID {
	var ids, placed []storage.ItemID
	for _, rs := range [][]storage.Range{ch.Changed, ch.Removed} {
		for _, r := range rs {
			for id := r.From; id <= r.To; id++ {
				ids = append(ids, id)
			}
		}
	}
	if w.infinite {
		for _, id := range ids {
			if n, err := Get(w.tx, w.t, id); err == nil && n.Kind == Folder && n.Placed > w.since {
				placed = append(placed, id)
			}
		}
	}
	for len(placed) > 0 {
		id := placed[len(placed)-1]
		placed = placed[:len(placed)-1]
		if s := w.spot(id); !s.ok {
			continue
		}
		w.tx.ScanPrefix(w.t.key('C', id), func(_, v []byte) bool {
			child := storage.ItemID(binary.BigEndian.Uint32(v))
			ids = append(ids, child)
			if w.tx.Get(w.t.key('E', child)) != nil {
				placed = append(placed, child)
			}
			return true
		})
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// item tells what happened to one: that it is there, and the places it left.
func (w *walk) item(id storage.ItemID, after uint64, fn func(Change) bool) bool {
	place := uint64(id) << 16
	if n, err := Get(w.tx, w.t, id); err == nil {
		if path, ok := w.under(n.Parent, n.Name); ok && place > after && !fn(Change{Place: place, Path: path, Node: n}) {
			return false
		}
	}
	for _, v := range w.tx.VacatedNames(w.t.ID, id, w.since) {
		place++
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
		case err != nil && place > after && !fn(Change{Place: place, Path: path, Removed: true}):
			return false
		case err == nil && w.infinite && kind == Folder && now.Kind == Folder && now.ID != id:
			w.err = fmt.Errorf("%q is another folder now: %w", name, storage.ErrFloor)
			return false
		}
	}
	return true
}
