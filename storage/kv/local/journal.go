package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// The journal is a row of segments, each a file of frames. All integers are
// little-endian.
//
//	segment   magic "essaimJ1", number u32, previous end u64, crc u32
//	frame     magic u32, sequence u64, length u32, crc of the payload u32, crc of these 20 bytes u32
//	payload   items
//	item      kind u8, flags u8, 0 u16, length u32, id u64, size u64, crc u32, 0 u32; then length bytes
//
// A frame is one group of transactions and begins at a multiple of 8. It is
// written only after the one before it was synced: so behind the last frame
// that checks out there is nothing that was acknowledged, unless a later frame
// checks out as well, and that is damage. Behind the frames there may be zeros.
const (
	segmentMagic  = "essaimJ1"
	segmentHeader = 24
	frameMagic    = 0x9e55a1b0
	frameHeader   = 24
	itemHeader    = 32
)

// Kinds of items. A redo item ends its transaction.
const (
	itemBlob = 1 + iota // a small body: id, size, stored form
	itemFile            // a large body's file: id, size
	itemRedo            // puts, deletes and frees of one transaction
	itemMove            // a body rewritten elsewhere: as itemBlob, if the body still lives
)

const flagPacked = 1

const (
	block    = 4 << 10 // of file systems, and the least that the kernel writes
	maxAhead = 1 << 20
)

// A segment is one file of the journal.
type segment struct {
	number uint32
	file   vfs.File
	end    int64 // behind the last frame
	size   int64 // of the file, at least: zeros between end and here
	grows  bool  // as no space can be taken ahead
}

func (db *DB) segmentPath(n uint32) string { return db.path("journal", fmt.Sprintf("%08d", n)) }

// newSegment makes segment n behind one that ended at prev.
func (db *DB) newSegment(n uint32, prev int64) (*segment, error) {
	f, err := db.fs.Open(db.segmentPath(n), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	h := append(make([]byte, 0, segmentHeader), segmentMagic...)
	h = binary.LittleEndian.AppendUint32(h, n)
	h = binary.LittleEndian.AppendUint64(h, uint64(prev))
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, blob.Castagnoli))
	_, err = f.WriteAt(h, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = db.fs.SyncDir(db.path("journal"))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	db.files.put(n, f)
	return &segment{number: n, file: f, end: segmentHeader, size: segmentHeader}, nil
}

// write writes a frame behind the last one. Where it makes the file grow, space
// is taken ahead of it: syncs then commit no size and no free space, only, once
// for each block, that it has been written. For a group of 400 bytes ext4 writes
// 5.8 instead of 17.9 KB and seldom flushes the device twice; for one of 16,000
// it writes 32 instead of 41 KB. (Zeros written ahead would spare the second
// flush for that, too, and cost 37.)
//
// Only whole blocks that nothing will write again are written at once: the page
// cache keeps what was written at once in one piece, and counts, or even writes
// (XFS of Linux 5.18 to 6.5), the whole piece again for each byte that changes.
func (s *segment) write(b []byte, ahead int64) error {
	end := s.end + int64(len(b))
	if end > s.size && !s.grows {
		size := (end + ahead) &^ (block - 1)
		if s.grows = s.file.Allocate(s.size, size-s.size) != nil; !s.grows {
			s.size = size
		}
	}
	for at, whole := s.end, end&^(block-1); at < end; {
		n := min(end-at, max(whole-at, block-at&(block-1)))
		if _, err := s.file.WriteAt(b[:n], at); err != nil {
			return err
		}
		at, b = at+n, b[n:]
	}
	return nil
}

// readSegmentHeader returns where the segment before this one ended.
func readSegmentHeader(f vfs.File, n uint32) (prev int64, err error) {
	h := make([]byte, segmentHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return 0, fmt.Errorf("%w: header of journal/%08d: %w", kv.ErrCorrupt, n, err)
	}
	if string(h[:8]) != segmentMagic || binary.LittleEndian.Uint32(h[8:]) != n ||
		crc32.Checksum(h[:20], blob.Castagnoli) != binary.LittleEndian.Uint32(h[20:]) {
		return 0, fmt.Errorf("%w: header of journal/%08d", kv.ErrCorrupt, n)
	}
	return int64(binary.LittleEndian.Uint64(h[12:])), nil
}

// beginFrame reserves a frame's header; endFrame fills it in.
func beginFrame(b []byte) []byte { return append(b, make([]byte, frameHeader)...) }

func endFrame(b []byte, seq uint64) []byte {
	payload := b[frameHeader:]
	binary.LittleEndian.PutUint32(b, frameMagic)
	binary.LittleEndian.PutUint64(b[4:], seq)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(payload, blob.Castagnoli))
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], blob.Castagnoli))
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// An item is one entry of a frame.
type item struct {
	kind   byte
	packed bool
	id     blob.ID
	size   int64
	data   []byte
}

func (it item) append(b []byte) []byte {
	h := len(b)
	flags := byte(0)
	if it.packed {
		flags = flagPacked
	}
	b = append(b, it.kind, flags, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(it.data)))
	b = binary.LittleEndian.AppendUint64(b, uint64(it.id))
	b = binary.LittleEndian.AppendUint64(b, uint64(it.size))
	crc := crc32.Checksum(b[h:], blob.Castagnoli)
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(crc, blob.Castagnoli, it.data))
	b = append(b, 0, 0, 0, 0)
	return append(b, it.data...)
}

var errItem = fmt.Errorf("%w: journal item", kv.ErrCorrupt)

// parseItem reads the item at the start of b and returns its length. If only
// the checksum is wrong it returns what there is with errItem.
func parseItem(b []byte) (it item, n int, err error) {
	if len(b) < itemHeader {
		return it, 0, errItem
	}
	length := int64(binary.LittleEndian.Uint32(b[4:]))
	if length > int64(len(b)-itemHeader) {
		return it, 0, errItem
	}
	n = itemHeader + int(length)
	it = item{kind: b[0], packed: b[1]&flagPacked != 0, id: blob.ID(binary.LittleEndian.Uint64(b[8:])),
		size: int64(binary.LittleEndian.Uint64(b[16:])), data: b[itemHeader:n]}
	crc := crc32.Update(crc32.Checksum(b[:24], blob.Castagnoli), blob.Castagnoli, it.data)
	if crc != binary.LittleEndian.Uint32(b[24:]) {
		return it, n, errItem
	}
	return it, n, nil
}

// errPayload says that a frame is there, with damage in it.
var errPayload = fmt.Errorf("%w: frame", kv.ErrCorrupt)

// readFrame reads the frame at off. io.EOF says that there is none whose header
// checks out; with errPayload come the sequence and the damaged payload.
func readFrame(f vfs.File, off, limit int64, buf []byte) (seq uint64, payload, next []byte, err error) {
	h := make([]byte, frameHeader)
	if off+frameHeader > limit {
		return 0, nil, buf, io.EOF
	}
	if _, err := f.ReadAt(h, off); err != nil {
		return 0, nil, buf, eof(err)
	}
	n := int64(binary.LittleEndian.Uint32(h[12:]))
	if binary.LittleEndian.Uint32(h) != frameMagic || off+frameHeader+n > limit ||
		crc32.Checksum(h[:20], blob.Castagnoli) != binary.LittleEndian.Uint32(h[20:]) {
		return 0, nil, buf, io.EOF
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := f.ReadAt(buf, off+frameHeader); err != nil && (!errors.Is(err, io.EOF) || n > 0) {
		return 0, nil, buf, eof(err)
	}
	if crc32.Checksum(buf, blob.Castagnoli) != binary.LittleEndian.Uint32(h[16:]) {
		return binary.LittleEndian.Uint64(h[4:]), buf, buf, errPayload
	}
	return binary.LittleEndian.Uint64(h[4:]), buf, buf, nil
}

func eof(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

func frameLength(payload []byte) int64 { return (int64(frameHeader+len(payload)) + 7) &^ 7 }

// segmentFiles keeps the segments' files open for reading.
type segmentFiles struct {
	mu    sync.RWMutex
	files map[uint32]vfs.File
}

func (s *segmentFiles) put(n uint32, f vfs.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[uint32]vfs.File{}
	}
	s.files[n] = f
}

func (s *segmentFiles) get(n uint32) vfs.File {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.files[n]
}

// numbers returns the segments there are, in order.
func (s *segmentFiles) numbers() []uint32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sortedKeys(s.files)
}

// drop closes and forgets a segment.
func (s *segmentFiles) drop(n uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[n]
	delete(s.files, n)
	if f == nil {
		return nil
	}
	return f.Close()
}

func (s *segmentFiles) close() error {
	var errs []error
	for _, n := range s.numbers() {
		errs = append(errs, s.drop(n))
	}
	return errors.Join(errs...)
}
