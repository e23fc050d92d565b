package vcard

import "strings"

// Escape writes text as a value (RFC 6350 §3.4).
func Escape(s string) string {
	if !strings.ContainsAny(s, "\\,;\r\n") {
		return s
	}
	return escaper.Replace(s)
}

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `;`, `\;`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// Unescape reads text out of a value. A backslash before any other character
// than n is dropped: some write "http\://".
func Unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b = append(b, s[i])
		case s[i+1] == 'n' || s[i+1] == 'N':
			b = append(b, '\n')
			i++
		default:
			i++
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Text returns the whole value as text.
func (p *Property) Text() string { return Unescape(p.Value) }

// List returns a value's elements, as of CATEGORIES and NICKNAME.
func (p *Property) List() []string { return split(p.Value, ',', true, 0) }

// Fields returns a value's components, as of N, ADR and ORG, still escaped.
func (p *Property) Fields() []string { return split(p.Value, ';', false, 0) }

// Field returns component i as text, "" when there is none.
func (p *Property) Field(i int) string {
	if f := split(p.Value, ';', false, i+1); i < len(f) {
		return Unescape(f[i])
	}
	return ""
}

// split cuts at a separator that has no backslash before it. Parts beyond most
// are left out, unless it is 0.
func split(s string, sep byte, text bool, most int) (out []string) {
	start := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == sep:
			part := s[start:i]
			if text {
				part = Unescape(part)
			}
			if out, start = append(out, part), i+1; len(out) == most {
				return out
			}
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
	}
	return out
}
