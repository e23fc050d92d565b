package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A SyncToken is a place in the history of one collection (RFC 6578 §3.4).
// With only Collection set it is the place before its first item.
type SyncToken struct {
	Epoch      uint32
	Collection CollectionID
	ModSeq     ModSeq // everything up to here is known
	// After is set in the middle of what did not fit on one page: the last item
	// given of those there were at ModSeq when Initial, or else of those in the
	// next row of the log.
	After   ItemID
	Initial bool
}

const tokenScheme = "data:," // a URI, RFC 6578 §3.2

// String is the same until the collection changes.
func (t SyncToken) String() string {
	s := fmt.Sprintf("%s%08x-%d-%d", tokenScheme, t.Epoch, t.Collection, t.ModSeq)
	switch {
	case t.Initial:
		s += fmt.Sprintf("-i%d", t.After)
	case t.After != 0:
		s += fmt.Sprintf("-c%d", t.After)
	}
	return s
}

func readToken(s string) (t SyncToken, ok bool) {
	fields := strings.Split(strings.TrimPrefix(s, tokenScheme), "-")
	if len(fields) < 3 || len(fields) > 4 {
		return t, false
	}
	epoch, _ := strconv.ParseUint(fields[0], 16, 32)
	id, _ := strconv.ParseUint(fields[1], 10, 32)
	m, _ := strconv.ParseUint(fields[2], 10, 64)
	t = SyncToken{Epoch: uint32(epoch), Collection: CollectionID(id), ModSeq: ModSeq(m)}
	if len(fields) == 4 && fields[3] != "" {
		after, _ := strconv.ParseUint(fields[3][1:], 10, 32)
		t.After, t.Initial = ItemID(after), fields[3][0] == 'i'
	}
	return t, t.String() == s // only what String writes is a token
}

// ParseSyncToken reads a token of this store and collection. Any other is
// ErrInvalid, one from before a restore included: its reader must start again.
func (tx *Tx) ParseSyncToken(id CollectionID, s string) (SyncToken, error) {
	c, err := tx.Collection(id)
	if err != nil {
		return SyncToken{}, err
	}
	t, ok := readToken(s)
	if !ok || t.Epoch != tx.epoch() || t.Collection != id || t.ModSeq > c.Highest {
		return SyncToken{}, fmt.Errorf("sync token %.80q: %w", s, ErrInvalid)
	}
	return t, nil
}

func (tx *Tx) epoch() uint32 {
	if v := tx.Get(metaKey("epoch")); len(v) == 4 {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// SyncToken returns the token of a collection as it is.
func (tx *Tx) SyncToken(c *Collection) SyncToken {
	return SyncToken{Epoch: tx.epoch(), Collection: c.ID, ModSeq: c.Highest}
}

// A SyncPage is what happened to a collection between two tokens, told by what
// is there now: an item that came and went is in Removed, and what happens
// after the page was read is told by a later one.
type SyncPage struct {
	Changed, Removed []ItemID // in order
	// Names that an item left since the token: VacatedNames(…, Since). On the
	// first pages, of a reader that knows nothing, there are none to tell.
	Since   ModSeq
	Initial bool
	Next    SyncToken
	More    bool // Next is not the end
}

// Sync returns what a reader at a token has to learn, at most limit items of
// it. ErrFloor when the log does not reach back, and the reader must start
// again.
func (tx *Tx) Sync(t SyncToken, limit int) (SyncPage, error) {
	c, err := tx.Collection(t.Collection)
	if err != nil {
		return SyncPage{}, err
	}
	limit = max(limit, 1)
	if t.Initial || t.ModSeq == 0 {
		return tx.syncItems(c, t, limit), nil
	}
	if t.ModSeq < c.Floor {
		return SyncPage{}, fmt.Errorf("collection %d at %d, floor %d: %w", c.ID, t.ModSeq, c.Floor, ErrFloor)
	}
	return tx.syncLog(c, t, limit)
}

// syncItems gives the items there are, and then the token of when it began.
func (tx *Tx) syncItems(c *Collection, t SyncToken, limit int) SyncPage {
	p := SyncPage{Initial: true, Next: t}
	if !t.Initial {
		p.Next = tx.SyncToken(c)
	}
	p.Since = p.Next.ModSeq
	if t.After != ^ItemID(0) {
		tx.Items(c.ID, t.After+1, ^ItemID(0), func(id ItemID, _ []byte) bool {
			if p.More = len(p.Changed) == limit; !p.More {
				p.Changed = append(p.Changed, id)
			}
			return !p.More
		})
	}
	p.Next.Initial, p.Next.After = p.More, 0
	if p.More {
		p.Next.After = p.Changed[limit-1]
	}
	return p
}

// syncLog gives the items in the rows after the token. An item that a page has
// once is not given again for the page's later rows.
func (tx *Tx) syncLog(c *Collection, t SyncToken, limit int) (SyncPage, error) {
	p := SyncPage{Since: t.ModSeq, Next: SyncToken{Epoch: tx.epoch(), Collection: c.ID, ModSeq: t.ModSeq}}
	seen := map[ItemID]bool{}
	var err error
	from := binary.BigEndian.AppendUint64(key32(8, uint32(c.ID)), uint64(t.ModSeq)+1)
	tx.Scan(from, key32(8, uint32(c.ID)+1), false, func(k, v []byte) bool {
		var changed, removed []Range
		if changed, v, err = readRanges(v); err == nil {
			removed, _, err = readRanges(v)
		}
		if err != nil {
			return false
		}
		last, whole := take(seen, merge(append(changed, removed...)), t.After, limit)
		if p.More = !whole; p.More {
			if last > 0 { // else the row has not begun
				p.Next.After = last
			}
			return false
		}
		p.Next.ModSeq, t.After = ModSeq(binary.BigEndian.Uint64(k[5:])), 0
		return true
	})
	for id := range seen {
		if tx.Item(c.ID, id) != nil {
			p.Changed = append(p.Changed, id)
		} else {
			p.Removed = append(p.Removed, id)
		}
	}
	slices.Sort(p.Changed)
	slices.Sort(p.Removed)
	return p, err
}

// take adds the items of a row that come after one to seen, until limit are
// there; it returns the last of the row that is, and whether all are.
func take(seen map[ItemID]bool, row []Range, after ItemID, limit int) (last ItemID, whole bool) {
	last = after
	for _, r := range row {
		if r.To <= after {
			continue
		}
		for id := uint64(max(r.From, after+1)); id <= uint64(r.To); id++ {
			if !seen[ItemID(id)] && len(seen) == limit {
				return last, false
			}
			seen[ItemID(id)] = true
			last = ItemID(id)
		}
	}
	return last, true
}
