package mailbox

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"essaim.coop/essaim/storage"
)

// A signature says which texts of three bytes may be in a message, as a Bloom
// filter with one hash: a search reads only the messages whose signature has
// every three bytes of what it looks for. It covers all that Body.Text tells,
// and is made by the first search that reads the message anyway: who never
// searches has none.
//
// Its length in bits is a power of two, two to four times the number of
// different texts: about an eighth of the bytes of a letter; of the letters that
// do not have a word of six letters, one in a hundred may seem to.

const (
	leastBits = 256
	mostBits  = 1 << 16
)

// A Signer makes the signature of one message.
type Signer struct{ bits [mostBits / 64]uint64 }

// Reset makes it ready for another message.
func (s *Signer) Reset() { clear(s.bits[:]) }

// Add takes in folded text.
func (s *Signer) Add(text []byte) {
	for i := 2; i < len(text); i++ {
		h := trigram(text[i-2], text[i-1], text[i])
		s.bits[h>>6] |= 1 << (h & 63)
	}
}

func trigram(a, b, c byte) uint16 {
	return uint16((uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9e3779b1 >> 16)
}

// Append appends the signature.
func (s *Signer) Append(dst []byte) []byte {
	n := 0
	for _, w := range s.bits {
		n += bits.OnesCount64(w)
	}
	size := leastBits
	for size < 2*n && size < mostBits {
		size *= 2
	}
	words := s.bits[:]
	for len(words) > size/64 { // the lower bits of the hash remain
		half := len(words) / 2
		for i := range half {
			words[i] |= words[half+i]
		}
		words = words[:half]
	}
	for _, w := range words {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// Trigrams are what a signature must have for a text to be in the message.
type Trigrams []uint16

// TrigramsOf returns those of a folded text; none when it is too short to tell.
func TrigramsOf(folded []byte) Trigrams {
	var out Trigrams
	for i := 2; i < len(folded); i++ {
		out = append(out, trigram(folded[i-2], folded[i-1], folded[i]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// MayBeIn reports whether the text may be in a message with that signature.
func (t Trigrams) MayBeIn(signature []byte) bool {
	mask := len(signature)*8 - 1
	for _, h := range t {
		i := int(h) & mask
		if i>>3 >= len(signature) || signature[i>>3]&(1<<(i&7)) == 0 {
			return false
		}
	}
	return true
}

func signatureKey(id MsgID) []byte { return binary.BigEndian.AppendUint64([]byte{'o'}, uint64(id)) }

// PutSignature keeps the signature of a message, unless the message is gone.
func PutSignature(tx *storage.Tx, id MsgID, signature []byte) {
	if tx.Get(coldKey(id)) != nil {
		tx.Put(signatureKey(id), signature)
	}
}

// Signatures calls fn with the signatures of messages, in the order of ids, which
// are sorted and each there once; nil for a message that has none. The rows lie
// side by side, so that it is one walk where most of them are wanted.
func Signatures(tx *storage.Tx, ids []MsgID, fn func(i int, signature []byte)) {
	const far = 8 // rows passed over before it is better to look anew
	for i := 0; i < len(ids); {
		passed := 0
		tx.Scan(signatureKey(ids[i]), []byte{'o' + 1}, false, func(k, v []byte) bool {
			id := MsgID(binary.BigEndian.Uint64(k[1:]))
			for ; i < len(ids) && ids[i] < id; i++ {
				fn(i, nil)
				passed = 0
			}
			switch {
			case i == len(ids):
				return false
			case ids[i] > id:
				passed++
				return passed < far
			}
			fn(i, v)
			i++
			passed = 0
			return true
		})
		if passed < far { // the end of all rows
			for ; i < len(ids); i++ {
				fn(i, nil)
			}
		}
	}
}
