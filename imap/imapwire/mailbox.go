package imapwire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeUTF7 writes a mailbox name in modified UTF-7 (RFC 3501 §5.1.3).
func EncodeUTF7(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '&':
			b.WriteString("&-")
		case r >= ' ' && r <= '~':
			b.WriteByte(byte(r))
		default:
			n = strings.IndexFunc(s, func(r rune) bool { return r >= ' ' && r <= '~' })
			if n < 0 {
				n = len(s)
			}
			var raw []byte
			for _, u := range utf16.Encode([]rune(s[:n])) {
				raw = append(raw, byte(u>>8), byte(u))
			}
			b.WriteString("&" + utf7.EncodeToString(raw) + "-")
		}
		s = s[n:]
	}
	return b.String()
}

// DecodeUTF7 reads a name in modified UTF-7. Raw UTF-8 is taken as it is: some
// clients send it unasked. ok is false for what is neither.
func DecodeUTF7(s string) (name string, ok bool) {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		end := strings.IndexByte(s, '-')
		if end < 0 {
			return "", false
		}
		if end == 1 {
			b.WriteByte('&')
		} else if text, ok := shifted(s[1:end]); ok {
			b.WriteString(text)
		} else {
			return "", false
		}
		s = s[end+1:]
	}
	return b.String(), utf8.ValidString(b.String())
}

func shifted(s string) (string, bool) {
	raw, err := utf7.DecodeString(s)
	if err != nil || len(raw)%2 != 0 {
		return "", false
	}
	u := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		u = append(u, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	text := string(utf16.Decode(u))
	return text, !strings.ContainsRune(text, utf8.RuneError)
}

func (d *Decoder) mailbox(utf8Names bool) string { return d.mailboxName(d.astring(), utf8Names) }

func (d *Decoder) mailboxName(s string, utf8Names bool) string {
	if utf8Names {
		return s
	}
	name, ok := DecodeUTF7(s)
	if !ok {
		d.fail(&Error{status: "NO", Code: "CANNOT", Text: "the mailbox name is not modified UTF-7"})
	}
	return name
}
