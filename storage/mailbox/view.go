package mailbox

import (
	"errors"
	"sort"
	"sync"

	"essaim.coop/essaim/storage"
)

// A View is the messages of a mailbox at one ModSeq, in order: what sequence
// numbers mean. It is immutable and shared by the sessions that look at it.
type View struct {
	ranges []storage.Range
	before []uint32 // messages before each range
	n      uint32
	at     storage.ModSeq
	next   storage.ItemID
	used   uint64 // for the cache
}

func newView(ranges []storage.Range, at storage.ModSeq, next storage.ItemID) *View {
	v := &View{ranges: ranges, before: make([]uint32, len(ranges)), at: at, next: next}
	for i, r := range ranges {
		v.before[i] = v.n
		v.n += uint32(r.To-r.From) + 1
	}
	return v
}

// Len is the number of messages.
func (v *View) Len() int { return int(v.n) }

// ModSeq is the state the view is of.
func (v *View) ModSeq() storage.ModSeq { return v.at }

// Ranges are the UIDs, in order; not to be changed.
func (v *View) Ranges() []storage.Range { return v.ranges }

// Seq returns the sequence number of a UID, 0 when it is not there.
func (v *View) Seq(uid storage.ItemID) uint32 {
	i := sort.Search(len(v.ranges), func(i int) bool { return v.ranges[i].To >= uid })
	if i == len(v.ranges) || v.ranges[i].From > uid {
		return 0
	}
	return v.before[i] + uint32(uid-v.ranges[i].From) + 1
}

// UID returns the UID of a sequence number from 1, 0 beyond the end.
func (v *View) UID(seq uint32) storage.ItemID {
	if seq == 0 || seq > v.n {
		return 0
	}
	i := sort.Search(len(v.before), func(i int) bool { return v.before[i] >= seq }) - 1
	return v.ranges[i].From + storage.ItemID(seq-1-v.before[i])
}

// Views caches views, so that a client that comes back, and many sessions on
// one mailbox, cost what changed. Safe for concurrent use.
type Views struct {
	limit int // bytes

	mu    sync.Mutex
	views map[storage.CollectionID]*View
	size  int
	clock uint64
}

// NewViews makes a cache of about limit bytes; 0 is 8 MiB.
func NewViews(limit int) *Views {
	if limit == 0 {
		limit = 8 << 20
	}
	return &Views{limit: limit, views: map[storage.CollectionID]*View{}}
}

func (v *View) bytes() int { return 128 + 12*len(v.ranges) }

// Get returns the newest view of a mailbox, in O(changes) when an older one is
// at hand.
func (vs *Views) Get(db *storage.DB, id storage.CollectionID) (*View, error) {
	vs.mu.Lock()
	old := vs.views[id]
	vs.mu.Unlock()
	var v *View
	err := db.View(func(tx *storage.Tx) error {
		c, err := tx.Collection(id)
		if err != nil {
			return err
		}
		if old != nil && old.at == c.Highest {
			v = old
			return nil
		}
		if old != nil && old.at < c.Highest {
			ch, err := tx.Changes(id, old.at)
			if err == nil {
				v = old.advance(ch, c.NextItem)
				return nil
			}
			if !errors.Is(err, storage.ErrFloor) {
				return err
			}
		}
		v = scanView(tx, c)
		return nil
	})
	if err != nil {
		vs.drop(id)
		return nil, err
	}
	vs.keep(id, v)
	return v, nil
}

func scanView(tx *storage.Tx, c *storage.Collection) *View {
	var rs []storage.Range
	tx.Items(c.ID, 0, ^storage.ItemID(0), func(id storage.ItemID, _ []byte) bool {
		rs = appendID(rs, id)
		return true
	})
	return newView(rs, c.Highest, c.NextItem)
}

// advance applies changes: what was changed and is new is at the end.
func (v *View) advance(ch storage.Changes, next storage.ItemID) *View {
	rs := without(v.ranges, ch.Removed)
	for _, r := range ch.Changed {
		if r.To < v.next {
			continue
		}
		r.From = max(r.From, v.next)
		if n := len(rs); n > 0 && rs[n-1].To+1 == r.From {
			rs[n-1].To = r.To
		} else {
			rs = append(rs, r)
		}
	}
	return newView(rs, ch.To, next)
}

// without copies a, less what is in b.
func without(a, b []storage.Range) []storage.Range {
	out := make([]storage.Range, 0, len(a)+len(b)+1)
	k := 0
	for _, r := range a {
		for k < len(b) && b[k].To < r.From {
			k++
		}
		gone := false
		for i := k; i < len(b) && b[i].From <= r.To; i++ {
			if b[i].From > r.From {
				out = append(out, storage.Range{From: r.From, To: b[i].From - 1})
			}
			if b[i].To >= r.To {
				gone = true
				break
			}
			r.From = b[i].To + 1
		}
		if !gone {
			out = append(out, r)
		}
	}
	return out
}

func (vs *Views) keep(id storage.CollectionID, v *View) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	old := vs.views[id]
	if old != nil {
		if old.at > v.at {
			return
		}
		vs.size -= old.bytes()
	}
	vs.clock++
	v.used = vs.clock
	vs.views[id] = v
	for vs.size += v.bytes(); vs.size > vs.limit && len(vs.views) > 1; {
		var oldest storage.CollectionID
		for k, x := range vs.views {
			if o := vs.views[oldest]; o == nil || x.used < o.used {
				oldest = k
			}
		}
		vs.size -= vs.views[oldest].bytes()
		delete(vs.views, oldest)
	}
}

func (vs *Views) drop(id storage.CollectionID) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v := vs.views[id]; v != nil {
		vs.size -= v.bytes()
		delete(vs.views, id)
	}
}
