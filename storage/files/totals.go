package files

import (
	"encoding/binary"
	"fmt"

	"essaim.coop/essaim/storage"
)

// Totals are what is below a folder. They are kept beside the folder's item, so
// that a change deep down is not a change of every folder above it in the log.
type Totals struct {
	Changed storage.ModSeq // of the last change below
	Time    int64          // and its date, or one that was set since
	Bytes   int64          // of the files' contents, versions left out
	Files   int64
	Folders int64
	Deep    int64 // how many levels there are, or have been
}

// Nodes is how many there are.
func (s Totals) Nodes() int64 { return s.Files + s.Folders }

// FolderTotals returns a folder's.
func FolderTotals(tx *storage.Tx, t *Tree, folder storage.ItemID) Totals {
	r := reader{b: tx.Get(t.key('E', folder))}
	if len(r.b) == 0 {
		return Totals{}
	}
	return Totals{storage.ModSeq(r.uint()), int64(r.uint()), int64(r.uint()), int64(r.uint()), int64(r.uint()), int64(r.uint())}
}

func (t *Tree) putTotals(tx *storage.Tx, folder storage.ItemID, s Totals) {
	var b []byte
	for _, v := range []uint64{uint64(s.Changed), uint64(s.Time), uint64(s.Bytes), uint64(s.Files), uint64(s.Folders), uint64(s.Deep)} {
		b = binary.AppendUvarint(b, v)
	}
	tx.Put(t.key('E', folder), b)
}

// FolderTag is a strong tag of a folder and everything below it, quoted. It
// differs between a store and one restored from its backup.
func FolderTag(t *Tree, folder storage.ItemID, s Totals, epoch uint32) string {
	return fmt.Sprintf(`"%x-%x-%x-%x"`, epoch, t.ID, folder, s.Changed)
}

// An edit gathers what one call changes, and writes each folder's totals once.
type edit struct {
	*Tree
	tx   *storage.Tx
	now  int64
	sums map[storage.ItemID]Totals

	budget int // nodes and versions that may still be removed
}

func (t *Tree) edit(tx *storage.Tx, now int64) *edit {
	return &edit{Tree: t, tx: tx, now: now, sums: map[storage.ItemID]Totals{}}
}

// below notes that something in a folder changed, and by how much.
func (e *edit) below(folder storage.ItemID, bytes, files, folders int64) {
	s := e.sums[folder]
	s.Bytes += bytes
	s.Files += files
	s.Folders += folders
	e.sums[folder] = s
}

// deeper notes that a folder has so many levels.
func (e *edit) deeper(folder storage.ItemID, levels int64) {
	s := e.sums[folder]
	s.Deep = max(s.Deep, levels)
	e.sums[folder] = s
}

// moved adds a node with all below it to a folder (sign 1), or takes it away.
func (e *edit) moved(folder storage.ItemID, n Node, sign int64) {
	if sign > 0 {
		e.deeper(folder, 1+FolderTotals(e.tx, e.Tree, n.ID).Deep)
	}
	switch n.Kind {
	case File:
		e.below(folder, sign*n.Size, sign, 0)
	case Folder:
		s := FolderTotals(e.tx, e.Tree, n.ID)
		e.below(folder, sign*s.Bytes, sign*s.Files, sign*(s.Folders+1))
	default:
		e.below(folder, 0, 0, 0)
	}
}

// done adds what was gathered to the folders and to all above them.
func (e *edit) done() error {
	all := map[storage.ItemID]Totals{}
	for folder, d := range e.sums {
		for id, deep := folder, d.Deep; id != 0; {
			s := all[id]
			s.Bytes += d.Bytes
			s.Files += d.Files
			s.Folders += d.Folders
			s.Deep = max(s.Deep, deep)
			all[id] = s
			n, err := Get(e.tx, e.Tree, id)
			if err != nil {
				return err
			}
			if id = n.Parent; deep > 0 {
				deep++
			}
		}
	}
	m := e.tx.Bump(e.Account)
	for id, d := range all {
		s := FolderTotals(e.tx, e.Tree, id)
		s.Changed, s.Time = m, max(s.Time, e.now)
		s.Bytes += d.Bytes
		s.Files += d.Files
		s.Folders += d.Folders
		if s.Deep = max(s.Deep, d.Deep); s.Folders == 0 {
			s.Deep = min(s.Deep, 1)
		}
		e.putTotals(e.tx, id, s)
	}
	clear(e.sums)
	return nil
}
