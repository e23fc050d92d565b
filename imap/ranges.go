package imap

import (
	"cmp"
	"slices"

	"essaim.coop/essaim/storage"
)

// Ranges are sorted and do not overlap.

// missing is what is in a and not in b.
func missing(a, b []storage.Range) []storage.Range {
	var out []storage.Range
	k := 0
	for _, r := range a {
		for k < len(b) && b[k].To < r.From {
			k++
		}
		for i := k; i < len(b) && b[i].From <= r.To; i++ {
			if b[i].From > r.From {
				out = append(out, storage.Range{From: r.From, To: b[i].From - 1})
			}
			if r.From = b[i].To + 1; r.From == 0 || r.From > r.To {
				break
			}
		}
		if r.From != 0 && r.From <= r.To {
			out = append(out, r)
		}
	}
	return out
}

// intersect is what is in both.
func intersect(a, b []storage.Range) []storage.Range {
	var out []storage.Range
	for i, k := 0, 0; i < len(a) && k < len(b); {
		if from, to := max(a[i].From, b[k].From), min(a[i].To, b[k].To); from <= to {
			out = append(out, storage.Range{From: from, To: to})
		}
		if a[i].To < b[k].To {
			i++
		} else {
			k++
		}
	}
	return out
}

// count is the number of ids in the ranges.
func count(rs []storage.Range) (n int) {
	for _, r := range rs {
		n += int(r.To-r.From) + 1
	}
	return n
}

// union sorts ranges and merges those that touch; it works in place.
func union(rs []storage.Range) []storage.Range {
	slices.SortFunc(rs, func(a, b storage.Range) int { return cmp.Compare(a.From, b.From) })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && (r.From <= out[n-1].To || r.From == out[n-1].To+1) {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
