package message

import "strings"

// An Addr is one element of an address list. The start of a group has only a
// Mailbox, its name; the end of a group has nothing (RFC 9051 §7.5.2).
type Addr struct {
	Name, Mailbox, Host string
	Group               bool // start or end of a group
}

// Address returns local-part@domain, "" for group marks.
func (a Addr) Address() string {
	if a.Group || a.Host == "" {
		return ""
	}
	return a.Mailbox + "@" + a.Host
}

const maxAddresses = 1000

// ParseAddressList reads an address list (RFC 5322 §3.4, obsolete forms too).
// What is no address is passed over, and what comes after the first thousand.
func ParseAddressList(v string) []Addr {
	l := &lexer{b: Unfold([]byte(v))}
	var out []Addr
	for l.i < len(l.b) && len(out) < maxAddresses {
		before := l.i
		out = l.address(out)
		if l.i == before {
			l.i++
		}
	}
	return out[:min(len(out), maxAddresses)]
}

// address reads up to the next comma.
func (l *lexer) address(out []Addr) []Addr {
	var words []string // phrase or local part
	var comment string
	for {
		l.spaceNoComment()
		if l.i >= len(l.b) {
			return l.bare(out, words, comment)
		}
		switch c := l.b[l.i]; c {
		case '(':
			comment = l.comment()
		case ',':
			l.i++
			return l.bare(out, words, comment)
		case ';':
			l.i++
			return append(l.bare(out, words, comment), Addr{Group: true})
		case ':':
			l.i++
			if len(out) < maxAddresses {
				out = append(out, Addr{Mailbox: strings.Join(words, " "), Group: true})
			}
			words = nil
		case '<':
			l.i++
			out = l.angle(out, strings.Join(words, " "))
			words, comment = nil, ""
			l.untilSeparator()
			if l.i >= len(l.b) || l.b[l.i] == ',' {
				l.skip(',')
				return out
			}
		case '"':
			words = append(words, l.quoted())
		default:
			words = append(words, l.atom())
		}
	}
}

func (l *lexer) spaceNoComment() {
	for l.i < len(l.b) && (l.b[l.i] == ' ' || l.b[l.i] == '\t') {
		l.i++
	}
}

// atom reads a run of anything that separates nothing, and a quoted local part
// or domain literal that is glued to it.
func (l *lexer) atom() string {
	start := l.i
	for l.i < len(l.b) {
		switch l.b[l.i] {
		case ' ', '\t', ',', ';', '<', '(', '"':
			return string(l.b[start:l.i])
		case ':':
			return string(l.b[start:l.i])
		case '[':
			for l.i < len(l.b) && l.b[l.i] != ']' {
				l.i++
			}
		}
		l.i = min(l.i+1, len(l.b))
	}
	return string(l.b[start:l.i])
}

// bare ends an address without angle brackets; a comment is its name.
func (l *lexer) bare(out []Addr, words []string, comment string) []Addr {
	spec := strings.Join(words, "")
	at := strings.LastIndexByte(spec, '@')
	if at < 0 {
		if spec == "" {
			return out
		}
		return append(out, Addr{Name: comment, Mailbox: strings.Join(words, " ")})
	}
	return append(out, Addr{Name: comment, Mailbox: spec[:at], Host: spec[at+1:]})
}

// angle reads what is in angle brackets; a source route is dropped.
func (l *lexer) angle(out []Addr, name string) []Addr {
	start := l.i
	var spec []byte
	for l.i < len(l.b) && l.b[l.i] != '>' {
		if l.b[l.i] == '"' {
			spec = append(spec, l.quoted()...)
			continue
		}
		spec = append(spec, l.b[l.i])
		l.i++
	}
	if l.i >= len(l.b) && start == l.i {
		return out
	}
	l.skip('>')
	s := strings.TrimSpace(string(spec))
	if strings.HasPrefix(s, "@") {
		if _, after, ok := strings.Cut(s, ":"); ok {
			s = after
		}
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return append(out, Addr{Name: name, Mailbox: s[:at], Host: strings.TrimSpace(s[at+1:])})
	}
	if s == "" && name == "" {
		return out
	}
	return append(out, Addr{Name: name, Mailbox: s})
}

func (l *lexer) untilSeparator() {
	for l.i < len(l.b) {
		switch l.b[l.i] {
		case ',', ';':
			return
		case '(':
			l.comment()
		default:
			l.i++
		}
	}
}
