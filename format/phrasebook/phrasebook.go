// Package phrasebook packs short texts made of mail headers and IMAP's
// descriptions of messages, such as a row of a mailbox index: a codec with a
// book of common phrases, that needs no state, no allocation but its output,
// and little more time to unpack than a copy.
//
// What it promises: Unpack(Pack(text)) is text, for any bytes; the packed form
// is never longer than text by more than a third and three bytes; Unpack of any
// bytes ends in time linear in what it puts out, which is bounded by the caller.
//
// The packed form is the book's version, then tokens:
//
//	09 0a 0d 20-7e     itself
//	other 00-1f, 7f,   a phrase, by its place in the book
//	80-dc
//	dd-df n nibbles    n letters of a small alphabet, two in a byte (digits,
//	                   hex, HEX)
//	e0-ef b            a phrase, by its place in the rest of the book
//	f0 n bytes         n bytes as they are
//	f1-ff [n] d        text that stood d bytes before, 3 to 16 bytes long, or
//	                   with ff 17+n; d is one byte up to 127, else two
//
// The book may only grow at its end; a change of what is in it is a new
// version.
package phrasebook

import "errors"

// Version is the first byte of everything packed with the present book.
const Version = 1

// ErrCorrupt says that bytes are not what Pack makes, or unpack to more than
// the caller allows.
var ErrCorrupt = errors.New("phrasebook: not a packed text")

// First bytes of tokens, and their limits.
const (
	tokAlphabet = 0xdd
	tokPhrase   = 0xe0
	tokRaw      = 0xf0
	tokBack     = 0xf1

	minBack = 3
	maxBack = 17 + 255
	farBack = 1<<15 - 1
	minRun  = 5 // of letters of an alphabet
)

var alphabets = [3]string{"0123456789 :+-.,", "0123456789abcdef", "0123456789ABCDEF"}

// Unpack appends the text of a packed form to dst; ErrCorrupt when it is longer
// than limit bytes, of which it then appends hardly more. It stops after enough
// bytes, or the end of the token they are in: a caller that wants the start of a
// text pays for the start.
func Unpack(dst, packed []byte, enough, limit int) ([]byte, error) {
	if len(packed) == 0 || packed[0] != Version {
		return dst, ErrCorrupt
	}
	packed = packed[1:]
	enough = min(enough, limit+1)
	start := len(dst)
	for len(packed) > 0 && len(dst)-start < enough {
		c := packed[0]
		if itself(c) {
			dst, packed = append(dst, c), packed[1:]
			continue
		}
		n := 1
		if text := book.tokens[c]; text != "" {
			dst = append(dst, text...)
		} else if dst, n = token(dst, start, packed); n == 0 {
			return dst, ErrCorrupt
		}
		packed = packed[n:]
	}
	if len(dst)-start > limit {
		return dst, ErrCorrupt
	}
	return dst, nil
}

// token appends the text of the first token, which is longer than a byte, and
// returns the token's length, 0 when it is none.
func token(dst []byte, start int, b []byte) (out []byte, n int) {
	c := b[0]
	switch {
	case len(b) < 2:
		return dst, 0
	case c >= tokBack:
		return backToken(dst, start, b)
	case c == tokRaw:
		if n = int(b[1]); len(b) < 2+n {
			return dst, 0
		}
		return append(dst, b[2:2+n]...), 2 + n
	case c >= tokPhrase:
		k := len(oneByte) + int(c-tokPhrase)<<8 + int(b[1])
		if k >= len(book.phrases) {
			return dst, 0
		}
		return append(dst, book.phrases[k]...), 2
	case c >= tokAlphabet:
		return runToken(dst, b)
	}
	return dst, 0
}

func backToken(dst []byte, start int, b []byte) (out []byte, n int) {
	length, at := int(b[0]-tokBack)+minBack, 1
	if b[0] == 0xff {
		length, at = 17+int(b[1]), 2
	}
	if at >= len(b) {
		return dst, 0
	}
	distance := int(b[at])
	at++
	if distance > 127 {
		if at >= len(b) {
			return dst, 0
		}
		distance = (distance&127)<<8 | int(b[at])
		at++
	}
	from := len(dst) - distance
	if distance == 0 || from < start {
		return dst, 0
	}
	for length > distance { // it repeats itself
		dst = append(dst, dst[from:from+distance]...)
		from, length = from+distance, length-distance
	}
	return append(dst, dst[from:from+length]...), at
}

func runToken(dst []byte, b []byte) (out []byte, n int) {
	letters, count := alphabets[b[0]-tokAlphabet], int(b[1])
	n = 2 + (count+1)/2
	if len(b) < n {
		return dst, 0
	}
	for i := range count {
		dst = append(dst, letters[b[2+i/2]>>(4*(1-i%2))&15])
	}
	return dst, n
}
