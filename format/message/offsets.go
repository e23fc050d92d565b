package message

import (
	"encoding/binary"
	"errors"
)

// AppendOffsets appends where the parts of a message are, so that one of them
// can be read without the rest: for each part, in order, varints of where its
// header begins (behind the start of the part it is in), how long header and
// body are, and how many parts are in it, doubled, and one more for a message.
func AppendOffsets(dst []byte, p *Part) []byte { return appendOffsets(dst, p, 0) }

func appendOffsets(dst []byte, p *Part, from int64) []byte {
	kind := uint64(len(p.Children)) << 1
	if p.Message != nil {
		kind |= 1
	}
	for _, v := range [...]uint64{uint64(p.HeaderStart - from), uint64(p.BodyStart - p.HeaderStart), uint64(p.End - p.BodyStart), kind} {
		dst = binary.AppendUvarint(dst, v)
	}
	for _, c := range p.Children {
		dst = appendOffsets(dst, c, p.HeaderStart)
	}
	if p.Message != nil {
		dst = appendOffsets(dst, p.Message, p.HeaderStart)
	}
	return dst
}

// ErrOffsets says that bytes are not those of AppendOffsets.
var ErrOffsets = errors.New("message: offsets of parts are malformed")

// ReadOffsets returns the parts as far as offsets tell: where they are, not what
// they are; see ReadHeader. Everything is shifted by a prefix that stands in
// front of the message's header now.
func ReadOffsets(b []byte, prefix int64) (*Part, error) {
	r := offsetReader{b: b}
	p := r.part(0, bounds{0, maxOffset - prefix}, 0)
	if p == nil || len(r.b) > 0 {
		return nil, ErrOffsets
	}
	p.shift(prefix)
	p.HeaderStart = 0 // the prefix is of the header
	return p, nil
}

func (p *Part) shift(n int64) {
	p.HeaderStart, p.BodyStart, p.End = p.HeaderStart+n, p.BodyStart+n, p.End+n
	for _, c := range p.Children {
		c.shift(n)
	}
	if p.Message != nil {
		p.Message.shift(n)
	}
}

// maxOffset is where a message ends at the latest.
const maxOffset = 1 << 40

type offsetReader struct {
	b     []byte
	parts int
}

// bounds are those of the body that a part is in.
type bounds struct{ start, end int64 }

func (r *offsetReader) part(from int64, in bounds, depth int) *Part {
	var v [4]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(r.b); n <= 0 || v[i] > maxOffset {
			return nil
		}
		r.b = r.b[n:]
	}
	if r.parts++; r.parts > MaxParts+1 || depth > MaxDepth+1 {
		return nil
	}
	p := &Part{HeaderStart: from + int64(v[0])}
	p.BodyStart = p.HeaderStart + int64(v[1])
	p.End = p.BodyStart + int64(v[2])
	if p.HeaderStart < in.start || p.End > in.end {
		return nil
	}
	body := bounds{p.BodyStart, p.End}
	for range v[3] >> 1 {
		c := r.part(p.HeaderStart, body, depth+1)
		if c == nil {
			return nil
		}
		p.Children = append(p.Children, c)
	}
	if v[3]&1 != 0 {
		if p.Message = r.part(p.HeaderStart, body, depth+1); p.Message == nil {
			return nil
		}
	}
	return p
}

// ReadHeader takes the MIME fields out of the part's own header block.
func (p *Part) ReadHeader(header []byte) {
	p.Type, p.Subtype = "text", "plain"
	p.header = header
	p.readFields()
	p.header = nil
}
