package storage

import (
	"encoding/binary"
	"fmt"
)

// key32 is a prefix and numbers.
func key32(prefix byte, n ...uint32) []byte {
	k := append(make([]byte, 0, 1+4*len(n)+8), prefix)
	for _, v := range n {
		k = binary.BigEndian.AppendUint32(k, v)
	}
	return k
}

// marshal: version, then varints, the name with its length, and Extra.
func (c *Collection) marshal() []byte {
	b := append(make([]byte, 0, 64+len(c.Name)+len(c.Extra)), 1, byte(c.Kind))
	for _, v := range []uint64{
		uint64(c.Account), uint64(c.UIDValidity), uint64(c.NextItem), uint64(c.Count), uint64(c.Bytes),
		uint64(c.Created), uint64(c.Highest), uint64(c.Floor), uint64(c.LogRows), uint64(len(c.Name)),
	} {
		b = binary.AppendUvarint(b, v)
	}
	b = append(b, c.Name...)
	return append(b, c.Extra...)
}

func unmarshalCollection(id CollectionID, b []byte) (*Collection, error) {
	if len(b) < 2 || b[0] != 1 {
		return nil, badHeader(id)
	}
	c := &Collection{ID: id, Kind: Kind(b[1])}
	var v [10]uint64
	b = b[2:]
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return nil, badHeader(id)
		}
		b = b[n:]
	}
	if v[9] > uint64(len(b)) {
		return nil, badHeader(id)
	}
	c.Account, c.UIDValidity, c.NextItem, c.Count = AccountID(v[0]), uint32(v[1]), ItemID(v[2]), uint32(v[3])
	c.Bytes, c.Created, c.Highest, c.Floor, c.LogRows = int64(v[4]), ModSeq(v[5]), ModSeq(v[6]), ModSeq(v[7]), uint32(v[8])
	c.Name = string(b[:v[9]])
	c.stored = c.Name
	c.Extra = append([]byte(nil), b[v[9]:]...)
	return c, nil
}

func badHeader(id CollectionID) error {
	return fmt.Errorf("collection %d: header: %w", id, ErrInvalid)
}

// appendRanges: how many, then the distance to each run and its length less one.
func appendRanges(b []byte, rs []Range) []byte {
	b = binary.AppendUvarint(b, uint64(len(rs)))
	last := ItemID(0)
	for _, r := range rs {
		b = binary.AppendUvarint(b, uint64(r.From-last))
		b = binary.AppendUvarint(b, uint64(r.To-r.From))
		last = r.To
	}
	return b
}

var errLogRow = fmt.Errorf("change log row: %w", ErrInvalid)

func readRanges(b []byte) (rs []Range, rest []byte, err error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return nil, nil, errLogRow
	}
	b = b[n:]
	last := ItemID(0)
	for range count {
		d, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, nil, errLogRow
		}
		l, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, nil, errLogRow
		}
		b = b[n+m:]
		r := Range{From: last + ItemID(d)}
		r.To = r.From + ItemID(l)
		rs, last = append(rs, r), r.To
	}
	return rs, b, nil
}
