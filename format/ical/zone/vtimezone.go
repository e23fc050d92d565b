package zone

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
)

// A change is when the clocks of a zone are set.
type change struct {
	at       int64
	from, to int
	dst      bool
}

const (
	maxChanges = 1000
	horizon    = 4733510400 // 2120-01-01
	oldest     = -2208988800
)

// fromComponent makes a zone of a VTIMEZONE, through the form that Go reads; nil
// when it says nothing usable.
func fromComponent(id string, tz *ical.Component) *time.Location {
	var all []change
	for _, k := range tz.Children {
		if k.Name == "STANDARD" || k.Name == "DAYLIGHT" {
			all = append(all, observance(k)...)
		}
		if len(all) > maxChanges {
			return nil
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	loc, _ := time.LoadLocationFromTZData(id, tzif(all))
	return loc
}

// observance lists the changes that one STANDARD or DAYLIGHT describes (RFC 5545
// §3.6.5: DTSTART and UNTIL are on the clock before the change).
func observance(k *ical.Component) (out []change) {
	start, ok := k.Stamp("DTSTART")
	from, err1 := ical.ParseOffset(k.Value("TZOFFSETFROM"))
	to, err2 := ical.ParseOffset(k.Value("TZOFFSETTO"))
	if !ok || err1 != nil || err2 != nil {
		return nil
	}
	add := func(wall int64) {
		out = append(out, change{wall - int64(from), from, to, k.Name == "DAYLIGHT"})
	}
	add(start.Wall)
	for _, p := range k.All("RDATE") {
		list, _ := p.Stamps()
		for _, s := range list {
			add(s.Start.Wall)
		}
	}
	for _, p := range k.All("RRULE") {
		r, err := recur.ParseRule(p.Value)
		if err != nil || r.Freq > recur.Daily {
			continue
		}
		until := r.Until.Wall
		if r.Until.UTC {
			until += int64(from)
		}
		it := r.Iter(start, until)
		it.Skip(oldest)
		for w, ok := it.Next(); ok && w < horizon && len(out) <= maxChanges; w, ok = it.Next() {
			if w != start.Wall {
				add(w)
			}
		}
	}
	return out
}

// Compiled zones are kept, because every event of a calendar carries the same.
const maxCompiled = 256

var compiles = struct {
	sync.Mutex
	zones map[[sha256.Size]byte]*time.Location
}{zones: map[[sha256.Size]byte]*time.Location{}}

// compiled makes a zone of a VTIMEZONE, or finds the one made of the same text.
func compiled(id, text string, tz *ical.Component) *time.Location {
	key := sha256.Sum256([]byte(text))
	compiles.Lock()
	defer compiles.Unlock()
	loc, ok := compiles.zones[key]
	if !ok {
		if len(compiles.zones) >= maxCompiled {
			clear(compiles.zones)
		}
		loc = fromComponent(id, tz)
		compiles.zones[key] = loc
	}
	return loc
}

// tzif writes changes in RFC 8536 §3, version 2, with an empty first block.
// Before the first change the clocks show what it changes from.
func tzif(all []change) []byte {
	type kind struct {
		off int
		dst bool
	}
	kinds := []kind{{all[0].from, false}}
	var times, index []byte
	last := int64(-1 << 62)
	for _, c := range all {
		if c.at == last {
			continue
		}
		last = c.at
		i := slices.Index(kinds, kind{c.to, c.dst})
		if i < 0 && len(kinds) < 250 {
			i = len(kinds)
			kinds = append(kinds, kind{c.to, c.dst})
		}
		times = binary.BigEndian.AppendUint64(times, uint64(c.at))
		index = append(index, byte(max(i, 0)))
	}
	head := func(n, types, chars int) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, v := range []int{0, 0, 0, n, types, chars} {
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		}
		return b
	}
	out := append(head(0, 1, 1), 0, 0, 0, 0, 0, 0, 0)
	out = append(append(append(out, head(len(index), len(kinds), 1)...), times...), index...)
	for _, k := range kinds {
		out = binary.BigEndian.AppendUint32(out, uint32(int32(k.off)))
		dst := byte(0)
		if k.dst {
			dst = 1
		}
		out = append(out, dst, 0)
	}
	return append(out, 0, '\n', '\n')
}
