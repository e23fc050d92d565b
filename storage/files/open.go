package files

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A Reader reads a content, whatever its extents are. It is not safe for
// concurrent use. Damage met is an error that wraps blob.ErrCorrupt.
type Reader struct {
	db    *storage.DB
	c     Content
	pos   int64
	body  *blob.Reader // of the extent that is open
	open  int
	start int64 // where in the content it begins
}

var _ io.ReadSeekCloser = (*Reader)(nil)

// Open opens a content outside any transaction; storage.ErrNotFound when its
// bodies are gone since. One body is open at a time.
func (c *Content) Open(db *storage.DB) (*Reader, error) {
	r := &Reader{db: db, c: Content{Size: c.Size, Extents: slices.Clone(c.Extents)}, open: -1}
	if c.Size == 0 {
		return r, nil
	}
	return r, r.at(0)
}

// at opens the extent that a place is in.
func (r *Reader) at(pos int64) error {
	start := int64(0)
	for i, x := range r.c.Extents {
		if pos < start+x.Length {
			if i == r.open {
				return nil
			}
			body, err := r.db.OpenBlob(x.Blob)
			if err != nil {
				return err
			}
			err = r.Close()
			r.body, r.open, r.start = body, i, start
			return err
		}
		start += x.Length
	}
	return fmt.Errorf("content: extents of %d bytes end before %d: %w", start, pos, storage.ErrInvalid)
}

// Read reads on from where the last Read or Seek ended.
func (r *Reader) Read(p []byte) (int, error) {
	if r.pos >= r.c.Size {
		return 0, io.EOF
	}
	if err := r.at(r.pos); err != nil {
		return 0, err
	}
	x := r.c.Extents[r.open]
	within := r.pos - r.start
	n, err := r.body.ReadAt(p[:min(int64(len(p)), x.Length-within)], x.Off+within)
	r.pos += int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 && len(p) > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Seek is io.Seeker.
func (r *Reader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.pos
	case io.SeekEnd:
		off += r.c.Size
	}
	if off < 0 {
		return 0, fmt.Errorf("seek to %d: %w", off, storage.ErrInvalid)
	}
	r.pos = off
	return off, nil
}

// Close closes the body that is open.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body, r.open = nil, -1
	return err
}
