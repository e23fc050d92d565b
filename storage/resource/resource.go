// Package resource keeps what calendars and address books have in common:
// collections of resources, each the bytes that a client has put under a name,
// about one thing with a UID.
//
// What it promises: a resource's bytes come back exactly; within a collection a
// name and a UID lead to one resource each (RFC 4791 §5.3.2.1, RFC 6352
// §6.3.2.1); an entity tag changes exactly when the bytes do; a resource removed
// or renamed leaves its old name for those who follow the change log. What is in
// the bytes is the business of the room above, which keeps what it has learned of
// them in the tail of the row, and in rows of its own by item. The caller opens
// the transaction; nothing here does I/O inside one.
//
// Key schema, beside the floor's collections and items (one per resource, its row
// below):
//
//	'q' collection(4) name      item(4): the resource of that name
//	'r' collection(4) hash(16)  item(4): the resource whose UID has that hash
//
// The messages of a scheduling inbox have no row by UID, as several are about one
// thing.
package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

const (
	// MaxName is the longest name of a resource or its collection, in bytes.
	MaxName = 400
	// MaxCollections is how many collections of one kind an account can have.
	MaxCollections = 200
)

// A Sum is the beginning of the SHA-256 of bytes.
type Sum [12]byte

// A Resource is what a collection knows of one of its resources without opening
// it.
type Resource struct {
	Item     storage.ItemID // 0: it is not there
	Name     string         // the last segment of its URL
	UID      string
	Blob     blob.ID
	Size     int64 // bytes
	Sum      Sum
	Created  int64 // seconds since 1970
	Modified int64
}

// Of is what a staged body tells of a resource.
func Of(body *blob.Staged, uid string) Resource {
	r := Resource{UID: uid, Size: body.Size}
	copy(r.Sum[:], body.Sum[:])
	return r
}

// ETag is the resource's strong entity tag, without quotes.
func (r *Resource) ETag() string { return hex.EncodeToString(r.Sum[:]) }

// ModTime is when the resource was changed last.
func (r *Resource) ModTime() time.Time { return time.Unix(r.Modified, 0) }

// Same reports whether two are the same bytes.
func (r *Resource) Same(as *Resource) bool { return r.Sum == as.Sum && r.Size == as.Size }

// Read returns the resource's bytes, which must not be changed. It is called
// outside any transaction; ErrNotFound when the resource has changed since.
func (r *Resource) Read(db *storage.DB) ([]byte, error) { return db.ReadBlob(r.Blob) }

// The row of a resource: format (1), sum, then varints for the body, the size, the
// times and the lengths of what follows: the name, the UID. The rest is the tail.
const rowFormat = 1

func (r *Resource) row(tail []byte) []byte {
	b := make([]byte, 0, 48+len(r.Name)+len(r.UID)+len(tail))
	b = append(append(b, rowFormat), r.Sum[:]...)
	for _, v := range [...]uint64{uint64(r.Blob), uint64(r.Size), uint64(r.Created), uint64(r.Modified), uint64(len(r.Name)), uint64(len(r.UID))} {
		b = binary.AppendUvarint(b, v)
	}
	return append(append(append(b, r.Name...), r.UID...), tail...)
}

// parse reads a row. The tail is good as long as the row is.
func parse(id storage.ItemID, row []byte) (r Resource, tail []byte, err error) {
	if len(row) < 1+len(r.Sum) || row[0] != rowFormat {
		return r, nil, Damaged(id)
	}
	copy(r.Sum[:], row[1:])
	row = row[1+len(r.Sum):]
	var v [6]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(row); n <= 0 {
			return r, nil, Damaged(id)
		}
		row = row[n:]
	}
	name, uid := v[4], v[5]
	if rest := uint64(len(row)); name > rest || uid > rest-name {
		return r, nil, Damaged(id)
	}
	text := string(row[:name+uid])
	r.Item, r.Name, r.UID = id, text[:name], text[name:]
	r.Blob, r.Size, r.Created, r.Modified = blob.ID(v[0]), int64(v[1]), int64(v[2]), int64(v[3])
	return r, row[name+uid:], nil
}

// Damaged is the error of a row that cannot be read.
func Damaged(id storage.ItemID) error {
	return fmt.Errorf("resource %d: row: %w", id, storage.ErrInvalid)
}

func nameKey(c storage.CollectionID, name string) []byte { return append(Key('q', c), name...) }

func uidKey(c storage.CollectionID, uid string) []byte {
	sum := sha256.Sum256([]byte(uid))
	return append(Key('r', c), sum[:16]...)
}

// Key begins the key of a row about a collection, or is the key of one about an
// item of it.
func Key(prefix byte, c storage.CollectionID, item ...storage.ItemID) []byte {
	k := binary.BigEndian.AppendUint32(append(make([]byte, 0, 32), prefix), uint32(c))
	for _, id := range item {
		k = binary.BigEndian.AppendUint32(k, uint32(id))
	}
	return k
}

// ReadItem reads an item written with four bytes.
func ReadItem(v []byte) (storage.ItemID, bool) {
	if len(v) != 4 {
		return 0, false
	}
	return storage.ItemID(binary.BigEndian.Uint32(v)), true
}

func itemValue(id storage.ItemID) []byte { return binary.BigEndian.AppendUint32(nil, uint32(id)) }

// unique reports whether a UID is one resource's in a collection.
func unique(c *storage.Collection) bool { return c.Kind != storage.KindInbox }

// CheckName refuses with ErrInvalid what is no name.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("name of %d bytes: %w", len(name), storage.ErrInvalid)
	}
	return nil
}

// Create makes an empty collection. ErrConflict when the account has one of that
// kind and name, ErrQuota when it has too many.
func Create(tx *storage.Tx, a storage.AccountID, k storage.Kind, name string, extra []byte, now time.Time) (*storage.Collection, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if len(tx.Collections(a, k)) >= MaxCollections {
		return nil, fmt.Errorf("%d collections: %w", MaxCollections, storage.ErrQuota)
	}
	return tx.CreateCollection(a, k, name, extra, now)
}
