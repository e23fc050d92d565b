package mailbox

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
)

// A Message is a hot row: what a mailbox knows of one of its messages.
type Message struct {
	UID      storage.ItemID
	ModSeq   storage.ModSeq
	Flags    Flags
	Body     MsgID
	Internal int64 // seconds since 1970
	Saved    uint32
	Size     int64 // bytes, with our own header fields
}

// append writes the fields as varints; the save date is told by its distance
// from the internal one.
func (m *Message) append(b []byte) []byte {
	for _, v := range [...]uint64{uint64(m.ModSeq), uint64(m.Flags), uint64(m.Body), uint64(m.Size)} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendVarint(b, m.Internal)
	return binary.AppendVarint(b, int64(m.Saved)-m.Internal)
}

func unmarshal(id storage.ItemID, b []byte) (m Message, ok bool) {
	var v [4]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return m, false
		}
		b = b[n:]
	}
	internal, n := binary.Varint(b)
	if n <= 0 {
		return m, false
	}
	saved, k := binary.Varint(b[n:])
	if k <= 0 || n+k != len(b) {
		return m, false
	}
	return Message{
		UID: id, ModSeq: storage.ModSeq(v[0]), Flags: Flags(v[1]), Body: MsgID(v[2]), Size: int64(v[3]),
		Internal: internal, Saved: uint32(internal + saved),
	}, true
}

// Scan calls fn with the messages from..to, both included, until it returns
// false. fn must not write.
func Scan(tx *storage.Tx, box *Mailbox, from, to storage.ItemID, fn func(Message) bool) {
	tx.Items(box.ID, from, to, func(id storage.ItemID, v []byte) bool {
		m, ok := unmarshal(id, v)
		return !ok || fn(m)
	})
}

// collect reads the messages of ranges, so that they can be written to.
func collect(tx *storage.Tx, box *Mailbox, uids []storage.Range, keep func(Message) bool) []Message {
	var out []Message
	for _, r := range uids {
		if keep == nil {
			out = slices.Grow(out, int(min(uint32(r.To-r.From)+1, box.Count)))
		}
		Scan(tx, box, r.From, r.To, func(m Message) bool {
			if keep == nil || keep(m) {
				out = append(out, m)
			}
			return true
		})
	}
	return out
}

// Append puts a message into a mailbox. The same Incoming may go to several
// mailboxes in one transaction; it is stored once.
func Append(tx *storage.Tx, box *Mailbox, in *Incoming, flags []string, internal, now time.Time) (storage.ItemID, error) {
	f, err := box.intern(flags)
	if err != nil {
		return 0, err
	}
	if in.tx != tx {
		in.tx, in.id = tx, 0
	}
	m := Message{Flags: f, Internal: internal.Unix(), Saved: uint32(now.Unix()), Size: in.Size()}
	if err := tx.Charge(box.Account, m.Size); err != nil {
		return 0, err
	}
	if in.id == 0 {
		in.id = in.attach(tx)
	} else {
		retain(tx, in.id)
	}
	m.Body = in.id
	return box.add(tx, m)
}

// add writes a new hot row; its size is charged already.
func (box *Mailbox) add(tx *storage.Tx, m Message) (storage.ItemID, error) {
	m.ModSeq = tx.Bump(box.Account)
	id, _, err := tx.PutItem(box.Collection, 0, m.append(nil), 0)
	if err != nil {
		return 0, err
	}
	box.Bytes += m.Size
	box.count(m.Flags, 1)
	return id, box.save(tx)
}

func (box *Mailbox) count(f Flags, n int) {
	if f&Seen == 0 {
		box.Unseen += uint32(n)
	}
	if f&Deleted != 0 {
		box.Deleted += uint32(n)
	}
}

// An Op says what SetFlags does with the flags named.
type Op uint8

const (
	Set Op = iota
	Add
	Clear
)

// A FlagChange is what SetFlags does.
type FlagChange struct {
	Op             Op
	Flags          []string
	May            Flags          // those that may be changed, keywords all or none; the others stay
	UnchangedSince storage.ModSeq // leave messages alone that changed after it; 0: none
}

// SetFlags changes the flags of the messages in uids. Those left alone because
// of UnchangedSince are returned in modified (RFC 7162 §3.1.3); changed are
// those whose flags are now other than before.
func SetFlags(tx *storage.Tx, box *Mailbox, uids []storage.Range, c FlagChange) (changed, modified []storage.Range, err error) {
	bits, err := box.intern(c.Flags)
	if err != nil {
		return nil, nil, err
	}
	var row []byte
	for _, m := range collect(tx, box, uids, nil) {
		if c.UnchangedSince != 0 && m.ModSeq > c.UnchangedSince {
			modified = appendID(modified, m.UID)
			continue
		}
		f := m.Flags
		switch c.Op {
		case Set:
			f = f&^c.May | bits&c.May
		case Add:
			f |= bits & c.May
		case Clear:
			f &^= bits & c.May
		}
		if f == m.Flags {
			continue
		}
		box.count(m.Flags, -1)
		box.count(f, 1)
		m.Flags, m.ModSeq = f, tx.Bump(box.Account)
		row = m.append(row[:0])
		tx.ReplaceItem(box.Collection, m.UID, row)
		changed = appendID(changed, m.UID)
	}
	if len(changed) == 0 {
		return nil, modified, nil
	}
	return changed, modified, box.save(tx)
}

// appendID adds an ID that is greater than all before it.
func appendID(rs []storage.Range, id storage.ItemID) []storage.Range {
	if n := len(rs); n > 0 && rs[n-1].To+1 == id {
		rs[n-1].To = id
		return rs
	}
	return append(rs, storage.Range{From: id, To: id})
}

// Expunge removes the messages marked \Deleted among uids, or among all when
// uids is nil, and returns which.
func Expunge(tx *storage.Tx, box *Mailbox, uids []storage.Range) ([]storage.Range, error) {
	if uids == nil {
		uids = []storage.Range{{From: 1, To: ^storage.ItemID(0)}}
	}
	if box.Deleted == 0 {
		return nil, nil
	}
	return box.remove(tx, collect(tx, box, uids, func(m Message) bool { return m.Flags&Deleted != 0 }))
}

// Remove removes the messages in uids, whatever their flags.
func Remove(tx *storage.Tx, box *Mailbox, uids []storage.Range) ([]storage.Range, error) {
	return box.remove(tx, collect(tx, box, uids, nil))
}

func (box *Mailbox) remove(tx *storage.Tx, gone []Message) (out []storage.Range, err error) {
	for _, m := range gone {
		if _, err := tx.RemoveItem(box.Collection, m.UID, m.Size); err != nil {
			return nil, err
		}
		box.count(m.Flags, -1)
		release(tx, m.Body)
		out = appendID(out, m.UID)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	return out, box.save(tx)
}

// A Pair is a message's UID before and after a COPY or MOVE.
type Pair struct{ From, To storage.ItemID }

// Copy copies messages with their dates and those of their flags that may be
// set. Messages that are gone are passed over. What a copy takes is charged to
// the account of the mailbox it goes to.
func Copy(tx *storage.Tx, from, to *Mailbox, uids []storage.Range, may Flags, now time.Time) ([]Pair, error) {
	to = same(from, to)
	var out []Pair
	for _, m := range collect(tx, from, uids, nil) {
		if err := tx.Charge(to.Account, m.Size); err != nil {
			return nil, err
		}
		retain(tx, m.Body)
		id, err := to.adopt(tx, from, m, may, now)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{m.UID, id})
	}
	return out, nil
}

// Move is Copy, and the messages leave the mailbox they were in.
func Move(tx *storage.Tx, from, to *Mailbox, uids []storage.Range, may Flags, now time.Time) ([]Pair, error) {
	to = same(from, to)
	var out []Pair
	for _, m := range collect(tx, from, uids, nil) {
		if _, err := tx.RemoveItem(from.Collection, m.UID, m.Size); err != nil {
			return nil, err
		}
		from.count(m.Flags, -1)
		if err := tx.Charge(to.Account, m.Size); err != nil {
			return nil, err
		}
		id, err := to.adopt(tx, from, m, may, now)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{m.UID, id})
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, from.save(tx)
}

// same makes two handles on one mailbox one, so that their counters agree.
func same(from, to *Mailbox) *Mailbox {
	if from.ID == to.ID {
		return from
	}
	return to
}

func (box *Mailbox) adopt(tx *storage.Tx, from *Mailbox, m Message, may Flags, now time.Time) (storage.ItemID, error) {
	m.Flags &= may
	if box != from && m.Flags>>firstKeyword != 0 {
		f, err := box.intern(from.FlagNames(m.Flags))
		if err != nil {
			return 0, fmt.Errorf("copying keywords: %w", err)
		}
		m.Flags = f
	}
	m.Saved = uint32(now.Unix())
	return box.add(tx, m)
}
