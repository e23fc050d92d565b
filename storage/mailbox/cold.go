package mailbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// The cold row:
//
//	blob(8) size  header  prefix  kept  absent  envelope  structure
//
// size and header are varints: the message's size and the length of its header
// block, prefix included. The others are byte strings with their length in
// front. kept are header fields as they are, in their order; absent are the
// names, comma separated, of fields that would be kept but were too long.
// envelope is the ENVELOPE response as a delta against kept (see delta);
// structure is the BODYSTRUCTURE response as it is.

// keptFields are what the usual clients ask for when they list a mailbox.
var keptFields = map[string]bool{
	"authentication-results": true, "bcc": true, "bimi-indicator": true, "bimi-location": true, "cc": true,
	"content-type": true, "date": true, "dkim-signature": true, "from": true, "importance": true,
	"in-reply-to": true, "list-id": true, "list-unsubscribe": true, "message-id": true, "newsgroups": true,
	"priority": true, "references": true, "reply-to": true, "sender": true, "subject": true, "to": true,
	"x-bimi-indicator-hash": true, "x-priority": true, "x-uniform-type-identifier": true,
	"x-universally-unique-identifier": true,
}

const maxKept = 2 << 10 // bytes of one field

func appendCold(b []byte, in *Incoming) []byte {
	header := append(append([]byte(nil), in.Prefix...), in.Header...)
	var kept []byte
	var absent []string
	for _, f := range message.ParseHeader(header) {
		name := strings.ToLower(f.Name)
		switch {
		case !keptFields[name]:
		case len(f.Raw) > maxKept || !bytes.HasSuffix(f.Raw, []byte("\n")):
			absent = append(absent, name)
		default:
			kept = append(kept, f.Raw...)
		}
	}
	b = binary.AppendUvarint(b, uint64(in.Size()))
	b = binary.AppendUvarint(b, uint64(len(header)))
	for _, s := range [][]byte{
		in.Prefix, kept, []byte(strings.Join(absent, ",")),
		delta(nil, message.AppendEnvelope(nil, header), kept),
		message.AppendBodyStructure(nil, in.Root, true),
	} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// A Cold is a view of a cold row, valid as long as its transaction.
type Cold struct {
	Blob      blob.ID
	Size      int64
	Header    int64 // length of the header block
	Prefix    []byte
	Kept      []byte
	Structure []byte // BODYSTRUCTURE in wire form
	absent    []byte
	envelope  []byte
}

func coldKey(id MsgID) []byte { return binary.BigEndian.AppendUint64([]byte{'m'}, uint64(id)) }
func refsKey(id MsgID) []byte { return binary.BigEndian.AppendUint64([]byte{'n'}, uint64(id)) }

func putCold(tx *storage.Tx, id MsgID, body blob.ID, rest []byte) {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(rest)), uint64(body))
	tx.Put(coldKey(id), append(v, rest...))
}

// ReadCold finds what the index has of a message.
func ReadCold(tx *storage.Tx, id MsgID) (c Cold, err error) {
	var key [9]byte
	key[0] = 'm'
	binary.BigEndian.PutUint64(key[1:], uint64(id))
	return parseCold(id, tx.Get(key[:]))
}

func parseCold(id MsgID, b []byte) (c Cold, err error) {
	if b == nil {
		return c, fmt.Errorf("message %d: %w", id, storage.ErrNotFound)
	}
	bad := func() (Cold, error) {
		return Cold{}, fmt.Errorf("message %d: index row: %w", id, storage.ErrInvalid)
	}
	if len(b) < 8 {
		return bad()
	}
	c.Blob = blob.ID(binary.BigEndian.Uint64(b))
	b = b[8:]
	for _, v := range []*int64{&c.Size, &c.Header} {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return bad()
		}
		*v, b = int64(x), b[n:]
	}
	for _, s := range []*[]byte{&c.Prefix, &c.Kept, &c.absent, &c.envelope, &c.Structure} {
		x, n := binary.Uvarint(b)
		if n <= 0 || x > uint64(len(b)-n) {
			return bad()
		}
		*s, b = b[n:n+int(x)], b[n+int(x):]
	}
	return c, nil
}

// AppendEnvelope appends the ENVELOPE response.
func (c *Cold) AppendEnvelope(dst []byte) []byte { return undelta(dst, c.envelope, c.Kept) }

// Knows reports whether the index can answer for a header field: it keeps it,
// or knows that the message has none.
func (c *Cold) Knows(name string) bool {
	if !keptFields[strings.ToLower(name)] {
		return false
	}
	return len(c.absent) == 0 || !bytes.Contains(c.absent, []byte(strings.ToLower(name)))
}

// AppendFields appends the named fields and a blank line, and reports whether
// the index could: if not, the message itself must be read. names are in lower
// case.
func (c *Cold) AppendFields(dst []byte, names []string) ([]byte, bool) {
	for _, n := range names {
		if !c.Knows(n) {
			return dst, false
		}
	}
	for b := c.Kept; len(b) > 0; {
		n, colon := foldedLength(b)
		if has(names, b[:colon]) {
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return append(dst, '\r', '\n'), true
}

// foldedLength returns the length of the field at the start of b, and of its
// name.
func foldedLength(b []byte) (n, colon int) {
	colon = max(0, bytes.IndexByte(b, ':'))
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b), colon
		}
		if n += i + 1; n >= len(b) || b[n] != ' ' && b[n] != '\t' {
			return n, colon
		}
	}
}

func has(names []string, name []byte) bool {
	name = bytes.TrimRight(name, " \t")
	for _, n := range names {
		if len(n) == len(name) && equalFold(n, name) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII; a is in lower case.
func equalFold(a string, b []byte) bool {
	for i := 0; i < len(a); i++ {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if a[i] != c {
			return false
		}
	}
	return true
}

// delta describes target by pieces of source and of its own: pairs of varints,
// own length and its bytes, then offset and length in source. An ENVELOPE is
// mostly what its header fields say, in quotes.
func delta(dst, target, source []byte) []byte {
	const least = 5
	own := 0 // start of the bytes not described yet
	for i := 0; i < len(target); i++ {
		if target[i] != '"' {
			continue
		}
		n := bytes.IndexByte(target[i+1:], '"')
		if n < 0 {
			break
		}
		if n >= least {
			if at := bytes.Index(source, target[i+1:i+1+n]); at >= 0 {
				dst = binary.AppendUvarint(dst, uint64(i+1-own))
				dst = append(dst, target[own:i+1]...)
				dst = binary.AppendUvarint(dst, uint64(at))
				dst = binary.AppendUvarint(dst, uint64(n))
				own = i + 1 + n
			}
		}
		i += n + 1
	}
	dst = binary.AppendUvarint(dst, uint64(len(target)-own))
	return append(dst, target[own:]...)
}

// undelta is the inverse; what does not fit ends it.
func undelta(dst, d, source []byte) []byte {
	for len(d) > 0 {
		n, k := binary.Uvarint(d)
		if k <= 0 || n > uint64(len(d)-k) {
			return dst
		}
		dst = append(dst, d[k:k+int(n)]...)
		if d = d[k+int(n):]; len(d) == 0 {
			return dst
		}
		at, k := binary.Uvarint(d)
		if k <= 0 {
			return dst
		}
		length, j := binary.Uvarint(d[k:])
		if j <= 0 || at > uint64(len(source)) || length > uint64(len(source))-at {
			return dst
		}
		dst = append(dst, source[at:at+length]...)
		d = d[k+j:]
	}
	return dst
}

func references(tx *storage.Tx, id MsgID) uint64 {
	n, k := binary.Uvarint(tx.Get(refsKey(id)))
	if k <= 0 {
		return 1
	}
	return n
}

func retain(tx *storage.Tx, id MsgID) {
	tx.Put(refsKey(id), binary.AppendUvarint(nil, references(tx, id)+1))
}

// release drops a reference; with the last one the message goes.
func release(tx *storage.Tx, id MsgID) {
	switch n := references(tx, id) - 1; n {
	case 0:
		if c, err := ReadCold(tx, id); err == nil {
			tx.Release(c.Blob)
		}
		tx.Delete(coldKey(id))
	case 1:
		tx.Delete(refsKey(id))
	default:
		tx.Put(refsKey(id), binary.AppendUvarint(nil, n))
	}
}
