package blob

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"essaim.coop/essaim/internal/vfs"

	"github.com/klauspost/compress/zstd"
)

// A Staged body is complete and waits to be attached or discarded.
type Staged struct {
	Size int64
	Sum  [sha256.Size]byte // SHA-256 of the bytes; zero for a large body after SumSmall
	// Print is of a large body: where it differs, bodies of one size do, too;
	// bodies that differ have one Print with a chance of no more than 2^-32.
	Print []byte

	// For engines: a small body's stored form, or a large body's file.
	Stored     []byte
	Compressed bool
	Path       string

	fs  vfs.FS
	raw []byte
}

// Discard gives back what a body that was not attached takes up. After the
// body was attached it does nothing.
func (s *Staged) Discard() {
	if s.Path != "" && s.fs != nil {
		_ = s.fs.Remove(s.Path)
	}
	s.Attached()
}

// Attached is called by the engine when the body is its own.
func (s *Staged) Attached() { s.fs, s.raw = nil, nil }

// Reader reads the body while it is staged.
func (s *Staged) Reader() (*Reader, error) {
	switch {
	case s.Path != "":
		return OpenFile(s.fs, s.Path, s.Size)
	case s.raw == nil && s.Compressed:
		return NewPackedReader(s.Stored, s.Size), nil
	}
	return NewReader(s.raw), nil
}

// Shed gives the memory of a body back that is also there in its stored form.
// Nothing that a Reader gave of it may be in use; later ones expand it again.
func (s *Staged) Shed() {
	if s.Compressed {
		shed.put(s.raw)
		s.raw = nil
	}
}

// Bytes returns the whole body while it is staged; see Reader.Bytes.
func (s *Staged) Bytes() ([]byte, error) {
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Bytes()
}

// A Writer stages one body. It is not safe for concurrent use.
type Writer struct {
	fs   vfs.FS
	dir  string
	hash hash.Hash // nil once it is not wanted
	some bool      // it is wanted of a small body only
	size int64
	mem  []byte

	file    vfs.File
	path    string
	written int64
	begun   int64 // to be written out
	sums    []byte
	err     error
}

var stagedFiles atomic.Uint64

// NewWriter stages a body; large ones go to a file in dir.
func NewWriter(fs vfs.FS, dir string) *Writer {
	return &Writer{fs: fs, dir: dir, hash: sha256.New()}
}

// SumSmall leaves a large body without its Sum, which is a third of the work of
// storing it. It is called before the first Write.
func (w *Writer) SumSmall() { w.some = true }

// Write adds to the body. Its errors are those of the file of a large body. It
// is fastest in pieces of whole chunks.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.size += int64(len(p))
	if w.some && w.size > MaxSmall {
		w.hash = nil
	}
	if w.hash != nil {
		w.hash.Write(p)
	}
	rest := p
	if w.file != nil && len(w.mem) == 0 {
		whole := len(p) / ChunkSize * ChunkSize
		if w.err = w.chunks(p[:whole]); w.err != nil {
			return 0, w.err
		}
		rest = p[whole:]
	}
	if w.mem == nil {
		w.mem = shed.get()
	}
	w.mem = append(w.mem, rest...)
	if w.size > MaxSmall {
		if w.err = w.spill(ChunkSize); w.err != nil {
			return 0, w.err
		}
	}
	return len(p), nil
}

// spill writes whole chunks of at least least bytes out to the file.
func (w *Writer) spill(least int) error {
	if w.file == nil {
		w.path = filepath.Join(w.dir, fmt.Sprintf("%d-%d", os.Getpid(), stagedFiles.Add(1)))
		f, err := w.fs.Open(w.path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if err != nil {
			return err
		}
		w.file = f
	}
	n := len(w.mem)
	if tail := n % ChunkSize; tail < least {
		n -= tail
	}
	if err := w.chunks(w.mem[:n]); err != nil {
		return err
	}
	w.mem = append(w.mem[:0], w.mem[n:]...)
	return nil
}

// ahead is how much is written before the disk is told to begin with it.
const ahead = 8 << 20

// chunks writes chunks, of which only the last of all may be short.
func (w *Writer) chunks(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	for c := range slices.Chunk(p, ChunkSize) {
		w.sums = binary.LittleEndian.AppendUint32(w.sums, crc32.Checksum(c, Castagnoli))
	}
	if _, err := w.file.WriteAt(p, w.written); err != nil {
		return err
	}
	w.written += int64(len(p))
	if n := w.written - w.begun; n >= ahead {
		w.file.WriteOut(w.begun, n)
		w.begun = w.written
	}
	return nil
}

// Size returns the bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Finish completes the body. A large body's file is on stable storage when it
// returns, under a name that the next start removes unless it is attached.
func (w *Writer) Finish() (*Staged, error) {
	s := &Staged{Size: w.size, fs: w.fs}
	if w.hash != nil {
		w.hash.Sum(s.Sum[:0])
	}
	if w.err != nil {
		w.Abort()
		return nil, w.err
	}
	if w.file == nil {
		s.raw = w.mem
		s.Stored, s.Compressed = compress(w.mem)
		return s, nil
	}
	err := w.spill(1)
	if err == nil {
		_, err = w.file.WriteAt(w.sums, w.written)
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	sum := sha256.Sum256(w.sums)
	s.Path, s.Print = w.path, sum[:16]
	err, w.file = w.file.Close(), nil
	return s, err
}

// Abort discards what was written.
func (w *Writer) Abort() {
	if w.file != nil {
		_ = errors.Join(w.file.Close(), w.fs.Remove(w.path))
		w.file = nil
	}
	if w.err == nil {
		w.err = os.ErrClosed
	}
	w.mem = nil
}

var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
			zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(2*MaxSmall), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// memory is buffers to be used again.
type memory struct{ pool sync.Pool }

// keptMemory is the largest buffer that waits to be used again.
const keptMemory = 64 << 10

var shed, scratch memory // of staged bodies, and of their compression

func (m *memory) get() []byte {
	if b, ok := m.pool.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

func (m *memory) put(b []byte) {
	if cap(b) > 0 && cap(b) <= keptMemory {
		b = b[:0]
		m.pool.Put(&b)
	}
}

// compress returns the stored form of a small body.
func compress(raw []byte) (stored []byte, compressed bool) {
	if len(raw) < 512 {
		return raw, false
	}
	c, rest := slices.Grow(scratch.get(), len(raw)), raw
	defer func() { scratch.put(c) }()
	if len(raw) > 2*HeadSize {
		c, rest = encoder().EncodeAll(raw[:HeadSize], c), raw[HeadSize:]
	}
	c = encoder().EncodeAll(rest, c)
	if len(c) > len(raw)*4/5 {
		return raw, false
	}
	return slices.Clone(c), true
}

// Expand returns the bytes of a small body's stored form.
func Expand(stored []byte, compressed bool, size int64) ([]byte, error) {
	if !compressed {
		return stored, nil
	}
	raw, err := decoder().DecodeAll(stored, make([]byte, 0, size))
	if err != nil || int64(len(raw)) != size {
		return nil, fmt.Errorf("%w: zstd: %d of %d bytes, %w", ErrCorrupt, len(raw), size, err)
	}
	return raw, nil
}

// expandHead returns the first HeadSize bytes of a body that has a frame for
// them, nil for another.
func expandHead(stored []byte) []byte {
	var h zstd.Header
	if h.Decode(stored) != nil || !h.HasFCS || h.FrameContentSize != HeadSize {
		return nil
	}
	for end := h.HeaderSize; end+3 <= len(stored); {
		block := int(stored[end]) | int(stored[end+1])<<8 | int(stored[end+2])<<16 // RFC 8878 §3.1.1.2
		size := block >> 3
		if block>>1&3 == 1 { // one byte, to be repeated
			size = 1
		}
		if end += 3 + size; end > len(stored) {
			return nil
		}
		if block&1 == 0 {
			continue
		}
		head, err := decoder().DecodeAll(stored[:end], make([]byte, 0, HeadSize))
		if err != nil || len(head) != HeadSize {
			return nil
		}
		return head
	}
	return nil
}
