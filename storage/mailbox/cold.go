package mailbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/format/phrasebook"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// The cold row:
//
//	blob size header  prefix kept absent envelope structure offsets  text
//
// All but the last are varints: the blob's ID, the message's size, the length of its header
// block, prefix included, and the lengths of six pieces of text, which follow
// packed as one (package phrasebook). kept are header fields as they are, in
// their order; absent are the names, comma separated, of fields that would be
// kept but are too long. structure is the BODYSTRUCTURE response; envelope is
// the ENVELOPE response where the kept fields do not say it all, else empty.
// offsets are where the parts of a body with a file of its own are: of those,
// and only of those, a part can be read without the rest.

// keptFields are what the usual clients ask for when they list a mailbox, and
// how many bytes of one are kept at most. A DKIM-Signature is all noise, no
// shorter when packed than the rest of a row together: a client that asks for
// it (Apple Mail, which then reads the messages, too) is answered from the
// message, as far as it has one.
var keptFields = map[string]int{
	"authentication-results": 1 << 10, "bcc": 2 << 10, "bimi-indicator": 256, "bimi-location": 256, "cc": 2 << 10,
	"content-type": 512, "date": 128, "dkim-signature": 0, "from": 2 << 10, "importance": 128,
	"in-reply-to": 2 << 10, "list-id": 512, "list-unsubscribe": 512, "message-id": 1 << 10, "newsgroups": 512,
	"priority": 128, "references": 2 << 10, "reply-to": 1 << 10, "sender": 1 << 10, "subject": 2 << 10, "to": 2 << 10,
	"x-bimi-indicator-hash": 256, "x-priority": 128, "x-uniform-type-identifier": 128,
	"x-universally-unique-identifier": 128,
}

const (
	maxKept = 16 << 10 // bytes of all fields
	maxText = 32 << 20 // of all pieces; it is far more than MaxHeader and MaxParts allow
)

func appendCold(b []byte, in *Incoming) []byte {
	header := append(append([]byte(nil), in.Prefix...), in.Header...)
	kept, absent := keep(header)
	b = binary.AppendUvarint(b, uint64(in.Size()))
	b = binary.AppendUvarint(b, uint64(len(header)))
	var text, envelope []byte
	if isAbsent(absent, message.EnvelopeFields[:]...) {
		envelope = message.AppendEnvelope(nil, header)
	}
	var offsets []byte
	if in.Staged.Size > blob.MaxSmall {
		offsets = message.AppendOffsets(nil, in.Root)
	}
	for _, s := range [pieces][]byte{
		in.Prefix, kept, absent, envelope,
		message.AppendBodyStructure(nil, in.Root, true), offsets,
	} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		text = append(text, s...)
	}
	return phrasebook.Pack(b, text)
}

// keep picks the fields to be kept out of a header.
func keep(header []byte) (kept, absent []byte) {
	var missing []string
	for _, f := range message.ParseHeader(header) {
		name := strings.ToLower(f.Name)
		most, ok := keptFields[name]
		switch {
		case !ok:
		case len(f.Raw) > most || len(kept)+len(f.Raw) > maxKept || !bytes.HasSuffix(f.Raw, []byte("\n")):
			missing = append(missing, name)
		default:
			kept = append(kept, f.Raw...)
		}
	}
	slices.Sort(missing)
	return kept, []byte(strings.Join(slices.Compact(missing), ","))
}

// A Part says how much of a cold row is wanted; each includes those before it,
// and costs more.
type Part uint8

const (
	JustPrefix Part = iota // with the numbers
	Headers                // and the kept fields, and ENVELOPE
	Everything             // and BODYSTRUCTURE, and the offsets of parts

	pieces = 6
)

// A Cold is what the index has of a message. It outlives the transaction it was
// read in; its buffer is used again by the next Read.
type Cold struct {
	Blob   blob.ID
	Size   int64
	Header int64 // length of the header block, prefix included
	ends   [pieces]int
	text   []byte
}

func coldKey(id MsgID) []byte { return binary.BigEndian.AppendUint64([]byte{'m'}, uint64(id)) }
func refsKey(id MsgID) []byte { return binary.BigEndian.AppendUint64([]byte{'n'}, uint64(id)) }

func putCold(tx *storage.Tx, id MsgID, body blob.ID, rest []byte) {
	v := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(rest)), uint64(body))
	tx.Put(coldKey(id), append(v, rest...))
}

// Read finds what the index has of a message.
func (c *Cold) Read(tx *storage.Tx, id MsgID, part Part) error {
	var key [9]byte
	key[0] = 'm'
	binary.BigEndian.PutUint64(key[1:], uint64(id))
	row := tx.Get(key[:])
	if row == nil {
		return fmt.Errorf("message %d: %w", id, storage.ErrNotFound)
	}
	if !c.parse(row, part) {
		return fmt.Errorf("message %d: index row: %w", id, storage.ErrInvalid)
	}
	return nil
}

func (c *Cold) parse(b []byte, part Part) bool {
	var v [3 + pieces]uint64
	total := uint64(0)
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return false
		}
		b = b[n:]
		if i >= 3 {
			if v[i] > maxText || total+v[i] > maxText {
				return false
			}
			total += v[i]
			c.ends[i-3] = int(total)
		}
	}
	c.Blob, c.Size, c.Header = blob.ID(v[0]), int64(v[1]), int64(v[2])
	enough := c.ends[[...]int{0, 3, 5}[part]]
	var err error
	c.text, err = phrasebook.Unpack(c.text[:0], b, enough, int(total))
	return err == nil && len(c.text) >= enough
}

func (c *Cold) piece(i int) []byte {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.text[from:c.ends[i]:c.ends[i]]
}

// Prefix returns our own header fields in front of the message.
func (c *Cold) Prefix() []byte { return c.piece(0) }

// Kept returns the kept header fields; it needs Headers.
func (c *Cold) Kept() []byte { return c.piece(1) }

// AppendEnvelope appends the ENVELOPE response; it needs Headers.
func (c *Cold) AppendEnvelope(dst []byte) []byte {
	if e := c.piece(3); len(e) > 0 {
		return append(dst, e...)
	}
	return message.AppendEnvelope(dst, c.Kept())
}

// Structure returns the BODYSTRUCTURE response; it needs Everything.
func (c *Cold) Structure() []byte { return c.piece(4) }

// Knows reports whether the index can answer for a header field, whose name is
// in lower case: it keeps it, or knows that the message has none.
func (c *Cold) Knows(name string) bool {
	if _, ok := keptFields[name]; !ok {
		return false
	}
	return !isAbsent(c.piece(2), name)
}

// isAbsent reports whether one of the names is in the list.
func isAbsent(list []byte, names ...string) bool {
	for len(list) > 0 {
		first, rest, _ := bytes.Cut(list, []byte(","))
		for _, n := range names {
			if string(first) == n {
				return true
			}
		}
		list = rest
	}
	return false
}

// Parts returns where the parts of the message are, prefix included; nil where
// the message has to be scanned. It needs Everything.
func (c *Cold) Parts() (*message.Part, error) {
	offsets := c.piece(5)
	if len(offsets) == 0 {
		return nil, nil
	}
	p, err := message.ReadOffsets(offsets, int64(len(c.Prefix())))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrInvalid, err)
	}
	return p, nil
}

// Keeps reports whether fields of all these names, in lower case, are kept.
func Keeps(names []string) bool {
	for _, n := range names {
		if _, ok := keptFields[n]; !ok {
			return false
		}
	}
	return true
}

// AppendFields appends the named fields, which are kept ones, and a blank line;
// it reports whether the index could: if not, the message itself must be read.
// It needs Headers.
func (c *Cold) AppendFields(dst []byte, names []string) ([]byte, bool) {
	if isAbsent(c.piece(2), names...) {
		return dst, false
	}
	for b := c.Kept(); len(b) > 0; {
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
		var c Cold
		if c.Read(tx, id, JustPrefix) == nil {
			tx.Release(c.Blob)
		}
		tx.Delete(coldKey(id))
		if k := signatureKey(id); tx.Get(k) != nil {
			tx.Delete(k)
		}
	case 1:
		tx.Delete(refsKey(id))
	default:
		tx.Put(refsKey(id), binary.AppendUvarint(nil, n))
	}
}
