package files

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// Check is the room's storage.CheckHook: every node has its place and every
// place its node, every total and every counter counts, and what is charged is
// what is there.
func Check(tx *storage.Tx, r *storage.Report) {
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		t, err := Open(tx, storage.AccountID(binary.BigEndian.Uint32(rest)))
		if err == nil {
			c := &checker{Tree: t, tx: tx, Report: r, nodes: map[storage.ItemID]Node{}}
			c.run()
		}
		return true
	})
}

type checker struct {
	*Tree
	*storage.Report
	tx    *storage.Tx
	nodes map[storage.ItemID]Node
	bytes int64
}

func (c *checker) bad(id storage.ItemID, format string, args ...any) {
	c.Problem("files of account %d: node %d (%.80q): "+format, append([]any{c.Account, id, c.nodes[id].Name}, args...)...)
}

func (c *checker) run() {
	c.tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		n, err := unmarshalNode(id, v)
		if err != nil {
			c.Problem("files of account %d: %v", c.Account, err)
			return true
		}
		c.nodes[id] = n
		return true
	})
	if c.nodes[Root].Kind != Folder {
		c.bad(Root, "is no root")
	}
	for _, n := range c.nodes {
		c.node(n)
	}
	c.rows()
	c.totals()
	if c.bytes != c.Tree.Bytes {
		c.Problem("files of account %d: %d bytes charged, there are %d", c.Account, c.Tree.Bytes, c.bytes)
	}
}

func (c *checker) node(n Node) {
	c.properties(storage.Object{Collection: c.ID, Item: n.ID})
	c.content(n.ID, n.Content)
	c.bytes += n.charged()
	switch {
	case n.ID == Root:
	case n.Parent == 0:
		if n.Deleted == 0 || c.tx.Get(c.trashKey(n)) == nil {
			c.bad(n.ID, "is nowhere")
		}
	case c.nodes[n.Parent].Kind != Folder:
		c.bad(n.ID, "is in %d, which is no folder", n.Parent)
	default:
		if child, err := Child(c.tx, c.Tree, n.Parent, n.Name); err != nil || child.ID != n.ID {
			c.bad(n.ID, "its name leads to %d, %v", child.ID, err)
		}
	}
	if n.Placed > c.Highest || n.Rev > c.Highest {
		c.bad(n.ID, "is of ModSeq %d, %d, the tree of %d", n.Placed, n.Rev, c.Highest)
	}
	if _, err := MountTarget(c.tx, c.Tree, n.ID); (err == nil) != (n.Kind == Mount) {
		c.bad(n.ID, "of kind %d: mount: %v", n.Kind, err)
	}
	c.versions(n)
}

func (c *checker) properties(o storage.Object) {
	for _, owner := range append(c.tx.PropertyOwners(o), 0) {
		c.tx.Properties(o, owner, func(name string, v []byte) bool {
			c.bytes += int64(len(name) + len(v))
			return true
		})
	}
}

func (c *checker) content(id storage.ItemID, x Content) {
	size := int64(0)
	for _, e := range x.Extents {
		c.Refers(e.Blob)
		size += e.Length
		if e.Length <= 0 || e.Off < 0 || e.Blob == blob.ID(0) {
			c.bad(id, "extent %+v", e)
		}
	}
	if size != x.Size {
		c.bad(id, "%d bytes in extents, must be %d", size, x.Size)
	}
}

func (c *checker) versions(n Node) {
	versions, err := Versions(c.tx, c.Tree, n.ID)
	kept := int64(0)
	for _, v := range versions {
		c.content(n.ID, v.Content)
		kept += v.Size
	}
	if err != nil || len(versions) != n.Versions || kept != n.Kept {
		c.bad(n.ID, "%d versions of %d bytes, must be %d of %d: %v", len(versions), kept, n.Versions, n.Kept, err)
	}
}

// rows looks for rows of nodes that are not there.
func (c *checker) rows() {
	cases := map[string]uint64{}
	c.tx.ScanPrefix(c.key('C'), func(rest, v []byte) bool {
		id := storage.ItemID(binary.BigEndian.Uint32(v))
		n := c.nodes[id]
		if n.Parent != storage.ItemID(binary.BigEndian.Uint32(rest)) {
			c.bad(id, "is in %d and entered in %x", n.Parent, rest[:4])
		}
		cases[string(c.caseKey(n.Parent, n.Name))]++
		return true
	})
	prefix := c.key('D')
	c.tx.ScanPrefix(prefix, func(rest, v []byte) bool {
		k := string(append(prefix[:len(prefix):len(prefix)], rest...))
		if count, _ := binary.Uvarint(v); count != cases[k] {
			c.Problem("files of account %d: names %x: %d, there are %d", c.Account, rest, count, cases[k])
		}
		delete(cases, k)
		return true
	})
	for k := range cases {
		c.Problem("files of account %d: names %x are not counted", c.Account, k)
	}
	c.tx.ScanPrefix(c.key('F'), func(rest, _ []byte) bool {
		if id := storage.ItemID(binary.BigEndian.Uint32(rest[8:])); c.nodes[id].Deleted != int64(binary.BigEndian.Uint64(rest)) {
			c.bad(id, "in the trash, deleted %d", c.nodes[id].Deleted)
		}
		return true
	})
	for prefix, kind := range map[byte]Kind{'E': Folder, 'G': File, 'H': Mount} {
		c.tx.ScanPrefix(c.key(prefix), func(rest, _ []byte) bool {
			if id := storage.ItemID(binary.BigEndian.Uint32(rest)); c.nodes[id].Kind != kind {
				c.bad(id, "a row %c, kind %d", prefix, c.nodes[id].Kind)
			}
			return true
		})
	}
}

// totals adds every node to all folders above it.
func (c *checker) totals() {
	sums := map[storage.ItemID]Totals{}
	for _, n := range c.nodes {
		for id, steps := n.Parent, 0; id != 0; steps++ {
			s := sums[id]
			s.Deep = max(s.Deep, int64(steps)+1)
			switch n.Kind {
			case File:
				s.Files++
				s.Bytes += n.Size
			case Folder:
				s.Folders++
			}
			sums[id] = s
			if id = c.nodes[id].Parent; steps > len(c.nodes) {
				c.bad(n.ID, "is below itself")
				return
			}
		}
	}
	for _, n := range c.nodes {
		if n.Kind != Folder {
			continue
		}
		have, want := FolderTotals(c.tx, c.Tree, n.ID), sums[n.ID]
		if have.Bytes != want.Bytes || have.Files != want.Files || have.Folders != want.Folders || have.Deep < want.Deep {
			c.bad(n.ID, "totals %+v, must be %+v", have, want)
		}
	}
}
