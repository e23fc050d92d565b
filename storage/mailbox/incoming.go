package mailbox

import (
	"errors"
	"fmt"
	"io"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// An Incoming is a message ready to be appended: everything that takes time
// has been done.
type Incoming struct {
	Staged *blob.Staged
	Prefix []byte // our own header fields, in front of what came
	Header []byte // the message's own header block
	Root   *message.Part

	rest  []byte // the cold row without the blob's ID
	tx    *storage.Tx
	id    MsgID
	loose blob.ID
}

// Prepare reads a staged message and makes its index.
func Prepare(s *blob.Staged) (*Incoming, error) { return PrepareWith(s, nil) }

// PrepareWith is Prepare with header fields of our own in front.
func PrepareWith(s *blob.Staged, prefix []byte) (*Incoming, error) {
	if s.Size+int64(len(prefix)) > 1<<31 {
		return nil, fmt.Errorf("message of %d bytes: %w", s.Size, storage.ErrInvalid)
	}
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	root, err := message.Scan(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	s.Shed()
	in := &Incoming{Staged: s, Prefix: prefix, Header: root.Header, Root: root}
	in.rest = appendCold(nil, in)
	return in, nil
}

// WithPrefix gives the message other fields in front, before it is appended.
func (in *Incoming) WithPrefix(prefix []byte) {
	in.Prefix = prefix
	in.rest = appendCold(nil, in)
}

// Size is what the message has in a mailbox.
func (in *Incoming) Size() int64 { return int64(len(in.Prefix)) + in.Staged.Size }

// Discard gives back what a message that was not appended takes up.
func (in *Incoming) Discard() { in.Staged.Discard() }

// attach stores the message in the transaction, with one reference.
func (in *Incoming) attach(tx *storage.Tx) MsgID {
	id := MsgID(tx.NextID("message"))
	putCold(tx, id, tx.Attach(in.Staged), in.rest)
	return id
}

// A Body reads a stored message: prefix and blob as one. ReadAt is safe for
// concurrent use.
type Body struct {
	prefix []byte
	blob   *blob.Reader
}

// OpenBody opens a message's bytes, outside any transaction. prefix and id are
// of its cold row.
func OpenBody(db *storage.DB, prefix []byte, id blob.ID) (*Body, error) {
	r, err := db.OpenBlob(id)
	if err != nil {
		return nil, err
	}
	return &Body{prefix, r}, nil
}

// Size returns the length of the message.
func (b *Body) Size() int64 { return int64(len(b.prefix)) + b.blob.Size() }

// Close ends reading.
func (b *Body) Close() error { return b.blob.Close() }

// ReadAt is io.ReaderAt.
func (b *Body) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(b.prefix)) {
		n = copy(p, b.prefix[off:])
		if n == len(p) {
			return n, nil
		}
	}
	m, err := b.blob.ReadAt(p[n:], off+int64(n)-int64(len(b.prefix)))
	return n + m, err
}

// Parts returns the message in the pieces it is kept in, when it is small
// enough to be in memory; no byte is copied.
func (b *Body) Parts() (prefix, rest []byte, ok bool) {
	if b.blob.Size() > blob.MaxSmall {
		return nil, nil, false
	}
	rest, err := b.blob.Bytes()
	return b.prefix, rest, err == nil
}

// Reader reads the message from its start.
func (b *Body) Reader() io.Reader { return io.NewSectionReader(b, 0, b.Size()) }

// Body returns the message's blob in the transaction, attached by an Append or
// here. A blob attached here has a first reference of its own, which Settle
// gives back once others refer to it.
func (in *Incoming) Body(tx *storage.Tx) blob.ID {
	if in.tx == tx && in.id != 0 {
		var c Cold
		if c.Read(tx, in.id, JustPrefix) == nil {
			return c.Blob
		}
	}
	in.tx, in.loose = tx, tx.Attach(in.Staged)
	return in.loose
}

// Settle drops the first reference of a blob that Body attached.
func (in *Incoming) Settle(tx *storage.Tx) {
	if in.tx == tx && in.loose != 0 {
		tx.Release(in.loose)
		in.loose = 0
	}
}
