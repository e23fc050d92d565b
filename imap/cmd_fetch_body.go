package imap

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// whole answers for a message that has to be read. It runs outside of any view.
// A message expunged meanwhile is passed over (RFC 2180 §4.1).
func (f *fetcher) whole(w *fetched) error {
	body, err := mailbox.OpenBody(f.srv.DB, w.cold.Prefix(), w.cold.Blob)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	f.start(w.seq, w.msg, func(b []byte) []byte {
		for i, n := range w.flags {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, n...)
		}
		return b
	})
	if f.Envelope {
		f.buf = w.cold.AppendEnvelope(append(f.buf, " ENVELOPE "...))
	}
	if f.BodyStructure {
		f.buf = append(append(f.buf, " BODYSTRUCTURE "...), w.cold.Structure()...)
	}
	m := &opened{Body: body, header: w.cold.Header}
	if f.part == mailbox.Everything {
		if m.root, err = w.cold.Parts(); err != nil {
			return err
		}
	}
	if f.Body {
		root, err := message.Scan(m.Reader()) // what the parts are, too
		if err != nil {
			return err
		}
		f.buf = message.AppendBodyStructure(append(f.buf, " BODY "...), root, false)
	}
	return f.sections(m)
}

// sections writes the sections asked for. The response is begun only when all
// of them are known to be there, as a literal's length cannot be taken back.
func (f *fetcher) sections(m *opened) error {
	cuts := make([]cut, len(f.Sections))
	for i := range f.Sections {
		var err error
		if cuts[i], err = m.cut(&f.Sections[i]); err != nil {
			return err
		}
	}
	f.enc.Bytes(trimFirst(f.buf))
	for i := range f.Sections {
		sec := &f.Sections[i]
		length := cuts[i].len()
		f.buf = appendCut(f.buf[:0], sec, &cuts[i])
		if i == 0 && len(f.buf) > 0 && f.empty() {
			f.buf = f.buf[1:]
		}
		f.enc.Bytes(f.buf)
		if sec.Size || sec.Binary && cuts[i].missing {
			continue
		}
		from, n := sec.Cut(length)
		if err := m.write(f.enc, cuts[i], from, n); err != nil {
			f.conn.fail(err) // the client waits for bytes that do not come
			return f.conn.broken
		}
	}
	f.enc.Raw(")").CRLF()
	return nil
}

// empty reports whether nothing stands before the first section.
func (f *fetcher) empty() bool {
	return !f.UID && !f.Flags && !f.InternalDate && !f.SaveDate && !f.Size && !f.ModSeq && !f.Envelope && !f.BodyStructure && !f.Body && !f.seenToo()
}

// opened is a message being read.
type opened struct {
	*mailbox.Body
	header int64 // length of the header block
	root   *message.Part
}

// parts scans the message, once.
func (m *opened) parts() (*message.Part, error) {
	if m.root != nil {
		return m.root, nil
	}
	var err error
	m.root, err = message.Scan(m.Reader())
	return m.root, err
}

// A cut is the text of a section: a range of the message, bytes made from it, or
// what a decoder makes of a range.
type cut struct {
	from, to int64
	made     []byte
	isMade   bool
	part     *message.Part // to be decoded (RFC 3516)
	decoded  int64         // its length then
	nul      bool          // needs a literal8
	missing  bool          // there is no such part
}

func (c cut) len() int64 {
	switch {
	case c.isMade:
		return int64(len(c.made))
	case c.part != nil:
		return c.decoded
	}
	return c.to - c.from
}

// cut finds the text of a section; what is not there is empty.
func (m *opened) cut(sec *imapwire.Section) (cut, error) {
	if len(sec.Part) == 0 && !sec.Binary { // no need to know the parts
		switch sec.Spec {
		case "":
			return cut{to: m.Size()}, nil
		case "HEADER":
			return cut{to: m.header}, nil
		case "TEXT":
			return cut{from: m.header, to: m.Size()}, nil
		}
		return m.fields(sec, 0, m.header)
	}
	root, err := m.parts()
	if err != nil {
		return cut{}, err
	}
	p, inner := find(root, sec.Part)
	if p == nil {
		return cut{missing: true}, nil
	}
	if sec.Binary {
		return m.decoded(p, len(sec.Part) == 0)
	}
	switch sec.Spec {
	case "":
		return cut{from: p.BodyStart, to: p.End}, nil
	case "MIME":
		return cut{from: p.HeaderStart, to: p.BodyStart}, nil
	}
	if inner == nil { // HEADER and TEXT are of a message
		return cut{}, nil
	}
	switch sec.Spec {
	case "HEADER":
		return cut{from: inner.HeaderStart, to: inner.BodyStart}, nil
	case "TEXT":
		return cut{from: inner.BodyStart, to: inner.End}, nil
	}
	return m.fields(sec, inner.HeaderStart, inner.BodyStart)
}

// decoded finds out what a part is without its transfer encoding; the message
// itself, and what has parts, has none.
func (m *opened) decoded(p *message.Part, whole bool) (cut, error) {
	if whole {
		p = &message.Part{End: m.Size()}
	} else if len(p.Children) == 0 {
		header := make([]byte, p.BodyStart-p.HeaderStart)
		if _, err := m.ReadAt(header, p.HeaderStart); err != nil && !errors.Is(err, io.EOF) {
			return cut{}, err
		}
		leaf := *p
		leaf.ReadHeader(header)
		p = &leaf
	}
	c := cut{from: p.BodyStart, to: p.End, part: p}
	r, known := m.decoder(c)
	if !known {
		return c, no("UNKNOWN-CTE", "the part's transfer encoding is not known")
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		c.decoded += int64(n)
		c.nul = c.nul || bytes.IndexByte(buf[:n], 0) >= 0
		if err != nil { // also where it is no longer well encoded
			return c, nil
		}
	}
}

func (m *opened) decoder(c cut) (io.Reader, bool) {
	r := io.NewSectionReader(m, c.from, c.to-c.from)
	if len(c.part.Children) > 0 {
		return r, true
	}
	return c.part.Decode(r)
}

// fields makes the text of HEADER.FIELDS out of a header block.
func (m *opened) fields(sec *imapwire.Section, from, to int64) (cut, error) {
	header := make([]byte, to-from)
	if _, err := m.ReadAt(header, from); err != nil && !errors.Is(err, io.EOF) {
		return cut{}, err
	}
	text := message.AppendFields(nil, header, sec.Fields, sec.Spec == "HEADER.FIELDS.NOT")
	return cut{made: text, isMade: true}, nil
}

// find follows part numbers (RFC 9051 §6.4.5.1). inner is the message that the
// place is, or that the part holds.
func find(root *message.Part, path []int) (p, inner *message.Part) {
	p, inner = root, root
	for _, n := range path {
		switch {
		case inner != nil && len(inner.Children) > 0 && n <= len(inner.Children):
			p = inner.Children[n-1]
		case inner == nil && len(p.Children) > 0 && n <= len(p.Children):
			p = p.Children[n-1]
		case inner != nil && len(inner.Children) == 0 && n == 1: // the only part of a message
			p, inner = inner, inner.Message
			continue
		default:
			return nil, nil
		}
		inner = p.Message
	}
	return p, inner
}

// write copies a piece of a cut to the client.
func (m *opened) write(e *imapwire.Encoder, c cut, from, n int64) error {
	if c.isMade {
		e.Bytes(c.made[from : from+n])
		return nil
	}
	if c.part != nil {
		r, _ := m.decoder(c)
		if _, err := io.CopyN(io.Discard, r, from); err != nil {
			return err
		}
		_, err := io.CopyN(e, r, n)
		return err
	}
	from += c.from
	if prefix, rest, ok := m.Parts(); ok {
		e.Bytes(slice(prefix, from, n))
		off := from - int64(len(prefix))
		e.Bytes(slice(rest, off, n))
		return nil
	}
	buf := make([]byte, 64<<10)
	for n > 0 {
		k, err := m.ReadAt(buf[:min(n, int64(len(buf)))], from)
		if k == 0 {
			return err
		}
		e.Bytes(buf[:k])
		from, n = from+int64(k), n-int64(k)
	}
	return nil
}

// slice returns what of b is in [from, from+n), where from may be negative.
func slice(b []byte, from, n int64) []byte {
	to := min(from+n, int64(len(b)))
	from = max(from, 0)
	if from >= to {
		return nil
	}
	return b[from:to]
}

// appendSection appends the item's name and the header of its literal.
func appendSection(b []byte, sec *imapwire.Section, length int64) []byte {
	b = append(append(b, ' '), sec.Name...)
	_, n := sec.Cut(length)
	if sec.Partial {
		b = append(strconv.AppendInt(append(b, '<'), sec.Off, 10), '>')
	}
	b = strconv.AppendInt(append(b, " {"...), n, 10)
	return append(b, "}\r\n"...)
}

// appendCut is appendSection for BINARY and BINARY.SIZE, too.
func appendCut(b []byte, sec *imapwire.Section, c *cut) []byte {
	switch {
	case sec.Size:
		b = append(append(append(b, ' '), sec.Name...), ' ')
		return appendUint(b, uint64(c.len()))
	case sec.Binary && c.missing:
		return append(append(append(b, ' '), sec.Name...), " NIL"...)
	}
	b = appendSection(b, sec, c.len())
	if c.nul {
		i := bytes.LastIndexByte(b, '{')
		b = slices.Insert(b, i, '~')
	}
	return b
}

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// trimFirst takes out the space before the first item.
func trimFirst(b []byte) []byte {
	if i := bytes.IndexByte(b, '('); i >= 0 && i+1 < len(b) && b[i+1] == ' ' {
		copy(b[1:], b[:i+1])
		return b[1:]
	}
	return b
}
