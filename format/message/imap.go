package message

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendBodyStructure appends a part in IMAP wire form, 7-bit: BODYSTRUCTURE
// when extended, else BODY.
func AppendBodyStructure(dst []byte, p *Part, extended bool) []byte {
	if len(p.Children) > 0 {
		return appendMultipart(dst, p, extended)
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
		dst = AppendBodyStructure(append(dst, ' '), p.Message, extended)
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

func appendMultipart(dst []byte, p *Part, extended bool) []byte {
	dst = append(dst, '(')
	for _, c := range p.Children {
		dst = AppendBodyStructure(dst, c, extended)
	}
	dst = AppendString(append(dst, ' '), p.Subtype)
	if extended {
		dst = appendParams(append(dst, ' '), p.Params)
		dst = p.appendExtension(dst)
	}
	return append(dst, ')')
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

// encodeRaw makes raw 8-bit text 7-bit, as encoded words (RFC 2047): UTF-8 when
// it is, else the single-byte charset it mostly is.
func encodeRaw(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= 128 || s[i] == 0 {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	s = strings.ReplaceAll(s, "\x00", "")
	if utf8.ValidString(s) {
		return EncodeHeader(s)
	}
	latin := make([]rune, 0, len(s))
	for i := 0; i < len(s); i++ {
		latin = append(latin, rune(s[i]))
	}
	return EncodeHeader(string(latin))
}
