package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"essaim.coop/essaim/storage/kv"
)

// The pages of the tree's file are read here from their bytes, so that a page
// that leads astray is a finding, where it would be the end of a program that
// trusts it. What is asserted: every page that the root reaches says its own
// number, is reached once, lies within the file, and holds keys in order within
// the bounds its parent sets, with nothing between them; every value agrees with
// its checksum.
//
// The format is bbolt's, version 2, in the byte order of the machine, which is
// little-endian on all that are supported:
//
//	page     id u64, flags u16, count u16, overflow u32; then elements
//	branch   pos u32, key size u32, page u64
//	leaf     flags u32, pos u32, key size u32, value size u32; pos counts from the element
//	bucket   root page u64, sequence u64; with root 0 a whole page follows
//	meta     magic u32, version u32, page size u32, flags u32, bucket, freelist u64, pages u64, txid u64, FNV-1a u64
const (
	pageHeader  = 16
	elementSize = 16
	pageBranch  = 1
	pageLeaf    = 2
	leafBucket  = 1
	maxDepth    = 40
)

// A treeCheck walks one state of a tree.
type treeCheck struct {
	ctx   context.Context
	file  io.ReaderAt
	name  string
	page  int64
	pages uint64
	seen  map[uint64]bool
	bad   func(string)
	last  []byte // key before, in this bucket
	first bool
}

// checkTree calls bad with all that is wrong with the state that transaction
// txid left. That state must stay until it returns.
func checkTree(ctx context.Context, path string, txid int, bad func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c := &treeCheck{ctx: ctx, file: f, name: filepath.Base(path), seen: map[uint64]bool{}, bad: bad}
	root, ok := c.meta(uint64(txid))
	if !ok {
		return nil
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if limit := uint64(st.Size() / c.page); c.pages > limit {
		c.problem("%d pages, the file has room for %d", c.pages, limit)
		c.pages = limit
	}
	found := map[string]bool{}
	c.walk(root, nil, nil, 0, func(flags uint32, key, value []byte) {
		if flags != leafBucket {
			c.problem("%q is not a table", key)
			return
		}
		found[string(key)] = true
		last, first := c.last, c.first
		c.bucket(string(key), value)
		c.last, c.first = last, first
	})
	for _, b := range buckets {
		if !found[string(b)] {
			c.problem("table %q is missing", b)
		}
	}
	return ctx.Err()
}

func (c *treeCheck) problem(format string, args ...any) {
	c.bad(c.name + ": " + fmt.Sprintf(format, args...))
}

// meta finds the root that transaction txid left.
func (c *treeCheck) meta(txid uint64) (root uint64, ok bool) {
	const size = 64 // of a meta, its checksum included
	for _, page := range []int64{int64(os.Getpagesize()), 4096, 16384, 65536} {
		for i := range int64(2) {
			b := make([]byte, pageHeader+size)
			if _, err := c.file.ReadAt(b, i*page); err != nil {
				continue
			}
			m := b[pageHeader:]
			h := fnv.New64a()
			h.Write(m[:size-8])
			if h.Sum64() == binary.LittleEndian.Uint64(m[size-8:]) && binary.LittleEndian.Uint64(m[48:]) == txid {
				c.page, c.pages = int64(binary.LittleEndian.Uint32(m[8:])), binary.LittleEndian.Uint64(m[40:])
				return binary.LittleEndian.Uint64(m[16:]), c.page > 0
			}
		}
	}
	c.problem("no sound header of transaction %d", txid)
	return 0, false
}

// bucket checks one table, whose values are sealed.
func (c *treeCheck) bucket(name string, header []byte) {
	if len(header) < 16 {
		c.problem("table %q has no root", name)
		return
	}
	sealed := func(flags uint32, key, value []byte) {
		if _, err := unseal(key, value); err != nil || flags != 0 {
			c.problem("table %s: %v", name, fmt.Errorf("%w: value of key %q", kv.ErrCorrupt, key))
		}
	}
	c.last, c.first = nil, true
	if root := binary.LittleEndian.Uint64(header); root != 0 {
		c.walk(root, nil, nil, 0, sealed)
		return
	}
	c.elements(0, header[16:], nil, nil, 0, sealed)
}

// walk checks the pages below number n, whose keys are in [from, to).
func (c *treeCheck) walk(n uint64, from, to []byte, depth int, each func(flags uint32, key, value []byte)) {
	if depth == 0 {
		c.first = true
	}
	if c.ctx.Err() != nil {
		return
	}
	if n < 2 || n >= c.pages || depth > maxDepth || c.seen[n] {
		c.problem("page %d is out of place", n)
		return
	}
	h := make([]byte, pageHeader)
	if _, err := c.file.ReadAt(h, int64(n)*c.page); err != nil {
		c.problem("page %d: %v", n, err)
		return
	}
	more := uint64(binary.LittleEndian.Uint32(h[12:]))
	if binary.LittleEndian.Uint64(h) != n || n+more >= c.pages {
		c.problem("page %d says that it is %d and %d more", n, binary.LittleEndian.Uint64(h), more)
		return
	}
	for i := range more + 1 {
		if c.seen[n+i] {
			c.problem("page %d is used twice", n+i)
			return
		}
		c.seen[n+i] = true
	}
	b := make([]byte, int64(more+1)*c.page)
	if _, err := c.file.ReadAt(b, int64(n)*c.page); err != nil {
		c.problem("page %d: %v", n, err)
		return
	}
	c.elements(n, b, from, to, depth, each)
}

// elements checks what is on page n, and below it.
func (c *treeCheck) elements(n uint64, b, from, to []byte, depth int, each func(flags uint32, key, value []byte)) {
	if len(b) < pageHeader {
		c.problem("page %d is cut short", n)
		return
	}
	kind, count := binary.LittleEndian.Uint16(b[8:]), int(binary.LittleEndian.Uint16(b[10:]))
	if kind != pageBranch && kind != pageLeaf || pageHeader+count*elementSize > len(b) || count == 0 && (kind == pageBranch || depth > 0) {
		c.problem("page %d: kind %d with %d entries", n, kind, count)
		return
	}
	next := pageHeader + count*elementSize // what the entries tell lies behind them without gaps, in order
	for i := range count {
		at := pageHeader + i*elementSize
		e := b[at : at+elementSize]
		if !follows(e, kind, at, &next) {
			c.problem("page %d: %d entries, the content of entry %d is elsewhere", n, count, i)
			return
		}
		if kind == pageLeaf {
			key, value, ok := cut(b[at:], binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:]))
			if !ok || !c.inOrder(key, from, to) {
				c.problem("page %d: entry %d is out of place", n, i)
				continue
			}
			each(binary.LittleEndian.Uint32(e), key, value)
			continue
		}
		key, _, ok := cut(b[at:], binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), 0)
		if !ok || i > 0 && bytes.Compare(key, from) <= 0 || to != nil && bytes.Compare(key, to) >= 0 {
			c.problem("page %d: entry %d is out of place", n, i)
			continue
		}
		c.walk(binary.LittleEndian.Uint64(e[8:]), key, c.bound(b, i+1, count, to), depth+1, each)
		from = key
	}
}

// follows reports whether the content of an entry at at is at next, and moves
// that behind it.
func follows(e []byte, kind uint16, at int, next *int) bool {
	pos, size := binary.LittleEndian.Uint32(e), uint64(binary.LittleEndian.Uint32(e[4:]))
	if kind == pageLeaf {
		pos = binary.LittleEndian.Uint32(e[4:])
		size = uint64(binary.LittleEndian.Uint32(e[8:])) + uint64(binary.LittleEndian.Uint32(e[12:]))
	}
	ok := uint64(at)+uint64(pos) == uint64(*next)
	*next = int(uint64(*next) + min(size, 1<<30))
	return ok
}

// bound is the first key of the next entry of a branch, or the branch's own end.
func (c *treeCheck) bound(b []byte, i, count int, to []byte) []byte {
	if i >= count {
		return to
	}
	at := pageHeader + i*elementSize
	key, _, ok := cut(b[at:], binary.LittleEndian.Uint32(b[at:]), binary.LittleEndian.Uint32(b[at+4:]), 0)
	if !ok {
		return to // reported when its turn comes
	}
	return key
}

// inOrder reports whether a key follows the one before it and is in [from, to).
func (c *treeCheck) inOrder(key, from, to []byte) bool {
	ok := c.first || bytes.Compare(c.last, key) < 0
	c.last, c.first = key, false
	return ok && bytes.Compare(key, from) >= 0 && (to == nil || bytes.Compare(key, to) < 0)
}

// cut takes key and value out of what follows an element.
func cut(b []byte, pos, key, value uint32) (k, v []byte, ok bool) {
	end := uint64(pos) + uint64(key) + uint64(value)
	if end > uint64(len(b)) || pos < elementSize {
		return nil, nil, false
	}
	return b[pos : pos+key], b[pos+key : end], true
}
