package message

import (
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxStructure is about how long a structure becomes by what its parts say of
// themselves; any further part has its place, type and size, and no more.
const maxStructure = 512 << 10

// AppendBodyStructure appends a part in IMAP wire form, 7-bit: BODYSTRUCTURE
// when extended, else BODY.
func AppendBodyStructure(dst []byte, p *Part, extended bool) []byte {
	return appendStructure(dst, p, extended, len(dst)+maxStructure)
}

func appendStructure(dst []byte, p *Part, extended bool, full int) []byte {
	if len(dst) > full {
		p = p.bare()
	}
	if len(p.Children) > 0 {
		return appendMultipart(dst, p, extended, full)
	}
	dst = append(dst, '(')
	dst = AppendString(dst, p.Type)
	dst = AppendString(append(dst, ' '), p.Subtype)
	dst = appendParams(append(dst, ' '), p.leafParams())
	dst = appendNString(append(dst, ' '), encodeRaw(p.ID))
	dst = appendNString(append(dst, ' '), encodeRaw(p.Description))
	dst = AppendString(append(dst, ' '), p.encoding())
	dst = strconv.AppendInt(append(dst, ' '), p.End-p.BodyStart, 10)
	switch {
	case p.Message != nil:
		dst = AppendEnvelope(append(dst, ' '), p.Message.Header)
		dst = appendStructure(append(dst, ' '), p.Message, extended, full)
		dst = strconv.AppendInt(append(dst, ' '), p.Lines, 10)
	case p.Type == "message" && p.Subtype == "rfc822": // opaque: too deep, or encoded
		dst = AppendEnvelope(append(dst, ' '), nil)
		dst = append(dst, ` ("text" "plain" NIL NIL NIL "7bit" 0 0)`...)
		dst = strconv.AppendInt(append(dst, ' '), p.Lines, 10)
	case p.Type == "text":
		dst = strconv.AppendInt(append(dst, ' '), p.Lines, 10)
	}
	if extended {
		dst = appendNString(append(dst, ' '), encodeRaw(p.MD5))
		dst = p.appendExtension(dst)
	}
	return append(dst, ')')
}

func appendMultipart(dst []byte, p *Part, extended bool, full int) []byte {
	dst = append(dst, '(')
	for _, c := range p.Children {
		dst = appendStructure(dst, c, extended, full)
	}
	dst = AppendString(append(dst, ' '), p.Subtype)
	if extended {
		dst = appendParams(append(dst, ' '), p.Params)
		dst = p.appendExtension(dst)
	}
	return append(dst, ')')
}

// bare is the part without what it says of itself but its type and encoding.
func (p *Part) bare() *Part {
	b := &Part{HeaderStart: p.HeaderStart, BodyStart: p.BodyStart, End: p.End, Lines: p.Lines, Type: p.Type, Subtype: p.Subtype, Children: p.Children}
	if len(p.Encoding) < 20 {
		b.Encoding = p.Encoding
	}
	if p.Message != nil {
		m := *p.Message
		m.Header = nil
		b.Message = &m
	}
	return b
}

// appendExtension appends disposition, language and location: clients take an
// image for text when they are missing.
func (p *Part) appendExtension(dst []byte) []byte {
	dst = append(dst, ' ')
	if p.Disposition == "" {
		dst = append(dst, "NIL"...)
	} else {
		dst = AppendString(append(dst, '('), encodeRaw(p.Disposition))
		dst = appendParams(append(dst, ' '), p.DispositionParams)
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	switch len(p.Language) {
	case 0:
		dst = append(dst, "NIL"...)
	case 1:
		dst = AppendString(dst, encodeRaw(p.Language[0]))
	default:
		dst = append(dst, '(')
		for i, l := range p.Language {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = AppendString(dst, encodeRaw(l))
		}
		dst = append(dst, ')')
	}
	return appendNString(append(dst, ' '), encodeRaw(p.Location))
}

func (p *Part) leafParams() []Param {
	if p.Type == "text" && p.Subtype == "plain" && len(p.Params) == 0 {
		return []Param{{"charset", "us-ascii"}} // RFC 2045 §5.2
	}
	return p.Params
}

func (p *Part) encoding() string {
	if p.Encoding == "" {
		return "7bit"
	}
	return encodeRaw(p.Encoding)
}

func appendParams(dst []byte, ps []Param) []byte {
	if len(ps) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i, p := range ps {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = AppendString(dst, encodeRaw(p.Name))
		dst = AppendString(append(dst, ' '), encodeRaw(p.Value))
	}
	return append(dst, ')')
}

func appendNString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s)
}

// maxQuoted is the longest string that is quoted: clients have short lines.
const maxQuoted = 1000

// AppendString appends an IMAP string: quoted where it can be, else a literal.
func AppendString(dst []byte, s string) []byte {
	quotable := len(s) <= maxQuoted
	for i := 0; i < len(s) && quotable; i++ {
		c := s[i]
		quotable = c >= ' ' && c < 127 || c == '\t'
	}
	if !quotable {
		dst = append(dst, '{')
		dst = strconv.AppendInt(dst, int64(len(s)), 10)
		dst = append(dst, '}', '\r', '\n')
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// maxRaw is how much of a raw 8-bit text is told; of more it takes somebody who
// means harm.
const maxRaw = 16 << 10

// encodeRaw makes raw 8-bit text 7-bit, as encoded words (RFC 2047): UTF-8 when
// it is, else the single-byte charset it mostly is.
func encodeRaw(s string) string {
	raw := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 128 || s[i] == 0 {
			raw++
		}
	}
	if raw == 0 {
		return s
	}
	s = strings.ReplaceAll(s, "\x00", "")
	isUTF8 := utf8.ValidString(s)
	if s = s[:min(len(s), maxRaw)]; isUTF8 {
		s = strings.ToValidUTF8(s, "") // a rune may be cut in two
	} else {
		latin := make([]rune, 0, len(s))
		for i := 0; i < len(s); i++ {
			latin = append(latin, rune(s[i]))
		}
		s = string(latin)
	}
	if len(s) > maxQuoted && raw > len(s)/3 {
		return mime.BEncoding.Encode("utf-8", s) // a third as long
	}
	return EncodeHeader(s)
}
