package dav

import (
	"context"
	"fmt"
	"sync"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A budget bounds the memory that the bodies of requests take, in all and for
// each user, so that nobody's many uploads keep the others waiting. It is taken
// by what a body can come to, before it is read, and given back when the
// request ends. Safe for concurrent use.
type budget struct {
	size, each int64

	mu    sync.Mutex
	used  int64
	by    map[storage.AccountID]int64
	given chan struct{} // closed when some comes back; nil when nobody waits
}

const (
	// budgetWait is how long a request waits for its turn.
	budgetWait = 10 * time.Second
	// treeFactor is how much memory a parsed document takes for each byte of it.
	treeFactor = 8
	// turnsAtOnce is how many requests walk through whole trees at once, one of
	// them for each user.
	turnsAtOnce = 4
	// mostPause is the longest that such a walk stands still between two steps.
	mostPause = 20 * time.Millisecond
	// xmlMost is the largest document that is parsed.
	xmlMost = 1 << 20
)

func newBudget(size int64) *budget {
	return &budget{size: size, each: size / 4, by: map[storage.AccountID]int64{}}
}

// take waits until there are n bytes for a user; storage.ErrTemporary when that
// takes too long. What is more than a user can have is never waited for: n is
// cut to it.
func (b *budget) take(ctx context.Context, user storage.AccountID, n int64) (int64, error) {
	n = min(n, b.each)
	var late <-chan time.Time
	for {
		b.mu.Lock()
		given := b.given
		if b.used+n <= b.size && b.by[user]+n <= b.each {
			b.used += n
			b.by[user] += n
			b.mu.Unlock()
			return n, nil
		}
		if given == nil {
			given = make(chan struct{})
			b.given = given
		}
		b.mu.Unlock()
		if late == nil {
			t := time.NewTimer(budgetWait)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-given:
		case <-late:
			return 0, fmt.Errorf("too much at once, of %d: %w", b.size, storage.ErrTemporary)
		case <-ctx.Done():
			return 0, fmt.Errorf("too much at once, of %d: %w", b.size, storage.ErrTemporary)
		}
	}
}

// give gives n bytes of a user back.
func (b *budget) give(user storage.AccountID, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.by[user] -= n; b.by[user] == 0 {
		delete(b.by, user)
	}
	if b.given != nil {
		close(b.given)
		b.given = nil
	}
}

// reserve takes memory for a body of the request until the request ends. A body
// to be stored is in memory up to blob.MaxSmall; one that is parsed has most.
func (x *Exchange) reserve(most, factor int64) error {
	n := most
	if l := x.Request.ContentLength; l >= 0 {
		n = min(n, l)
	}
	if n == 0 {
		return nil
	}
	n, err := x.engine.bodies.take(x.Request.Context(), x.User, n*factor)
	x.reserved += n
	return err
}

func (x *Exchange) reserveStaged() error { return x.reserve(blob.MaxSmall, 1) }
func (x *Exchange) reserveParsed() error { return x.reserve(xmlMost, treeFactor) }

// turn waits until the user may walk through a whole tree, which done ends.
func (x *Exchange) turn() (done func(), err error) {
	n, err := x.engine.turns.take(x.Request.Context(), x.User, 1)
	return func() { x.engine.turns.give(x.User, n) }, err
}

// Pause is for a walk through a whole tree, between two transactions: it stands
// still for as long as the last step took, so that half of the time is left to
// who asks for little. Its error is that the client has gone.
func (x *Exchange) Pause(step time.Time) error {
	t := time.NewTimer(min(time.Since(step), mostPause))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-x.Request.Context().Done():
		return x.Request.Context().Err()
	}
}
