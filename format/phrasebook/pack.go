package phrasebook

import (
	"encoding/binary"
	"sync"
)

// A block of text is packed at once; what stood before it can be repeated.
const block = 8 << 10

// A packer finds the shortest packed form of a block, or nearly: the cheapest
// way through the graph whose edges are the tokens that fit. Only the longest
// repetition and run at each place are tried, and long ones are taken unseen.
type packer struct {
	text []byte
	seen [1 << 11]uint32 // by hash: where a text began last, plus one
	ends [len(alphabets)]int
	cost [block + 1]uint16 // of the way to each place
	step [block + 1]step   // the last on it; then the first from it
}

// A step is a token: its kind, what it covers of the text, and which phrase,
// alphabet or distance it is.
type step struct {
	kind   uint8
	covers uint16
	arg    uint16
}

const (
	asItself uint8 = iota
	asRaw
	asPhrase
	asBack
	asRun

	long = 20 // worth taking unseen
)

var packers = sync.Pool{New: func() any { return new(packer) }}

// Pack appends the packed form of text.
func Pack(dst, text []byte) []byte {
	p := packers.Get().(*packer)
	clear(p.seen[:])
	p.text, p.ends = text, [len(alphabets)]int{}
	dst = append(dst, Version)
	for at := 0; at < len(text); at += block {
		end := min(at+block, len(text))
		p.search(at, end)
		dst = p.emit(dst, at, end)
	}
	p.text = nil
	packers.Put(p)
	return dst
}

// search finds the way from at to end.
func (p *packer) search(at, end int) {
	n := end - at
	for i := range p.cost[:n+1] {
		p.cost[i] = 1<<16 - 1
	}
	p.cost[0], p.step[0] = 0, step{}
	for i := 0; i < n; {
		rest := p.text[at+i : end]
		skip := p.back(i, at+i, rest)
		skip = max(skip, p.phrases(i, rest))
		if skip >= long {
			for range skip {
				p.note(at + i)
				i++
			}
			continue
		}
		p.literal(i, rest[0])
		p.runs(i, at+i, rest)
		p.note(at + i)
		i++
	}
}

// reach is an edge from place i. Of equals bytes as they are win: more of them
// are cheaper behind them than behind anything else.
func (p *packer) reach(i int, s step, costs int) {
	if c, best := p.cost[i]+uint16(costs), p.cost[i+int(s.covers)]; c < best || c == best && s.kind == asRaw {
		p.cost[i+int(s.covers)], p.step[i+int(s.covers)] = c, s
	}
}

// literal is a byte as itself, or as it is, when it must or those before it do.
func (p *packer) literal(i int, c byte) {
	switch {
	case i > 0 && p.step[i].kind == asRaw:
		p.reach(i, step{kind: asRaw, covers: 1}, 1)
	case itself(c):
		p.reach(i, step{kind: asItself, covers: 1}, 1)
	default:
		p.reach(i, step{kind: asRaw, covers: 1}, 3)
	}
}

func itself(c byte) bool { return c >= ' ' && c < 127 || c == '\t' || c == '\n' || c == '\r' }

// phrases tries those of the book, and returns the length of the longest.
func (p *packer) phrases(i int, rest []byte) (longest int) {
	var first uint32 // four bytes decide about most
	switch {
	case len(rest) >= 4:
		first = binary.LittleEndian.Uint32(rest)
	case len(rest) < 2:
		return 0
	default:
		for k, c := range rest {
			first |= uint32(c) << (8 * k)
		}
	}
	for _, e := range book.starting[pair(rest)] {
		if first&e.mask != e.first || int(e.length) > len(rest) {
			continue
		}
		if e.length > 4 && string(rest[4:e.length]) != book.phrases[e.n][4:] {
			continue
		}
		longest = max(longest, int(e.length))
		p.reach(i, step{asPhrase, uint16(e.length), e.n}, int(e.costs))
	}
	return longest
}

func hash(b []byte) uint32 {
	return (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16) * 2654435761 >> 21
}

// note remembers where a text begins.
func (p *packer) note(at int) {
	if at+minBack <= len(p.text) {
		p.seen[hash(p.text[at:])] = uint32(at + 1)
	}
}

// back tries what stood before, and returns its length.
func (p *packer) back(i, at int, rest []byte) int {
	if len(rest) < minBack {
		return 0
	}
	from := int(p.seen[hash(rest)]) - 1
	if from < 0 || at-from > farBack {
		return 0
	}
	n := 0
	for n < min(len(rest), maxBack) && p.text[from+n] == rest[n] {
		n++
	}
	if n < minBack {
		return 0
	}
	costs := 2
	if at-from > 127 {
		costs++
	}
	p.reach(i, step{asBack, uint16(min(n, 16)), uint16(at - from)}, costs)
	if n > 16 {
		p.reach(i, step{asBack, uint16(n), uint16(at - from)}, costs+1)
	}
	return n
}

// runs tries the letters of each alphabet.
func (p *packer) runs(i, at int, rest []byte) {
	if inRun[rest[0]] == 0 {
		return
	}
	for a := range alphabets {
		if inRun[rest[0]]&(1<<a) == 0 {
			continue
		}
		end := max(p.ends[a], at)
		for end < at+len(rest) && nibbles[a][p.text[end]] != none {
			end++
		}
		p.ends[a] = end
		if n := min(end-at, 255, len(rest)); n >= minRun {
			p.reach(i, step{asRun, uint16(n), uint16(a)}, 2+(n+1)/2)
		}
	}
}

// emit turns the way around and appends its tokens.
func (p *packer) emit(dst []byte, at, end int) []byte {
	for i, next := end-at, (step{}); ; {
		s := p.step[i]
		p.step[i] = next
		if i == 0 {
			break
		}
		next, i = s, i-int(s.covers)
	}
	for i, n := 0, end-at; i < n; {
		s := p.step[i]
		text := p.text[at+i : at+i+int(s.covers)]
		switch s.kind {
		case asItself:
			dst = append(dst, text[0])
		case asRaw:
			k := 1
			for i+k < n && k < 255 && p.step[i+k].kind == asRaw {
				k++
			}
			dst = append(append(dst, tokRaw, byte(k)), p.text[at+i:at+i+k]...)
			i += k - 1
		case asPhrase:
			dst = appendPhrase(dst, int(s.arg))
		case asBack:
			dst = appendBack(dst, int(s.covers), int(s.arg))
		case asRun:
			dst = appendRun(dst, int(s.arg), text)
		}
		i += int(s.covers)
	}
	return dst
}

func appendPhrase(dst []byte, n int) []byte {
	if n < len(oneByte) {
		return append(dst, oneByte[n])
	}
	n -= len(oneByte)
	return append(dst, tokPhrase+byte(n>>8), byte(n))
}

func appendBack(dst []byte, n, distance int) []byte {
	if n <= 16 {
		dst = append(dst, tokBack+byte(n-minBack))
	} else {
		dst = append(dst, 0xff, byte(n-17))
	}
	if distance <= 127 {
		return append(dst, byte(distance))
	}
	return binary.BigEndian.AppendUint16(dst, 1<<15|uint16(distance))
}

func appendRun(dst []byte, a int, text []byte) []byte {
	dst = append(dst, tokAlphabet+byte(a), byte(len(text)))
	for i := 0; i < len(text); i += 2 {
		b := nibbles[a][text[i]] << 4
		if i+1 < len(text) {
			b |= nibbles[a][text[i+1]]
		}
		dst = append(dst, b)
	}
	return dst
}
