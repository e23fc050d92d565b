package contacts

import (
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// An Incoming is a card that was read and found good, ready to be put.
type Incoming struct {
	body    *blob.Staged
	uid     string
	version vcard.Version
	group   bool
	index   []byte
}

// Prepare reads a staged body, outside any transaction. Refused with an error
// of package vcard are what is no card, a version other than 3.0 and 4.0, what
// is too large, and a card without UID (RFC 6352 §5.1).
func Prepare(body *blob.Staged) (*Incoming, error) {
	if body.Size > vcard.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", vcard.ErrTooLarge, body.Size)
	}
	r, err := body.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	c, err := vcard.Parse(raw)
	switch {
	case err != nil:
		return nil, err
	case c.Version != vcard.V3 && c.Version != vcard.V4:
		return nil, fmt.Errorf("%w: %s", vcard.ErrVersion, c.Version)
	case c.UID() == "":
		return nil, fmt.Errorf("%w: no UID", vcard.ErrSyntax)
	}
	return &Incoming{body: body, uid: strings.Clone(c.UID()), version: c.Version, group: c.IsGroup(), index: appendIndex(nil, c)}, nil
}

// A UIDConflict says that a card cannot have its UID (RFC 6352 §6.3.2.1,
// no-uid-conflict). It is an ErrConflict.
type UIDConflict struct {
	UID  string
	Name string // the card that has the UID, or that would get another one
}

func (e *UIDConflict) Error() string { return fmt.Sprintf("UID %.80q: held by card %q", e.UID, e.Name) }
func (e *UIDConflict) Unwrap() error { return storage.ErrConflict }

// Put makes the card of a name, or replaces it. A *UIDConflict when another
// card of the book has its UID, or the card of that name has another UID. The
// same bytes again change nothing. On an error the transaction must not be
// committed.
func Put(tx *storage.Tx, b Book, name string, in *Incoming, now time.Time) (Card, error) {
	old, exists, err := place(tx, b, name, in.uid)
	if err != nil {
		return Card{}, err
	}
	c := Card{Name: name, UID: in.uid, Version: in.version, Group: in.group, Size: in.body.Size, Created: now.Unix(), Modified: now.Unix()}
	copy(c.Sum[:], in.body.Sum[:])
	if exists {
		if old.Sum == c.Sum && old.Size == c.Size {
			return old, nil // nothing for others to learn
		}
		c.Item, c.Created = old.Item, old.Created
	}
	c.Blob = tx.Attach(in.body)
	if err := c.save(tx, b, c.Size-old.Size, in.index); err != nil {
		return Card{}, err
	}
	if exists {
		tx.Release(old.Blob)
	}
	return c, nil
}

// place finds the card that a name has, and whether a UID can go there.
func place(tx *storage.Tx, b Book, name, uid string) (old Card, exists bool, err error) {
	if err := checkName(name); err != nil {
		return old, false, err
	}
	if id, ok := readItem(tx.Get(key('v', b.ID, name))); ok {
		if old, err = ByItem(tx, b.ID, id); err != nil {
			return old, true, err
		}
		if old.UID != uid {
			return old, true, &UIDConflict{uid, name}
		}
		return old, true, nil
	}
	if holder, err := ByUID(tx, b.ID, uid); err == nil {
		return old, false, &UIDConflict{uid, holder.Name}
	}
	return old, false, nil
}

// save writes a card's rows. A new one has no Item yet.
func (c *Card) save(tx *storage.Tx, b Book, delta int64, index []byte) error {
	id, _, err := tx.PutItem(b.Collection, c.Item, c.marshal(), delta)
	if err != nil {
		return err
	}
	if c.Item == 0 {
		c.Item = id
		tx.Put(key('v', b.ID, c.Name), itemValue(id))
		tx.Put(uidKey(b.ID, c.UID), itemValue(id))
	}
	tx.Put(indexKey(b.ID, id), index)
	return nil
}

// Remove takes a card out of its book.
func Remove(tx *storage.Tx, b Book, c Card) error {
	if err := tx.Vacate(b.Collection, c.Item, c.Name); err != nil {
		return err
	}
	if _, err := tx.RemoveItem(b.Collection, c.Item, c.Size); err != nil {
		return err
	}
	for _, k := range [][]byte{key('v', b.ID, c.Name), uidKey(b.ID, c.UID), indexKey(b.ID, c.Item)} {
		tx.Delete(k)
	}
	tx.Release(c.Blob)
	return nil
}

// Touch notes a card as changed, as its properties are.
func Touch(tx *storage.Tx, b Book, c Card) error {
	if err := tx.Writable(); err != nil {
		return err
	}
	tx.ReplaceItem(b.Collection, c.Item, c.marshal())
	return nil
}

// Copy puts a card into another book. A card of the same UID that has the name
// there is replaced; see Put for the conflicts.
func Copy(tx *storage.Tx, from Book, c Card, to Book, name string, now time.Time) (Card, error) {
	old, exists, err := place(tx, to, name, c.UID)
	if err == nil && exists {
		err = Remove(tx, to, old)
	}
	if err != nil {
		return Card{}, err
	}
	index := append([]byte(nil), tx.Get(indexKey(from.ID, c.Item))...)
	n := c
	n.Item, n.Name, n.Created, n.Modified = 0, name, now.Unix(), now.Unix()
	tx.Retain(c.Blob)
	if err := n.save(tx, to, c.Size, index); err != nil {
		return Card{}, err
	}
	return n, tx.CopyProperties(storage.Object{Collection: from.ID, Item: c.Item}, storage.Object{Collection: to.ID, Item: n.Item})
}

// Move puts a card into another book or renames it; see Copy.
func Move(tx *storage.Tx, from Book, c Card, to Book, name string, now time.Time) (Card, error) {
	if from.ID == to.ID {
		return rename(tx, from, c, name)
	}
	n, err := Copy(tx, from, c, to, name, now)
	if err != nil {
		return Card{}, err
	}
	n.Created, n.Modified = c.Created, c.Modified
	tx.ReplaceItem(to.Collection, n.Item, n.marshal())
	return n, Remove(tx, from, c)
}

func rename(tx *storage.Tx, b Book, c Card, name string) (Card, error) {
	if name == c.Name {
		return c, nil
	}
	if err := checkName(name); err != nil {
		return Card{}, err
	}
	if old, err := Get(tx, b.ID, name); err == nil { // its UID is another
		return Card{}, &UIDConflict{c.UID, old.Name}
	}
	if err := tx.Vacate(b.Collection, c.Item, c.Name); err != nil {
		return Card{}, err
	}
	tx.Delete(key('v', b.ID, c.Name))
	c.Name = name
	tx.Put(key('v', b.ID, name), itemValue(c.Item))
	tx.ReplaceItem(b.Collection, c.Item, c.marshal())
	return c, nil
}
