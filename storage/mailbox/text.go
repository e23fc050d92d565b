package mailbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"

	"essaim.coop/essaim/format/message"

	"golang.org/x/text/unicode/norm"
)

// Fold appends text so that equal means equal to a search: without the case of
// letters, and decomposed (i;unicode-casemap, RFC 5051, but for the order of
// several accents on one letter). What is not UTF-8 becomes U+FFFD.
func Fold(dst, text []byte) []byte {
	for len(text) > 0 {
		n := asciiLength(text)
		start := len(dst)
		dst = append(dst, text[:n]...)
		lower(dst[start:])
		for text = text[n:]; len(text) > 0 && text[0] >= utf8.RuneSelf; text = text[n:] {
			var r rune
			r, n = utf8.DecodeRune(text)
			start := len(dst)
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
			if d := norm.NFKD.Properties(dst[start:]).Decomposition(); d != nil {
				dst = append(dst[:start], d...)
			}
		}
	}
	return dst
}

// FoldHeader is Fold of a header field's value, its encoded words decoded.
func FoldHeader(dst, value []byte) []byte {
	if !bytes.Contains(value, []byte("=?")) {
		return Fold(dst, message.Unfold(value))
	}
	return Fold(dst, []byte(message.DecodeHeader(string(value))))
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// asciiLength is how many bytes of b, from its start, are ASCII.
func asciiLength(b []byte) int {
	n := 0
	for ; n+8 <= len(b) && binary.LittleEndian.Uint64(b[n:])&highs == 0; n += 8 {
	}
	for n < len(b) && b[n] < utf8.RuneSelf {
		n++
	}
	return n
}

// lower makes ASCII letters small, eight at a time.
func lower(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		capital := (x + (0x80-'A')*ones) &^ (x + (0x80-'Z'-1)*ones) & highs
		binary.LittleEndian.PutUint64(b, x|capital>>2)
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
}

const textPiece = 16 << 10

// Text calls fn with the text of a message as a search sees it, folded, until
// fn returns false: its header field by field with encoded words decoded, and
// of its body the headers of the parts and every text, decoded to UTF-8. A long
// text comes in pieces, each beginning with the last overlap bytes of the one
// before. What cannot be decoded ends its part. The error is that of reading.
func (b *Body) Text(overlap int, fn func(piece []byte, header bool) bool) error {
	root, err := message.Scan(b.Reader())
	if err != nil {
		return err
	}
	w := &textWalk{body: b, overlap: overlap, fn: fn}
	if w.header(root, true) {
		w.part(root)
	}
	return w.err
}

type textWalk struct {
	body    *Body
	overlap int
	fn      func([]byte, bool) bool
	raw     []byte
	folded  []byte
	err     error
}

// header tells the fields of a part's or message's header.
func (w *textWalk) header(p *message.Part, top bool) bool {
	h := make([]byte, p.BodyStart-p.HeaderStart)
	if _, err := w.body.ReadAt(h, p.HeaderStart); err != nil && !errors.Is(err, io.EOF) {
		w.err = err
		return false
	}
	for len(h) > 0 {
		f := message.FirstField(h)
		h = h[len(f.Raw):]
		if f.Name == "" {
			continue
		}
		w.folded = Fold(w.folded[:0], f.Raw[:len(f.Name)])
		w.folded = append(w.folded, ": "...)
		w.folded = FoldHeader(w.folded, f.Value)
		if !w.fn(w.folded, top) {
			return false
		}
	}
	return true
}

// part tells what is in a part; its own header has been told.
func (w *textWalk) part(p *message.Part) bool {
	for _, c := range p.Children {
		if !w.header(c, false) || !w.part(c) {
			return false
		}
	}
	switch {
	case len(p.Children) > 0:
		return true
	case p.Message != nil:
		return w.header(p.Message, false) && w.part(p.Message)
	case p.Type != "text" && p.Type != "message":
		return true
	}
	return w.text(p.TextReader(io.NewSectionReader(w.body, p.BodyStart, p.End-p.BodyStart)))
}

func (w *textWalk) text(r io.Reader) bool {
	if w.raw == nil {
		w.raw = make([]byte, textPiece)
	}
	w.folded = w.folded[:0]
	left := 0 // bytes of a rune cut in two
	for {
		n, err := io.ReadFull(r, w.raw[left:])
		n += left
		whole := n
		if err == nil {
			whole = wholeRunes(w.raw[:n])
		}
		w.folded = Fold(w.folded, w.raw[:whole])
		if len(w.folded) > 0 && !w.fn(w.folded, false) {
			return false
		}
		if err != nil {
			return true
		}
		w.folded = append(w.folded[:0], w.folded[max(0, len(w.folded)-w.overlap):]...)
		left = copy(w.raw, w.raw[whole:n])
	}
}

// wholeRunes is the length of b without a rune that goes on behind it.
func wholeRunes(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}
