package files

import "essaim.coop/essaim/storage"

// Below calls fn with the nodes below a folder in the order of their IDs, from
// after on, each with its path from there, until fn returns false or most rows
// of the tree were looked at, whichever folder they are of. It returns the last
// one it has looked at, and whether there may be more.
func Below(tx *storage.Tx, t *Tree, folder, after storage.ItemID, most int, fn func(path []string, n Node) bool) (last storage.ItemID, more bool) {
	w := &walk{tx: tx, t: t, top: folder, infinite: true, at: map[storage.ItemID]spot{folder: {ok: true}}}
	last = after
	tx.Items(t.ID, after+1, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		if more = most == 0; more {
			return false
		}
		most, last = most-1, id
		parent := parentIn(v)
		if parent == 0 || !w.spot(parent).ok {
			return true
		}
		n, err := unmarshalNode(id, v)
		if err != nil {
			return true
		}
		path, _ := w.under(parent, n.Name)
		more = !fn(path, n)
		return !more
	})
	return last, more
}
