package contacts

import (
	"encoding/binary"
	"slices"
	"strings"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
)

// The row of a card's searchable text: for each property of an indexed name the
// number of the name, how many values follow, and each with its length, folded
// as i;unicode-casemap compares. A card with more than maxIndex bytes of it has
// a row of one 0: only the card itself can tell.
var indexed = []string{"", "FN", "N", "EMAIL", "TEL", "NICKNAME", "ORG", "UID", "CATEGORIES", "KIND", "X-ADDRESSBOOKSERVER-KIND"}

const maxIndex = 16 << 10

func indexKey(b storage.CollectionID, id storage.ItemID) []byte {
	return key('x', b, string(itemValue(id)))
}

func appendIndex(b []byte, c *vcard.Card) []byte {
	for i := range c.Properties {
		p := &c.Properties[i]
		n := slices.IndexFunc(indexed, p.Is)
		if n <= 0 {
			continue
		}
		values := p.Values()
		b = binary.AppendUvarint(append(b, byte(n)), uint64(len(values)))
		for _, v := range values {
			v = vcard.Fold(v)
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		}
		if len(b) > maxIndex {
			return []byte{0}
		}
	}
	return b
}

// entries calls fn with the properties of a row until it returns false; ok is
// whether the row could be read.
func entries(row []byte, fn func(name byte, values []string) bool) (ok bool) {
	for len(row) > 0 {
		name := row[0]
		count, n := binary.Uvarint(row[1:])
		if name == 0 || int(name) >= len(indexed) || n <= 0 || count > uint64(len(row)) {
			return false
		}
		row = row[1+n:]
		values := make([]string, 0, count)
		for range count {
			l, n := binary.Uvarint(row)
			if n <= 0 || l > uint64(len(row)-n) {
				return false
			}
			values = append(values, string(row[n:n+int(l)]))
			row = row[n+int(l):]
		}
		if !fn(name, values) {
			return true
		}
	}
	return true
}

// lookup answers a filter out of a row.
func lookup(row []byte) vcard.Index {
	return func(name string) (out [][]string, known bool) {
		n := slices.Index(indexed, name)
		if n <= 0 {
			return nil, false
		}
		known = entries(row, func(have byte, values []string) bool {
			if have == byte(n) {
				out = append(out, values)
			}
			return true
		})
		return out, known
	}
}

// Query calls fn with the cards of a book that a filter may select, after an
// item, in order of items, until fn returns false: sure are those that it
// selects, the others have to be read and asked. fn must not write.
func Query(tx *storage.Tx, b storage.CollectionID, f *vcard.Filter, after storage.ItemID, fn func(c Card, sure bool) bool) error {
	var err error
	if after == ^storage.ItemID(0) {
		return nil
	}
	tx.Scan(indexKey(b, after+1), key('x', b+1, ""), false, func(k, row []byte) bool {
		v := f.Decide(lookup(row))
		if v == vcard.No {
			return true
		}
		id, _ := readItem(k[5:])
		var c Card
		if c, err = ByItem(tx, b, id); err != nil {
			return false
		}
		return fn(c, v == vcard.Yes)
	})
	return err
}

// Lookup calls fn with the cards of an account's books that could be meant as a
// recipient: those with an e-mail address of which a word of a name or an
// address begins with text. It stops when fn returns false.
func Lookup(tx *storage.Tx, a storage.AccountID, text string, fn func(b Book, c Card) bool) error {
	want := vcard.Fold(strings.TrimSpace(text))
	var err error
	for _, b := range List(tx, a) {
		more := true
		tx.ScanPrefix(key('x', b.ID, ""), func(rest, row []byte) bool {
			if !meant(row, want) {
				return true
			}
			id, _ := readItem(rest)
			var c Card
			if c, err = ByItem(tx, b.ID, id); err == nil {
				more = fn(b, c)
			}
			return more && err == nil
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// meant reports whether a row has an address and a word that begins so.
func meant(row []byte, want string) bool {
	mail, found := false, false
	entries(row, func(name byte, values []string) bool {
		switch indexed[name] {
		case "EMAIL":
			mail = true
			fallthrough
		case "FN", "N", "NICKNAME", "ORG":
			found = found || len(values) > 0 && begins(values[0], want)
		}
		return true
	})
	return mail && found
}

func begins(text, want string) bool {
	for i := 0; i <= len(text)-len(want); i++ {
		if (i == 0 || strings.IndexByte(" ,;.-@'(<", text[i-1]) >= 0) && text[i:i+len(want)] == want {
			return true
		}
	}
	return false
}
