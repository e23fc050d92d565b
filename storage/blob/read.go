package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"essaim.coop/essaim/internal/vfs"
)

// A Reader reads one body. ReadAt is safe for concurrent use, the rest is not.
type Reader struct {
	size int64
	pos  int64
	file vfs.File // of a large body
	sums []byte

	mem    []byte // a small one, once packed is expanded
	packed []byte
	mu     sync.Mutex // guards what follows, and mem of a packed one
	head   []byte
	err    error
	chunk  []byte // of a large one: chunk number kept, unless it is empty
	kept   int64
}

var (
	_ io.ReadSeekCloser = (*Reader)(nil)
	_ io.ReaderAt       = (*Reader)(nil)
)

// NewReader reads a body held in memory.
func NewReader(raw []byte) *Reader { return &Reader{size: int64(len(raw)), mem: raw} }

// NewPackedReader reads a small body's compressed form. It is expanded when it
// is read, and no further than HeadSize while only that much is asked for.
func NewPackedReader(stored []byte, size int64) *Reader { return &Reader{size: size, packed: stored} }

// small returns the bytes of a small body, at least up to end.
func (r *Reader) small(end int64) ([]byte, error) {
	if r.packed == nil {
		return r.mem, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mem != nil || r.err != nil {
		return r.mem, r.err
	}
	if end <= HeadSize {
		if r.head == nil {
			r.head = expandHead(r.packed)
		}
		if r.head != nil {
			return r.head, nil
		}
	}
	r.mem, r.err = Expand(r.packed, true, r.size)
	return r.mem, r.err
}

// OpenFile reads the file of a large body of size bytes.
func OpenFile(fs vfs.FS, path string, size int64) (*Reader, error) {
	f, err := fs.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	chunks := (size + ChunkSize - 1) / ChunkSize
	r := &Reader{size: size, file: f, sums: make([]byte, 4*chunks)}
	if _, err := f.ReadAt(r.sums, size); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: checksums of %s: %w", ErrCorrupt, path, err)
	}
	return r, nil
}

// Size returns the length of the body in bytes.
func (r *Reader) Size() int64 { return r.size }

// Bytes returns the whole body; the caller must not change it. It is meant for
// small bodies; a large one is read into memory.
func (r *Reader) Bytes() ([]byte, error) {
	if r.file == nil {
		return r.small(r.size)
	}
	b := make([]byte, r.size)
	_, err := r.ReadAt(b, 0)
	return b, err
}

// ReadAt reads at an offset, verifying what it reads.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("blob: negative offset")
	}
	if off >= r.size {
		return 0, io.EOF
	}
	if r.file == nil {
		end := min(off+int64(len(p)), r.size)
		raw, err := r.small(end)
		if err != nil {
			return 0, err
		}
		n := copy(p, raw[off:end])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	n := 0
	for n < len(p) && off+int64(n) < r.size {
		m, err := r.readChunk(p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readChunk reads from the chunk that off is in. A whole chunk goes straight
// into p; of one that is read in pieces the rest is kept for the next piece.
func (r *Reader) readChunk(p []byte, off int64) (int, error) {
	i := off / ChunkSize
	start := i * ChunkSize
	length := int(min(ChunkSize, r.size-start))
	if off == start && len(p) >= length {
		return length, r.verified(p[:length], i)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.chunk) == 0 || r.kept != i {
		if r.chunk == nil {
			r.chunk = make([]byte, 0, ChunkSize)
		}
		if err := r.verified(r.chunk[:length], i); err != nil {
			r.chunk = r.chunk[:0]
			return 0, err
		}
		r.chunk, r.kept = r.chunk[:length], i
	}
	return copy(p, r.chunk[off-start:]), nil
}

// verified reads chunk i into buf, which is as long as it.
func (r *Reader) verified(buf []byte, i int64) error {
	if _, err := r.file.ReadAt(buf, i*ChunkSize); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if crc32.Checksum(buf, Castagnoli) != binary.LittleEndian.Uint32(r.sums[4*i:]) {
		return fmt.Errorf("%w: chunk %d", ErrCorrupt, i)
	}
	return nil
}

// Read reads on from where the last Read or Seek ended.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek is io.Seeker.
func (r *Reader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.pos
	case io.SeekEnd:
		off += r.size
	}
	if off < 0 {
		return 0, errors.New("blob: seek before the start")
	}
	r.pos = off
	return off, nil
}

// Close ends reading; a large body's file is closed.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
