package contacts

import (
	"encoding/binary"
	"slices"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
)

// The row of a card's searchable text: for each property of an indexed name the
// number of the name, the length of what follows, and the values, each with its
// length, folded as i;unicode-casemap compares. A card with more than maxIndex
// bytes of it has a row of one 0: only the card itself can tell.
var indexed = []string{"", "FN", "N", "EMAIL", "TEL", "NICKNAME", "ORG", "UID", "CATEGORIES", "KIND", "X-ADDRESSBOOKSERVER-KIND"}

const maxIndex = 16 << 10

func indexKey(b storage.CollectionID, id storage.ItemID) []byte {
	return resource.Key('x', b, id)
}

func appendIndex(b []byte, c *vcard.Card) []byte {
	var entry []byte
	for i := range c.Properties {
		p := &c.Properties[i]
		n := slices.IndexFunc(indexed, p.Is)
		if n <= 0 {
			continue
		}
		entry = entry[:0]
		for _, v := range p.Values() {
			v = vcard.Fold(v)
			entry = append(binary.AppendUvarint(entry, uint64(len(v))), v...)
		}
		b = append(binary.AppendUvarint(append(b, byte(n)), uint64(len(entry))), entry...)
		if len(b) > maxIndex {
			return []byte{0}
		}
	}
	return b
}

// cut takes a length and as many bytes off the front; ok is false at the end and
// where the row is damaged.
func cut(b []byte) (field, rest []byte, ok bool) {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(l)], b[n+int(l):], true
}

// A rowReader answers a filter out of one row after the other. What it returns
// is good until it is asked again.
type rowReader struct {
	row    []byte
	props  [][][]byte
	values [][]byte
}

// lookup is a vcard.Index.
func (r *rowReader) lookup(name string) ([][][]byte, bool) {
	n := slices.Index(indexed, name)
	if n <= 0 {
		return nil, false
	}
	r.props, r.values = r.props[:0], r.values[:0]
	for row := r.row; len(row) > 0; {
		entry, rest, ok := cut(row[1:])
		if !ok || row[0] == 0 {
			return nil, false
		}
		if row[0] == byte(n) {
			r.add(entry)
		}
		row = rest
	}
	return r.props, true
}

func (r *rowReader) add(entry []byte) {
	from := len(r.values)
	for v, rest, ok := cut(entry); ok; v, rest, ok = cut(rest) {
		r.values = append(r.values, v)
	}
	r.props = append(r.props, r.values[from:len(r.values):len(r.values)])
}

// readable reports whether a row can be read to its end.
func readable(row []byte) bool {
	for len(row) > 0 {
		entry, rest, ok := cut(row[1:])
		if !ok || row[0] == 0 || int(row[0]) >= len(indexed) {
			return false
		}
		for len(entry) > 0 {
			if _, entry, ok = cut(entry); !ok {
				return false
			}
		}
		row = rest
	}
	return true
}

// Query calls fn with the cards of a book that a filter may select, after an
// item, in order of items, until fn returns false: sure are those that it
// selects, the others have to be read and asked. fn must not write.
func Query(tx *storage.Tx, b storage.CollectionID, f *vcard.Filter, after storage.ItemID, fn func(c Card, sure bool) bool) error {
	var err error
	if after == ^storage.ItemID(0) {
		return nil
	}
	var r rowReader
	look := r.lookup
	tx.Scan(indexKey(b, after+1), resource.Key('x', b+1), false, func(k, row []byte) bool {
		r.row = row
		v := f.Decide(look)
		if v == vcard.No {
			return true
		}
		id, _ := resource.ReadItem(k[5:])
		var c Card
		if c, err = ByItem(tx, b, id); err != nil {
			return false
		}
		return fn(c, v == vcard.Yes)
	})
	return err
}
