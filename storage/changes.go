package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A logRow gathers what a transaction does to one collection.
type logRow struct{ changed, removed []ItemID }

// note adds an item to the transaction's row and returns its ModSeq.
func (tx *Tx) note(c *Collection, id ItemID, removed bool) ModSeq {
	m := tx.Bump(c.Account)
	c.Highest = m
	row := tx.logs[c.ID]
	if row == nil {
		tx.change(c)
		row = &logRow{}
		if tx.logs == nil {
			tx.logs = map[CollectionID]*logRow{}
		}
		tx.logs[c.ID] = row
	}
	if removed {
		row.removed = append(row.removed, id)
	} else {
		row.changed = append(row.changed, id)
	}
	return m
}

// How many rows a log keeps: enough for a phone that was off for a season, and
// more for a large collection, where starting again costs more.
const (
	leastRows = 10_000
	trimBatch = 512
)

func (tx *Tx) writeLog(c *Collection, row *logRow) {
	removed := toRanges(row.removed)
	changed := subtract(toRanges(row.changed), removed)
	key := binary.BigEndian.AppendUint64(key32(8, uint32(c.ID)), uint64(c.Highest))
	tx.Put(key, appendRanges(appendRanges(nil, changed), removed))
	c.LogRows++
	if c.LogRows > max(leastRows, 2*c.Count)+trimBatch {
		tx.trim(c)
	}
}

// trim drops the oldest rows and raises the floor to the last of them.
func (tx *Tx) trim(c *Collection) {
	var keys [][]byte
	var items []Range
	prefix := key32(8, uint32(c.ID))
	tx.Scan(prefix, prefixEnd(prefix), false, func(k, v []byte) bool {
		keys = append(keys, slices.Clone(k))
		changed, v, err := readRanges(v)
		if err == nil {
			removed, _, _ := readRanges(v)
			items = append(append(items, changed...), removed...)
		}
		return len(keys) < trimBatch
	})
	for _, k := range keys {
		tx.Delete(k)
		c.Floor = ModSeq(binary.BigEndian.Uint64(k[5:]))
	}
	c.LogRows -= uint32(len(keys))
	tx.trimVacated(c.ID, merge(items), c.Floor)
}

// Changes returns what happened to a collection after since; ErrFloor when the
// log does not reach back so far, and the reader must start again.
func (tx *Tx) Changes(id CollectionID, since ModSeq) (ch Changes, err error) {
	c, err := tx.Collection(id)
	if err != nil {
		return ch, err
	}
	ch.To = c.Highest
	if since >= c.Highest {
		return ch, nil
	}
	if since < c.Floor {
		return ch, fmt.Errorf("collection %d at %d, floor %d: %w", id, since, c.Floor, ErrFloor)
	}
	from := binary.BigEndian.AppendUint64(key32(8, uint32(id)), uint64(since)+1)
	tx.Scan(from, key32(8, uint32(id)+1), false, func(_, v []byte) bool {
		var changed, removed []Range
		if changed, v, err = readRanges(v); err == nil {
			removed, _, err = readRanges(v)
		}
		ch.Changed, ch.Removed = append(ch.Changed, changed...), append(ch.Removed, removed...)
		return err == nil
	})
	ch.Removed = merge(ch.Removed)
	ch.Changed = subtract(merge(ch.Changed), ch.Removed)
	return ch, err
}

// AccountChanges calls fn with every collection of the account that changed
// after since. A collection whose log does not reach back is given with
// ErrFloor.
func (tx *Tx) AccountChanges(a AccountID, kind Kind, since ModSeq, fn func(*Collection, Changes, error) bool) {
	for _, c := range tx.Collections(a, kind) {
		if c.Highest <= since {
			continue
		}
		ch, err := tx.Changes(c.ID, max(since, c.Created-1))
		if !fn(c, ch, err) {
			return
		}
	}
}

func toRanges(ids []ItemID) []Range {
	slices.Sort(ids)
	var out []Range
	for _, id := range ids {
		if n := len(out); n > 0 && id <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, id)
			continue
		}
		out = append(out, Range{id, id})
	}
	return out
}

// merge sorts ranges and joins those that touch.
func merge(rs []Range) []Range {
	slices.SortFunc(rs, func(a, b Range) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && (r.From <= out[n-1].To || r.From-1 == out[n-1].To) {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// subtract returns what of a is not in b; both are sorted.
func subtract(a, b []Range) (out []Range) {
	for _, r := range a {
		for len(b) > 0 && b[0].To < r.From {
			b = b[1:]
		}
		rest, gone := r, false
		for _, x := range b {
			if x.From > rest.To {
				break
			}
			if x.From > rest.From {
				out = append(out, Range{rest.From, x.From - 1})
			}
			if x.To >= rest.To {
				gone = true
				break
			}
			rest.From = x.To + 1
		}
		if !gone {
			out = append(out, rest)
		}
	}
	return out
}
