package files

import (
	"strings"

	"essaim.coop/essaim/storage"
)

// Search calls fn with the nodes below a folder whose names contain a text,
// without regard to case, in the order of their IDs from after on, until fn
// returns false. It looks at every row of the tree and opens no file.
func Search(tx *storage.Tx, t *Tree, below storage.ItemID, text string, after storage.ItemID, fn func(path []string, n Node) bool) {
	text = fold(text)
	w := &walk{tx: tx, t: t, top: below, infinite: true, at: map[storage.ItemID]spot{below: {ok: true}}}
	tx.Items(t.ID, after+1, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		n, err := unmarshalNode(id, v)
		if err != nil || !strings.Contains(fold(n.Name), text) {
			return true
		}
		path, ok := w.under(n.Parent, n.Name)
		return !ok || fn(path, n)
	})
}
