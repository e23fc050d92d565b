// Package message reads and writes Internet messages: header fields, MIME
// structure, the IMAP wire forms of both, and delivery reports.
//
// What it promises: any bytes are accepted; nothing panics, nothing takes more
// than time linear in the input, and memory stays within MaxHeader and
// MaxParts. What cannot be understood is left as opaque text, never dropped. What
// ENVELOPE and BODYSTRUCTURE tell of a header is never many times as long as it:
// under a megabyte, whatever it is full of.
// It does no I/O but on the readers it is given.
//
// RFCs: 5322 and 6532 (messages), 2045, 2046, 2183, 2231 (MIME), 2047 (encoded
// words), 9051 §7.5.2 (ENVELOPE, BODYSTRUCTURE), 5321 §4.4 (trace fields), 3464,
// 6522 and 6533 (delivery reports).
package message

import (
	"bytes"
	"strings"
)

// Limits of what is taken apart; the rest of a message is opaque body.
const (
	MaxHeader  = 256 << 10 // bytes of one header block
	maxHeaders = 512 << 10 // and of all those in a message
	MaxDepth   = 50        // of nested parts
	MaxParts   = 1000
	maxParams  = 100 // parameters, or languages, of one field
)

// A Field is one header field.
type Field struct {
	Name  string
	Raw   []byte // with its name, folds and line end
	Value []byte // after the colon, as it is; see Unfold
}

// Is compares the field's name.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// ParseHeader takes a header block apart, up to the blank line or its end. A
// line that is no field is skipped.
func ParseHeader(b []byte) []Field {
	var out []Field
	for len(b) > 0 {
		f := FirstField(b)
		b = b[len(f.Raw):]
		if blank(f.Raw) {
			break
		}
		if f.Name != "" {
			out = append(out, f)
		}
	}
	return out
}

// FirstField returns the field at the start of a header block; its name is ""
// when the line is no field. b is not empty.
func FirstField(b []byte) Field {
	raw := b[:fieldLength(b)]
	name := fieldName(raw)
	if name == nil {
		return Field{Raw: raw}
	}
	return Field{string(name), raw, bytes.TrimSpace(raw[bytes.IndexByte(raw, ':')+1:])}
}

// fieldLength returns the length of the first field with its folds.
func fieldLength(b []byte) int {
	n := 0
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b)
		}
		n += i + 1
		if n >= len(b) || b[n] != ' ' && b[n] != '\t' {
			return n
		}
		if blank(b[:n]) {
			return n
		}
	}
}

func blank(line []byte) bool {
	return string(line) == "\r\n" || string(line) == "\n"
}

// Get returns the value of the first field of that name.
func Get(fields []Field, name string) ([]byte, bool) {
	for _, f := range fields {
		if f.Is(name) {
			return f.Value, true
		}
	}
	return nil, false
}

// Unfold removes the line ends of folds (RFC 5322 §2.2.3).
func Unfold(v []byte) []byte {
	if !bytes.ContainsAny(v, "\r\n") {
		return v
	}
	out := make([]byte, 0, len(v))
	for _, c := range v {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return out
}

// AppendFields copies the fields whose names are in names, or with not the
// others, in their order and as they are, and a blank line (RFC 9051 §6.4.5.1).
func AppendFields(dst, header []byte, names []string, not bool) []byte {
	for len(header) > 0 {
		raw := header[:fieldLength(header)]
		header = header[len(raw):]
		if blank(raw) {
			break
		}
		if name := fieldName(raw); name != nil && hasName(names, name) != not {
			if dst = append(dst, raw...); raw[len(raw)-1] != '\n' {
				dst = append(dst, '\r', '\n')
			}
		}
	}
	return append(dst, '\r', '\n')
}

// Cut takes the first field off a header block, which is not empty: its name,
// empty when the line is no field, its value, and what follows.
func Cut(header []byte) (name, value, rest []byte) {
	raw := header[:fieldLength(header)]
	if name = fieldName(raw); name != nil {
		value = bytes.TrimSpace(raw[bytes.IndexByte(raw, ':')+1:])
	}
	return name, value, header[len(raw):]
}

// fieldName returns the name of a field, nil when the line is no field.
func fieldName(raw []byte) []byte {
	colon := bytes.IndexByte(raw, ':')
	if colon <= 0 {
		return nil
	}
	name := bytes.TrimRight(raw[:colon], " \t")
	if len(name) == 0 || bytes.ContainsAny(name, " \t\r\n") {
		return nil
	}
	return name
}

func hasName(names []string, name []byte) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return true
		}
	}
	return false
}
