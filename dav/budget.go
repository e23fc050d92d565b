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
	given chan struct{} // closed when some comes back
}

const (
	// budgetWait is how long a request waits for its turn.
	budgetWait = 10 * time.Second
	// treeFactor is how much memory a parsed document takes for each byte of it.
	treeFactor = 8
	// xmlMost is the largest document that is parsed.
	xmlMost = 1 << 20
)

func newBudget(size int64) *budget {
	return &budget{size: size, each: size / 4, by: map[storage.AccountID]int64{}, given: make(chan struct{})}
}

// take waits until there are n bytes for a user; storage.ErrTemporary when that
// takes too long. What is more than a user can have is never waited for: n is
// cut to it.
func (b *budget) take(ctx context.Context, user storage.AccountID, n int64) (int64, error) {
	n = min(n, b.each)
	ctx, cancel := context.WithTimeout(ctx, budgetWait)
	defer cancel()
	for {
		b.mu.Lock()
		given := b.given
		if b.used+n <= b.size && b.by[user]+n <= b.each {
			b.used += n
			b.by[user] += n
			b.mu.Unlock()
			return n, nil
		}
		b.mu.Unlock()
		select {
		case <-given:
		case <-ctx.Done():
			return 0, fmt.Errorf("%d bytes of bodies in memory: %w", b.size, storage.ErrTemporary)
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
	close(b.given)
	b.given = make(chan struct{})
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
