package smtp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// parsePath reads "FROM:<path> parameters" (RFC 5321 §4.1.2). A space behind
// the colon is let pass, as Microsoft's clients write one; a source route is
// left out (appendix C).
func parsePath(arg, word string) (path, params string, err error) {
	if len(arg) <= len(word) || !strings.EqualFold(arg[:len(word)], word) || arg[len(word)] != ':' {
		return "", "", &Error{501, "5.5.4", "Write " + word + ":<address>"}
	}
	s := strings.TrimLeft(arg[len(word)+1:], " ")
	end := closing(s)
	if end < 0 || len(s) > end+1 && s[end+1] != ' ' {
		return "", "", &Error{501, "5.5.4", "Write " + word + ":<address>"}
	}
	path, params = s[1:end], strings.TrimSpace(s[end+1:])
	if strings.HasPrefix(path, "@") {
		if _, path, _ = strings.Cut(path, ":"); path == "" {
			return "", "", &Error{501, "5.5.4", "A route leads to an address"}
		}
	}
	return path, params, nil
}

// closing finds the bracket that ends a path, outside quoted strings.
func closing(s string) int {
	if s == "" || s[0] != '<' {
		return -1
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

// Sizes of RFC 5321 §4.5.3.1; a path's 256 count its brackets.
const (
	maxPath   = 254
	maxLocal  = 64
	maxDomain = 255
)

// validAddress checks local-part@domain, or postmaster alone.
func validAddress(a string) bool {
	if strings.EqualFold(a, "postmaster") {
		return true
	}
	at := strings.LastIndexByte(a, '@')
	if at <= 0 || at > maxLocal || len(a) > maxPath || !utf8.ValidString(a) {
		return false
	}
	return validLocal(a[:at]) && validDomain(a[at+1:])
}

// validLocal takes dots anywhere: telephone companies have given such addresses
// out.
func validLocal(s string) bool {
	if s[0] != '"' {
		return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 127 || strings.ContainsRune(`()<>[]:;@\,"`, r) }) < 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] < ' ' || s[i] == 127:
			return false
		case s[i] == '\\':
			i++
		case s[i] == '"':
			return i == len(s)-1 && i > 1
		}
	}
	return false
}

func validDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	if s[0] == '[' { // an address literal
		return len(s) > 2 && s[len(s)-1] == ']' && strings.IndexFunc(s[1:len(s)-1], func(r rune) bool { return r <= ' ' || r > 126 || r == '[' || r == ']' || r == '\\' }) < 0
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.IndexFunc(label, func(r rune) bool { return r < 128 && !alnum(byte(r)) && r != '-' && r != '_' }) >= 0 {
			return false
		}
	}
	return true
}

func alnum(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func ascii(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0 }

// parseParams calls set with every "KEY=value" once; the key is in capitals.
func parseParams(s string, set func(key, value string) error) error {
	seen := map[string]bool{}
	for p := range strings.FieldsSeq(s) {
		k, v, _ := strings.Cut(p, "=")
		if k = strings.ToUpper(k); seen[k] {
			return &Error{501, "5.5.4", "The same parameter twice"}
		}
		seen[k] = true
		if err := set(k, v); err != nil {
			return err
		}
	}
	return nil
}

// unxtext decodes RFC 3461 §4.
func unxtext(s string) (string, bool) {
	if strings.IndexByte(s, '+') < 0 {
		return s, strings.IndexByte(s, '=') < 0
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '=':
			return "", false
		case s[i] != '+':
			b.WriteByte(s[i])
		default:
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || n < ' ' || n == 127 {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), utf8.ValidString(b.String())
}

// unutf8 decodes an address of type utf-8 (RFC 6533 §3): \x{HEX}.
func unutf8(s string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !found {
			return b.String(), utf8.ValidString(b.String())
		}
		hex, after, ok := strings.Cut(rest, "}")
		n, err := strconv.ParseUint(hex, 16, 32)
		if !ok || err != nil || n < ' ' || n == 127 || !utf8.ValidRune(rune(n)) {
			return "", false
		}
		b.WriteRune(rune(n))
		s = after
	}
}
