package webfs

import (
	"fmt"
	"strings"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

// fill makes a folder of n files that share one body, in large transactions.
func (h *house) fill(who, name string, n int) {
	h.t.Helper()
	h.want(201, who, "MKCOL", name+"/", "")
	h.want(201, who, "PUT", name+"/entry-0000000.txt", "content\n")
	for i := 1; i < n; {
		err := h.db.Update(func(tx *storage.Tx) error {
			t, err := files.Open(tx, h.ids[who])
			if err != nil {
				return err
			}
			p, err := files.Resolve(tx, t, strings.Split(name, "/"))
			if err != nil {
				return err
			}
			dir := p.Node
			src, err := files.Child(tx, t, dir.ID, "entry-0000000.txt")
			for end := min(n, i+5000); i < end && err == nil; i++ {
				_, err = files.CopyFile(tx, t, src.ID, t, dir.ID, fmt.Sprintf("entry-%07d.txt", i), files.Attr{By: h.ids[who], Now: h.now})
			}
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}
