package main

import (
	"context"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// trashSleep is how long the trash is not looked at, at most: what a crash left
// of a copy has a deadline earlier than anything deleted meanwhile.
const trashSleep = 24 * time.Hour

// emptyTrash removes what has been in members' trash for its time, and sleeps
// until the next deadline.
func (a *App) emptyTrash(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		due, next, err := a.dueTrash(now)
		for _, id := range due {
			if err == nil {
				err = a.purgeTrash(ctx, id, now)
			}
		}
		if err == nil && len(due) > 0 {
			continue // what is next has changed
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("emptying the trash", "error", err)
			next = now.Add(time.Hour)
		}
		sleepUntil(ctx, next)
	}
}

// sleepUntil waits for a deadline or the end of ctx.
func sleepUntil(ctx context.Context, at time.Time) {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// dueTrash finds whose trash has something whose time is over, and when to look
// again.
func (a *App) dueTrash(now time.Time) (due []storage.AccountID, next time.Time, err error) {
	next = now.Add(trashSleep)
	err = a.db.View(func(tx *storage.Tx) error {
		return accounts.List(tx, func(m accounts.Account) bool {
			t, err := files.Open(tx, m.ID)
			if err != nil {
				return true // it has no files
			}
			switch at, ok := files.NextPurge(tx, t); {
			case !ok:
			case at.Before(now):
				due = append(due, m.ID)
			default:
				next = earlier(next, at)
			}
			return true
		})
	})
	return due, next, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// purgeTrash does it for one account in bounded commits.
func (a *App) purgeTrash(ctx context.Context, id storage.AccountID, now time.Time) error {
	for left := true; left && ctx.Err() == nil; {
		err := a.db.Update(func(tx *storage.Tx) error {
			t, err := files.Open(tx, id)
			if err == nil {
				left, err = files.PurgeTrash(tx, t, now.Add(-files.TrashTime), files.Batch)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
