package calendar

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// An Object is what a calendar knows of one of its objects without opening it.
type Object struct {
	Item       storage.ItemID
	Name       string // the last segment of its URL
	UID        string
	Type       Types // one
	Scheduling bool  // it has an organizer (RFC 6638 §3.1)
	Blob       blob.ID
	Size       int64 // bytes
	Sum        [sumSize]byte
	Personal   bool          // it has what is its owner's alone (package overlay)
	Bare       [sumSize]byte // Sum without that, when there is some
	Tag        uint64        // counts the changes that a schedule tag tells
	Created    int64         // seconds since 1970
	Modified   int64
	First      int64 // nothing of it is before, or Ever
	Last       int64 // or after; Forever
}

const (
	sumSize = 12 // of the SHA-256 of the bytes

	// Ever and Forever are the open ends of what has none.
	Ever    = math.MinInt64
	Forever = math.MaxInt64
)

// ETag is the object's strong entity tag, without quotes.
func (o *Object) ETag() string { return hex.EncodeToString(o.Sum[:]) }

// ScheduleTag is its schedule tag, without quotes; "" when it is no scheduling
// object (RFC 6638 §3.2.10).
func (o *Object) ScheduleTag() string {
	if !o.Scheduling {
		return ""
	}
	return fmt.Sprintf("%d-%d", o.Item, o.Tag)
}

// ModTime is when the object was changed last.
func (o *Object) ModTime() time.Time { return time.Unix(o.Modified, 0) }

// The row of an object: format (1), type with 80 for scheduling and 40 for what is
// its owner's alone, sum, with the 40 the sum without that, then varints for the
// body, size, tag, times, first and last, the name with its length, and the UID.
const rowFormat = 1

func (o *Object) marshal() []byte {
	b := make([]byte, 0, 80+len(o.Name)+len(o.UID))
	kind := byte(o.Type)
	if o.Scheduling {
		kind |= 0x80
	}
	if o.Personal {
		kind |= 0x40
	}
	b = append(b, rowFormat, kind)
	b = append(b, o.Sum[:]...)
	if o.Personal {
		b = append(b, o.Bare[:]...)
	}
	for _, v := range []int64{int64(o.Blob), o.Size, int64(o.Tag), o.Created, o.Modified, o.First, o.Last, int64(len(o.Name))} {
		b = binary.AppendVarint(b, v)
	}
	return append(append(b, o.Name...), o.UID...)
}

func unmarshal(id storage.ItemID, b []byte) (o Object, err error) {
	bad := fmt.Errorf("calendar object %d: row: %w", id, storage.ErrInvalid)
	if len(b) < 2+sumSize || b[0] != rowFormat {
		return o, bad
	}
	o = Object{Item: id, Type: Types(b[1] & 0x3f), Scheduling: b[1]&0x80 != 0, Personal: b[1]&0x40 != 0}
	copy(o.Sum[:], b[2:])
	if b = b[2+sumSize:]; o.Personal {
		if len(b) < sumSize {
			return o, bad
		}
		copy(o.Bare[:], b)
		b = b[sumSize:]
	}
	var v [8]int64
	for i := range v {
		n := 0
		if v[i], n = binary.Varint(b); n <= 0 {
			return o, bad
		}
		b = b[n:]
	}
	if v[7] < 0 || v[7] > int64(len(b)) {
		return o, bad
	}
	o.Blob, o.Size, o.Tag, o.Created, o.Modified, o.First, o.Last = blob.ID(v[0]), v[1], uint64(v[2]), v[3], v[4], v[5], v[6]
	o.Name, o.UID = string(b[:v[7]]), string(b[v[7]:])
	return o, nil
}

func uidKey(c storage.CollectionID, uid string) []byte {
	sum := sha256.Sum256([]byte(uid))
	return key('r', c, string(sum[:16]))
}

// Get finds an object by its name.
func Get(tx *storage.Tx, c storage.CollectionID, name string) (Object, error) {
	if len(name) <= MaxName {
		if id, ok := readItem(tx.Get(key('q', c, name))); ok {
			return ByItem(tx, c, id)
		}
	}
	return Object{}, fmt.Errorf("calendar object %.80q: %w", name, storage.ErrNotFound)
}

// ByItem finds an object by its item.
func ByItem(tx *storage.Tx, c storage.CollectionID, id storage.ItemID) (Object, error) {
	v := tx.Item(c, id)
	if v == nil {
		return Object{}, fmt.Errorf("calendar object %d: %w", id, storage.ErrNotFound)
	}
	return unmarshal(id, v)
}

// ByUID finds an object by the UID it has within a calendar.
func ByUID(tx *storage.Tx, c storage.CollectionID, uid string) (Object, error) {
	if id, ok := readItem(tx.Get(uidKey(c, uid))); ok {
		return ByItem(tx, c, id)
	}
	return Object{}, fmt.Errorf("UID %.80q: %w", uid, storage.ErrNotFound)
}

// Scan calls fn with the objects whose names follow after, in order of names,
// until it returns false. fn must not write.
func Scan(tx *storage.Tx, c storage.CollectionID, after string, fn func(Object) bool) error {
	from := key('q', c, after)
	if after != "" {
		from = append(from, 0)
	}
	var err error
	tx.Scan(from, key('q', c+1, ""), false, func(_, v []byte) bool {
		id, _ := readItem(v)
		var o Object
		if o, err = ByItem(tx, c, id); err != nil {
			return false
		}
		return fn(o)
	})
	return err
}

// Read returns an object's bytes. It is called outside any transaction;
// ErrNotFound when the object has changed since.
func Read(db *storage.DB, o *Object) ([]byte, error) {
	r, err := db.OpenBlob(o.Blob)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Bytes()
}
