package phrasebook

import "strings"

// oneByte are the first bytes that stand for the first phrases of the book.
var oneByte = func() []byte {
	var out []byte
	for c := range tokAlphabet {
		if !itself(byte(c)) {
			out = append(out, byte(c))
		}
	}
	return out
}()

const none = 0xff

// nibbles are the places of bytes in the alphabets.
var nibbles = func() (t [len(alphabets)][256]byte) {
	for a := range t {
		for c := range t[a] {
			t[a][c] = none
		}
		for i := range alphabets[a] {
			t[a][alphabets[a][i]] = byte(i)
		}
	}
	return t
}()

// pair is the hash of the first two bytes of a text.
func pair(b []byte) int { return (int(b[0])<<4 ^ int(b[1])) & 1023 }

// inRun has a bit for each alphabet a byte is in.
var inRun = func() (t [256]uint8) {
	for a := range alphabets {
		for i := range alphabets[a] {
			t[alphabets[a][i]] |= 1 << a
		}
	}
	return t
}()

// An opening is a phrase by its first four bytes.
type opening struct {
	first, mask   uint32
	n             uint16
	length, costs uint8
}

// book is the table both ways.
var book = func() (b struct {
	phrases  []string
	starting [1024][]opening // by pair
	tokens   [256]string     // of one byte
}) {
	seen := map[string]bool{}
	for _, list := range [][]string{often, strings.Split(headers, "|"), strings.Split(mime, "|"), strings.Split(words, "|")} {
		for _, ph := range list {
			ph = unescape.Replace(ph)
			if len(ph) > 1 && !seen[ph] {
				seen[ph] = true
				b.phrases = append(b.phrases, ph)
			}
		}
	}
	for i, ph := range b.phrases {
		e := opening{n: uint16(i), length: uint8(len(ph)), costs: 2}
		for k := range min(4, len(ph)) {
			e.first |= uint32(ph[k]) << (8 * k)
			e.mask |= 0xff << (8 * k)
		}
		if i < len(oneByte) {
			e.costs = 1
		}
		k := pair([]byte(ph))
		b.starting[k] = append(b.starting[k], e)
	}
	for i, c := range oneByte {
		b.tokens[c] = b.phrases[i]
	}
	return b
}()

// In the lists ~ is a line end and ^ a tab.
var unescape = strings.NewReplacer("~", "\r\n", "^", "\t")
