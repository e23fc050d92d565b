package dav

import (
	"context"
	"errors"
	"testing"

	"essaim.coop/essaim/storage"
)

func TestBudget(t *testing.T) {
	b := newBudget(400)
	ctx, full := context.WithCancel(context.Background())
	full() // does not wait
	take := func(user storage.AccountID, n, want int64) {
		t.Helper()
		got, err := b.take(ctx, user, n)
		if got != want || (err != nil) != (want == 0) || err != nil && !errors.Is(err, storage.ErrTemporary) {
			t.Errorf("user %d takes %d: %d, %v", user, n, got, err)
		}
	}
	take(1, 60, 60)
	take(1, 41, 0) // a quarter of all is one user's
	take(1, 40, 40)
	take(2, 1000, 100) // more than a user can have is not waited for
	take(3, 100, 100)
	take(4, 100, 100)
	take(5, 1, 0) // nothing is left
	waits := make(chan error)
	go func() {
		_, err := b.take(context.Background(), 5, 50)
		waits <- err
	}()
	b.give(1, 40)
	b.give(1, 60)
	if err := <-waits; err != nil {
		t.Error(err)
	}
	b.give(5, 50)
	b.give(2, 100)
	b.give(3, 100)
	b.give(4, 100)
	if b.used != 0 || len(b.by) != 0 {
		t.Errorf("left: %d, %v", b.used, b.by)
	}
}
