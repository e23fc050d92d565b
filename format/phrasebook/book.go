package phrasebook

import (
	"slices"
	"strings"
)

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

// book is the table both ways.
var book = func() (b struct {
	phrases  []string
	starting [1024][]uint16 // by pair, the longest first
	tokens   [256]struct{ text string }
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
		k := pair([]byte(ph))
		b.starting[k] = append(b.starting[k], uint16(i))
	}
	for _, s := range b.starting {
		slices.SortStableFunc(s, func(x, y uint16) int { return len(b.phrases[y]) - len(b.phrases[x]) })
	}
	for c := range 256 {
		if itself(byte(c)) {
			b.tokens[c].text = string(rune(c))
		}
	}
	for i, c := range oneByte {
		b.tokens[c].text = b.phrases[i]
	}
	return b
}()

// In the lists ~ is a line end and ^ a tab.
var unescape = strings.NewReplacer("~", "\r\n", "^", "\t")
