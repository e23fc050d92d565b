package message

import "bytes"

// The fields an ENVELOPE is made of, in its order.
const (
	envDate = iota
	envSubject
	envFrom
	envSender
	envReplyTo
	envTo
	envCc
	envBcc
	envInReplyTo
	envMessageID
)

// EnvelopeFields are the names of the fields that AppendEnvelope reads, in
// lower case.
var EnvelopeFields = [...]string{"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"}

// AppendEnvelope appends the ENVELOPE of a header in IMAP wire form, 7-bit
// (RFC 9051 §7.5.2). The first field of a name counts.
func AppendEnvelope(dst, header []byte) []byte {
	var f [len(EnvelopeFields)][]byte // nil: there is none
	for len(header) > 0 {
		n := fieldLength(header)
		if blank(header[:n]) {
			break
		}
		if i, v := envelopeField(header[:n]); i >= 0 && f[i] == nil {
			f[i] = v
		}
		header = header[n:]
	}
	dst = appendText(append(dst, '('), f[envDate])
	dst = appendText(append(dst, ' '), f[envSubject])
	dst = append(dst, ' ')
	start := len(dst)
	dst, _ = appendAddressField(dst, f[envFrom])
	end := len(dst)
	for _, i := range [...]int{envSender, envReplyTo} { // the author, when not told
		var ok bool
		if dst, ok = appendAddressField(append(dst, ' '), f[i]); !ok {
			dst = append(dst[:len(dst)-len("NIL")], dst[start:end]...)
		}
	}
	for _, i := range [...]int{envTo, envCc, envBcc} {
		dst, _ = appendAddressField(append(dst, ' '), f[i])
	}
	dst = appendText(append(dst, ' '), f[envInReplyTo])
	dst = appendText(append(dst, ' '), f[envMessageID])
	return append(dst, ')')
}

// envelopeField returns which of the fields of an envelope a field is, and its
// value, not nil; -1 for others.
func envelopeField(raw []byte) (int, []byte) {
	colon := bytes.IndexByte(raw, ':')
	if colon <= 0 {
		return -1, nil
	}
	name := bytes.TrimRight(raw[:colon], " \t")
	for i, n := range EnvelopeFields {
		if len(n) == len(name) && lowerIs(name, n) {
			if v := bytes.TrimSpace(raw[colon+1:]); v != nil {
				return i, v
			}
			return i, raw[:0]
		}
	}
	return -1, nil
}

func lowerIs(b []byte, lower string) bool {
	for i := range lower {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// appendText appends an unstructured field's value, NIL for none.
func appendText(dst, v []byte) []byte {
	if v == nil {
		return append(dst, "NIL"...)
	}
	start, folds := len(dst), 0
	dst = append(dst, '"')
	for _, c := range v {
		switch {
		case c == '\r' || c == '\n':
			folds++
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 127 || c == '\t':
			dst = append(dst, c)
		default:
			return AppendString(dst[:start], encodeRaw(string(Unfold(v))))
		}
	}
	if len(v)-folds > maxQuoted {
		return AppendString(dst[:start], encodeRaw(string(Unfold(v))))
	}
	return append(dst, '"')
}

// appendAddressField appends the addresses of a field; NIL and false when there
// are none.
func appendAddressField(dst, v []byte) ([]byte, bool) {
	if out, ok := appendPlainAddresses(dst, v); ok {
		return out, true
	}
	if list := ParseAddressList(string(v)); len(list) > 0 {
		return appendAddresses(dst, list), true
	}
	return append(dst, "NIL"...), false
}

// maxList is how long a list of addresses becomes; it ends with the one that
// goes beyond.
const maxList = 128 << 10

func appendAddresses(dst []byte, list []Addr) []byte {
	full := len(dst) + maxList
	dst = append(dst, '(')
	for _, a := range list {
		if len(dst) > full {
			break
		}
		dst = append(dst, '(')
		dst = appendNString(dst, encodeRaw(a.Name))
		dst = append(dst, " NIL "...)
		switch {
		case a.Group:
			dst = appendNString(dst, encodeRaw(a.Mailbox))
			dst = append(dst, " NIL"...)
		default:
			dst = AppendString(dst, encodeRaw(a.Mailbox))
			dst = append(dst, ' ')
			dst = AppendString(dst, encodeRaw(a.Host)) // "" marks an address without a domain
		}
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

// appendPlainAddresses is appendAddresses(ParseAddressList(v)) for addresses
// that are written as nearly all are: words or one quoted string, and an
// address in angle brackets. For anything else it gives up.
func appendPlainAddresses(dst, v []byte) ([]byte, bool) {
	if len(v) == 0 || len(v) > 4000 {
		return dst, false
	}
	out := append(dst, '(')
	for {
		out = append(out, '(')
		var ok bool
		if out, v, ok = plainName(out, skipSpace(v)); !ok {
			return dst, false
		}
		out = append(out, " NIL "...)
		if out, v, ok = plainAddress(out, v); !ok {
			return dst, false
		}
		out = append(out, ')')
		if v = skipSpace(v); len(v) == 0 {
			return append(out, ')'), true
		}
		if v[0] != ',' {
			return dst, false
		}
		if v = skipSpace(v[1:]); len(v) == 0 {
			return dst, false
		}
	}
}

func skipSpace(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t' || v[0] == '\r' || v[0] == '\n') {
		v = v[1:]
	}
	return v
}

// plainName reads up to the opening bracket.
func plainName(out, v []byte) (_, rest []byte, ok bool) {
	if len(v) > 0 && v[0] == '<' {
		return append(out, "NIL"...), v[1:], true
	}
	out = append(out, '"')
	start := len(out)
	if len(v) > 1 && v[0] == '"' && v[1] != '"' {
		end := bytes.IndexByte(v[1:], '"') + 1
		if end > maxQuoted+1 {
			return out, v, false
		}
		for _, c := range v[1:max(1, end)] {
			if c < ' ' || c >= 127 || c == '\\' {
				return out, v, false
			}
		}
		out, v = append(out, v[1:max(1, end)]...), skipSpace(v[end+1:])
		if end == 0 || len(v) == 0 || v[0] != '<' {
			return out, v, false
		}
		return append(out, '"'), v[1:], true
	}
	for first := true; ; first = false {
		n := 0
		for n < len(v) && class[v[n]]&inName != 0 {
			n++
		}
		if n == 0 {
			return append(out, '"'), skip1(v), !first && len(v) > 0 && v[0] == '<' && len(out)-start <= maxQuoted
		}
		if !first {
			out = append(out, ' ')
		}
		out = append(out, v[:n]...)
		v = v[n:]
		for len(v) > 0 && (v[0] == '\r' || v[0] == '\n') { // a fold, when a space follows
			if v = v[1:]; len(v) > 0 && class[v[0]] != 0 {
				return out, v, false
			}
		}
		if len(v) > 0 && v[0] != ' ' && v[0] != '\t' && v[0] != '<' {
			return out, v, false
		}
		v = skipSpace(v)
	}
}

func skip1(v []byte) []byte {
	if len(v) > 0 {
		return v[1:]
	}
	return v
}

// plainAddress reads local-part@domain> .
func plainAddress(out, v []byte) (_, rest []byte, ok bool) {
	out = append(out, '"')
	n := 0
	for n < len(v) && class[v[n]]&inLocal != 0 {
		n++
	}
	if n == 0 || n > maxQuoted || n >= len(v) || v[n] != '@' {
		return out, v, false
	}
	out = append(append(out, v[:n]...), `" "`...)
	v = v[n+1:]
	for n = 0; n < len(v) && class[v[n]]&inDomain != 0; {
		n++
	}
	if n == 0 || n > maxQuoted || n >= len(v) || v[n] != '>' {
		return out, v, false
	}
	return append(append(out, v[:n]...), '"'), v[n+1:], true
}

const (
	inName uint8 = 1 << iota
	inLocal
	inDomain
)

// class says where bytes are plain.
var class = func() (t [256]uint8) {
	for c := range 128 {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.':
			t[c] = inName | inLocal | inDomain
		case bytes.IndexByte([]byte("!#$%&'*+/=?^_`{|}~"), byte(c)) >= 0:
			t[c] = inName | inLocal
		}
	}
	return t
}()
