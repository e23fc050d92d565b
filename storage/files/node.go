package files

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A Kind says what a node is.
type Kind uint8

const (
	File   Kind = 1 + iota
	Folder      // has children
	Mount       // stands for a folder of another tree (mount.go)
)

// An Extent is a run of a body's bytes.
type Extent struct {
	Blob        blob.ID
	Off, Length int64
}

// A Content is what a file holds. The bytes are those of its extents in order,
// or of one staged body that Put attaches.
type Content struct {
	Size    int64
	Type    string // media type
	Tag     [16]byte
	Print   []byte // of a large body, see blob.Staged
	SHA256  []byte // checksums of the whole, nil when not known
	SHA1    []byte
	MD5     []byte
	Extents []Extent

	staged *blob.Staged
}

// Staged is the content of one staged body. One without a sum gets a random tag.
func Staged(s *blob.Staged, mediaType string) Content {
	c := Content{Size: s.Size, Type: mediaType, Print: s.Print, staged: s}
	if s.Sum == [sha256.Size]byte{} {
		_, _ = rand.Read(c.Tag[:]) // it never fails
		return c
	}
	c.Tag, c.SHA256 = [16]byte(s.Sum[:16]), s.Sum[:]
	return c
}

// same reports whether two contents are of the same bytes, as far as can be told
// without reading them: for what loses little when it is wrong.
func (c *Content) same(as *Content) bool {
	return c.Size == as.Size && (c.Tag == as.Tag || c.Print != nil && bytes.Equal(c.Print, as.Print))
}

// ETag returns a strong entity tag (RFC 9110 §8.8.3), quoted. That of a small
// body follows from the bytes, so the same bytes have the same tag.
func (c *Content) ETag() string {
	var b [2 + 2*len(c.Tag)]byte
	b[0], b[len(b)-1] = '"', '"'
	hex.Encode(b[1:], c.Tag[:])
	return string(b[:])
}

// A Node is one file, folder or mount of a tree.
type Node struct {
	ID       storage.ItemID
	Parent   storage.ItemID // 0 is above the root, and above what is in the trash
	Kind     Kind
	Name     string
	Created  int64
	Modified int64          // as the client gives it; of a folder, its own date
	Placed   storage.ModSeq // it got its place and name
	Deleted  int64          // when it went to the trash; only its top has a date
	Partial  bool           // a copy under way, which nobody sees

	// Of files.
	Content
	By       storage.AccountID // who wrote the content
	Written  int64             // and when
	Rev      storage.ModSeq
	Versions int   // how many are kept
	Kept     int64 // and their bytes
}

// charged is what a node counts against the quota.
func (n *Node) charged() int64 { return n.Size + n.Kept }

// ModTime returns the date the client gave, or that of the last change.
func (n *Node) ModTime() time.Time { return time.UnixMilli(n.Modified) }

// marshal: layout 1, kind, flags, varints, the tag, then texts and checksums
// with their lengths, then extents.
func (n *Node) marshal() []byte {
	flags := byte(0)
	if n.Partial {
		flags = 1
	}
	b := append(make([]byte, 0, 160+len(n.Name)), 1, byte(n.Kind), flags)
	for _, v := range []uint64{uint64(n.Parent), uint64(n.Created), uint64(n.Modified), uint64(n.Placed), uint64(n.Deleted)} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendBytes(b, []byte(n.Name))
	if n.Kind != File {
		return b
	}
	for _, v := range []uint64{uint64(n.By), uint64(n.Written), uint64(n.Rev), uint64(n.Versions), uint64(n.Kept)} {
		b = binary.AppendUvarint(b, v)
	}
	return n.Content.append(b)
}

func (c *Content) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.Size))
	b = append(b, c.Tag[:]...)
	for _, s := range [][]byte{[]byte(c.Type), c.Print, c.SHA256, c.SHA1, c.MD5} {
		b = appendBytes(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Extents)))
	for _, e := range c.Extents {
		b = binary.AppendUvarint(b, uint64(e.Blob))
		b = binary.AppendUvarint(b, uint64(e.Off))
		b = binary.AppendUvarint(b, uint64(e.Length))
	}
	return b
}

func unmarshalNode(id storage.ItemID, v []byte) (Node, error) {
	n := Node{ID: id}
	r := reader{b: slices.Clone(v)}
	if layout := r.byte(); layout != 1 {
		return n, fmt.Errorf("node %d: layout %d: %w", id, layout, storage.ErrInvalid)
	}
	n.Kind, n.Partial = Kind(r.byte()), r.byte()&1 != 0
	n.Parent, n.Created, n.Modified = storage.ItemID(r.uint()), int64(r.uint()), int64(r.uint())
	n.Placed, n.Deleted = storage.ModSeq(r.uint()), int64(r.uint())
	n.Name = string(r.bytes())
	if n.Kind == File {
		n.By, n.Written, n.Rev = storage.AccountID(r.uint()), int64(r.uint()), storage.ModSeq(r.uint())
		n.Versions, n.Kept = int(r.uint()), int64(r.uint())
		r.content(&n.Content)
	}
	if r.bad || n.Kind < File || n.Kind > Mount {
		return n, fmt.Errorf("node %d: row of %d bytes: %w", id, len(v), storage.ErrInvalid)
	}
	return n, nil
}

// parentIn is the parent in a row, or 0.
func parentIn(row []byte) storage.ItemID {
	if len(row) < 4 {
		return 0
	}
	parent, _ := binary.Uvarint(row[3:])
	return storage.ItemID(parent)
}

func appendBytes(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// A reader takes a row apart. What it returns is part of the row, which must be
// a copy where that is kept; once something was missing it is bad and returns
// zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	if n := r.uint(); n > 0 {
		return slices.Clip(r.take(n))
	}
	return nil
}

func (r *reader) content(c *Content) {
	c.Size = int64(r.uint())
	copy(c.Tag[:], r.take(16))
	c.Type = mediaTypes.text(r.bytes())
	c.Print, c.SHA256, c.SHA1, c.MD5 = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	for n := r.uint(); n > 0 && !r.bad; n-- {
		c.Extents = append(c.Extents, Extent{blob.ID(r.uint()), int64(r.uint()), int64(r.uint())})
	}
}

// mediaTypes are the texts of those that were read.
var mediaTypes common

// A common gives the same string for the same bytes, of which there are few. It
// is safe for concurrent use.
type common struct {
	known atomic.Pointer[map[string]string]
}

const mostCommon = 256

func (c *common) text(b []byte) string {
	known := c.known.Load()
	if known != nil {
		if s, ok := (*known)[string(b)]; ok {
			return s
		}
	}
	s := string(b)
	if known == nil {
		c.known.CompareAndSwap(nil, &map[string]string{s: s})
	} else if len(*known) < mostCommon && len(s) < 100 {
		more := maps.Clone(*known)
		more[s] = s
		c.known.CompareAndSwap(known, &more)
	}
	return s
}
