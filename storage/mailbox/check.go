package mailbox

import (
	"encoding/binary"

	"essaim.coop/essaim/storage"
)

// Check is the room's storage.CheckHook: every message of every mailbox has its
// cold row, every cold row its references and its body, every counter counts.
func Check(tx *storage.Tx, r *storage.Report) {
	refs := map[MsgID]uint64{}
	tx.ScanPrefix([]byte{4}, func(rest, _ []byte) bool { // every account
		boxes, err := List(tx, storage.AccountID(binary.BigEndian.Uint32(rest)))
		if err != nil {
			r.Problem("mailboxes of account %x: %v", rest, err)
		}
		for _, b := range boxes {
			b.check(tx, r, refs)
		}
		return true
	})
	var c Cold
	tx.ScanPrefix([]byte{'m'}, func(rest, v []byte) bool {
		id := MsgID(binary.BigEndian.Uint64(rest))
		if !c.parse(v, Everything) {
			r.Problem("message %d: the index row is damaged", id)
			return true
		}
		r.Refers(c.Blob)
		if n := refs[id]; n != references(tx, id) {
			r.Problem("message %d: %d references, counted %d", id, n, references(tx, id))
		}
		delete(refs, id)
		return true
	})
	tx.ScanPrefix([]byte{'o'}, func(rest, v []byte) bool {
		id := MsgID(binary.BigEndian.Uint64(rest))
		if tx.Get(coldKey(id)) == nil || len(v) < leastBits/8 || len(v)&(len(v)-1) != 0 {
			r.Problem("message %d: a search signature of %d bytes for it", id, len(v))
		}
		return true
	})
	tx.ScanPrefix([]byte{'p'}, func(rest, _ []byte) bool {
		if a := storage.AccountID(binary.BigEndian.Uint32(rest)); tx.Household(a) == 0 {
			r.Problem("account %d: subscribed to %q, and gone", a, rest[4:])
		}
		return true
	})
	for id, n := range refs {
		r.Problem("message %d: no index row, %d references", id, n)
	}
}

func (b *Mailbox) check(tx *storage.Tx, r *storage.Report, refs map[MsgID]uint64) {
	var unseen, deleted uint32
	var size int64
	tx.Items(b.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		m, ok := unmarshal(id, v)
		if !ok {
			r.Problem("mailbox %d (%s): message %d: row of %d bytes", b.ID, b.Name, id, len(v))
			return true
		}
		refs[m.Body]++
		size += m.Size
		if m.Flags&Seen == 0 {
			unseen++
		}
		if m.Flags&Deleted != 0 {
			deleted++
		}
		if m.ModSeq > b.Highest {
			r.Problem("mailbox %d (%s): message %d is of ModSeq %d, the mailbox of %d", b.ID, b.Name, id, m.ModSeq, b.Highest)
		}
		return true
	})
	if unseen != b.Unseen || deleted != b.Deleted || size != b.Bytes {
		r.Problem("mailbox %d (%s): counts %d unseen, %d deleted, %d bytes; there are %d, %d, %d",
			b.ID, b.Name, b.Unseen, b.Deleted, b.Bytes, unseen, deleted, size)
	}
}
