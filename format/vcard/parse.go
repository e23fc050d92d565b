package vcard

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parse reads one card. It keeps b, which must not be changed afterwards.
// Tolerated are a byte order mark, blank lines, LF line ends, folds inside of
// UTF-8 sequences, tabs as folds, and types without "TYPE=".
func Parse(b []byte) (*Card, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxBytes)
	}
	p := parser{lines: lines{rest: bytes.TrimPrefix(b, bom)}, card: &Card{raw: b}}
	if err := p.parse(); err != nil {
		return nil, err
	}
	return p.card, nil
}

var bom = []byte("\xef\xbb\xbf")

type parser struct {
	lines
	card       *Card
	params     int // values so far
	begun, end bool
}

func (p *parser) parse() error {
	for p.next() {
		if len(bytes.TrimSpace(p.line)) == 0 {
			continue
		}
		if err := p.property(); err != nil {
			return err
		}
		if len(p.card.Properties) > MaxProperties {
			return fmt.Errorf("%w: more than %d properties", ErrTooLarge, MaxProperties)
		}
	}
	switch {
	case !p.begun:
		return p.errorf("no BEGIN:VCARD")
	case !p.end:
		return p.errorf("no END:VCARD")
	}
	return nil
}

func (p *parser) errorf(format string, args ...any) error {
	return &SyntaxError{max(p.number, 1), fmt.Sprintf(format, args...)}
}

// property takes one logical line into the card.
func (p *parser) property() error {
	text, err := p.text()
	if err != nil {
		return err
	}
	prop, err := parseLine(text)
	if err != nil {
		return p.errorf("%s", err)
	}
	if !prop.bare {
		prop.raw = p.raw
	}
	for _, x := range prop.Params {
		p.params += len(x.Values)
	}
	if p.params > MaxCardParams {
		return fmt.Errorf("%w: more than %d parameters", ErrTooLarge, MaxCardParams)
	}
	isCard := strings.EqualFold(strings.TrimSpace(prop.Value), "VCARD")
	switch {
	case p.end:
		return p.errorf("something follows END:VCARD")
	case !p.begun:
		if !prop.Is("BEGIN") || !isCard {
			return p.errorf("BEGIN:VCARD expected")
		}
		p.begun = true
	case prop.Is("BEGIN"):
		return p.errorf("a card inside of a card")
	case prop.Is("END"):
		if !isCard {
			return p.errorf("END:VCARD expected")
		}
		p.end = true
		return p.checkVersion()
	case prop.Is("VERSION"):
		return p.version(prop)
	default:
		p.card.Properties = append(p.card.Properties, prop)
	}
	return nil
}

// text is the logical line, which the card may keep.
func (p *parser) text() (string, error) {
	if plain(p.line) {
		return string(p.line), nil
	}
	if !utf8.Valid(p.line) && p.card.Version != V21 {
		return "", p.errorf("not UTF-8")
	}
	if i := bytes.IndexFunc(p.line, control); i >= 0 {
		return "", p.errorf("control character %#02x", p.line[i])
	}
	return string(p.line), nil
}

// plain reports whether there is nothing but printable ASCII, as in photos.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// control tells what neither a vCard (RFC 6350 §3.3) nor XML can hold.
func control(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff
}

func (p *parser) version(prop Property) error {
	v := Version(strings.TrimSpace(prop.Value))
	switch {
	case p.card.Version != "":
		return p.errorf("two VERSION lines")
	case v != V21 && v != V3 && v != V4:
		return fmt.Errorf("%w: %.20q", ErrVersion, v)
	}
	p.card.Version, p.soft = v, v == V21
	return nil
}

func (p *parser) checkVersion() error {
	if p.card.Version == "" {
		return p.errorf("no VERSION")
	}
	if p.card.Version == V21 {
		return p.card.decode21()
	}
	return nil
}

// lines cuts the text into logical lines (RFC 6350 §3.2).
type lines struct {
	rest      []byte
	soft      bool // 2.1: "=" at the end of a quoted-printable line goes on
	number    int  // of the line that line begins with
	read      int
	raw, line []byte
}

func (l *lines) next() bool {
	if len(l.rest) == 0 {
		return false
	}
	l.number = l.read + 1
	n := l.physical(0)
	folded := false
	first := trimEnd(l.rest[:n])
	l.line = first
	for n < len(l.rest) {
		cont := l.rest[n] == ' ' || l.rest[n] == '\t'
		soft := l.soft && bytes.HasSuffix(l.line, []byte("=")) && quotedPrintable(first)
		if !cont && !soft {
			break
		}
		if !folded {
			l.line, folded = bytes.Clone(l.line), true
		}
		end := l.physical(n)
		part := trimEnd(l.rest[n:end])
		switch {
		case soft:
			l.line = append(l.line[:len(l.line)-1], part...)
		case len(part) > 0:
			l.line = append(l.line, part[1:]...)
		}
		n = end
	}
	l.raw, l.rest = l.rest[:n], l.rest[n:]
	return true
}

// physical returns the end of the line that begins at from.
func (l *lines) physical(from int) int {
	l.read++
	if i := bytes.IndexByte(l.rest[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(l.rest)
}

func trimEnd(b []byte) []byte {
	return bytes.TrimRight(bytes.TrimSuffix(b, []byte("\n")), "\r")
}
