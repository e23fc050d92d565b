package contacts

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A Card is what a book knows of one of its cards without opening it.
type Card struct {
	Item     storage.ItemID
	Name     string // the last segment of its URL
	UID      string
	Version  vcard.Version
	Group    bool // a group of other cards
	Blob     blob.ID
	Size     int64 // bytes
	Sum      [sumSize]byte
	Created  int64 // seconds since 1970
	Modified int64
}

const sumSize = 12 // of the SHA-256 of the bytes

// ETag is the card's strong entity tag, without quotes.
func (c *Card) ETag() string { return hex.EncodeToString(c.Sum[:]) }

// The row of a card: format (1), version and whether it is a group, sum, then
// varints for the body, size and times, the name with its length, and the UID.
const rowFormat = 1

func (c *Card) marshal() []byte {
	b := make([]byte, 0, 64+len(c.Name)+len(c.UID))
	kind := byte(3)
	if c.Version == vcard.V4 {
		kind = 4
	}
	if c.Group {
		kind |= 0x80
	}
	b = append(b, rowFormat, kind)
	b = append(b, c.Sum[:]...)
	for _, v := range []uint64{uint64(c.Blob), uint64(c.Size), uint64(c.Created), uint64(c.Modified), uint64(len(c.Name))} {
		b = binary.AppendUvarint(b, v)
	}
	return append(append(b, c.Name...), c.UID...)
}

func unmarshal(id storage.ItemID, b []byte) (c Card, err error) {
	bad := fmt.Errorf("card %d: row: %w", id, storage.ErrInvalid)
	if len(b) < 2+sumSize || b[0] != rowFormat {
		return c, bad
	}
	c = Card{Item: id, Version: vcard.V3, Group: b[1]&0x80 != 0}
	if b[1]&0x7f == 4 {
		c.Version = vcard.V4
	}
	copy(c.Sum[:], b[2:])
	b = b[2+sumSize:]
	var v [5]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return c, bad
		}
		b = b[n:]
	}
	if v[4] > uint64(len(b)) {
		return c, bad
	}
	c.Blob, c.Size, c.Created, c.Modified = blob.ID(v[0]), int64(v[1]), int64(v[2]), int64(v[3])
	c.Name, c.UID = string(b[:v[4]]), string(b[v[4]:])
	return c, nil
}

func uidKey(b storage.CollectionID, uid string) []byte {
	sum := sha256.Sum256([]byte(uid))
	return key('w', b, string(sum[:16]))
}

// Get finds a card by its name.
func Get(tx *storage.Tx, b storage.CollectionID, name string) (Card, error) {
	if len(name) <= MaxName {
		if id, ok := readItem(tx.Get(key('v', b, name))); ok {
			return ByItem(tx, b, id)
		}
	}
	return Card{}, fmt.Errorf("card %.80q: %w", name, storage.ErrNotFound)
}

// ByItem finds a card by its item.
func ByItem(tx *storage.Tx, b storage.CollectionID, id storage.ItemID) (Card, error) {
	v := tx.Item(b, id)
	if v == nil {
		return Card{}, fmt.Errorf("card %d: %w", id, storage.ErrNotFound)
	}
	return unmarshal(id, v)
}

// ByUID finds a card by the UID it has within a book.
func ByUID(tx *storage.Tx, b storage.CollectionID, uid string) (Card, error) {
	if id, ok := readItem(tx.Get(uidKey(b, uid))); ok {
		return ByItem(tx, b, id)
	}
	return Card{}, fmt.Errorf("UID %.80q: %w", uid, storage.ErrNotFound)
}

// Scan calls fn with the cards whose names follow after, in order of names,
// until it returns false. fn must not write.
func Scan(tx *storage.Tx, b storage.CollectionID, after string, fn func(Card) bool) error {
	from := key('v', b, after)
	if after != "" {
		from = append(from, 0)
	}
	var err error
	tx.Scan(from, key('v', b+1, ""), false, func(_, v []byte) bool {
		id, _ := readItem(v)
		var c Card
		if c, err = ByItem(tx, b, id); err != nil {
			return false
		}
		return fn(c)
	})
	return err
}

func (b Book) scanItems(tx *storage.Tx, fn func(Card) bool) {
	tx.Items(b.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, v []byte) bool {
		c, err := unmarshal(id, v)
		return err != nil || fn(c)
	})
}

// Read returns a card's bytes. It is called outside any transaction;
// ErrNotFound when the card has changed since.
func Read(db *storage.DB, c *Card) ([]byte, error) {
	r, err := db.OpenBlob(c.Blob)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Bytes()
}

// ModTime is when the card was changed last.
func (c *Card) ModTime() time.Time { return time.Unix(c.Modified, 0) }
