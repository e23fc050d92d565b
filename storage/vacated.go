package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Vacate notes that an item leaves a name: it is renamed, moved or removed in
// this transaction. DAV has to tell the name of a member that is gone (RFC 6578
// §3.5.1), and the item does not know it any more. The note goes when the
// floor of the change log passes it. The caller changes or removes the item
// itself; a name is at most 4 KiB.
func (tx *Tx) Vacate(c *Collection, id ItemID, name string) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	if name == "" || len(name) > 4<<10 {
		return fmt.Errorf("name of %d bytes: %w", len(name), ErrInvalid)
	}
	k := binary.BigEndian.AppendUint64(key32(0x0f, uint32(c.ID), uint32(id)), uint64(tx.Bump(c.Account)))
	v := binary.AppendUvarint(slices.Clone(tx.Get(k)), uint64(len(name)))
	tx.Put(k, append(v, name...))
	return nil
}

// VacatedNames returns the names that an item left after since, oldest first,
// each once. Another item may have one of them by now.
func (tx *Tx) VacatedNames(c CollectionID, id ItemID, since ModSeq) (out []string) {
	prefix := key32(0x0f, uint32(c), uint32(id))
	from := binary.BigEndian.AppendUint64(slices.Clone(prefix), uint64(since)+1)
	tx.Scan(from, prefixEnd(prefix), false, func(_, v []byte) bool {
		for len(v) > 0 {
			size, n := binary.Uvarint(v)
			if n <= 0 || size > uint64(len(v)-n) {
				return false
			}
			if name := string(v[n : n+int(size)]); !slices.Contains(out, name) {
				out = append(out, name)
			}
			v = v[n+int(size):]
		}
		return true
	})
	return out
}

// trimVacated drops the names that the items of a log row left up to its
// ModSeq.
func (tx *Tx) trimVacated(c CollectionID, rs []Range, upTo ModSeq) {
	var keys [][]byte
	for _, r := range rs {
		end := key32(0x0f, uint32(c)+1)
		if r.To != ^ItemID(0) {
			end = key32(0x0f, uint32(c), uint32(r.To)+1)
		}
		tx.Scan(key32(0x0f, uint32(c), uint32(r.From)), end, false, func(k, _ []byte) bool {
			if ModSeq(binary.BigEndian.Uint64(k[9:])) <= upTo {
				keys = append(keys, slices.Clone(k))
			}
			return true
		})
	}
	for _, k := range keys {
		tx.Delete(k)
	}
}
