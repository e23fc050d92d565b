package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

const (
	// deadlinesSleep is how long people's deadlines are not looked at, at most.
	// Sessions and invitations that are over open nothing meanwhile.
	deadlinesSleep = 24 * time.Hour
	// sweepStep bounds one commit of a sweep, in rows.
	sweepStep = 500
)

// keepDeadlines deletes who left when their time to come back is over, and
// drops what has ended (sessions, invitations, old entries of the audit log);
// then it sleeps until the next deadline.
func (a *App) keepDeadlines(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		next, err := a.meetDeadlines(ctx, now)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("people's deadlines", "error", err)
			next = earlier(next, now.Add(time.Hour))
		}
		sleepUntil(ctx, next)
	}
}

// meetDeadlines does what is due. What fails does not keep the rest from being
// done.
func (a *App) meetDeadlines(ctx context.Context, now time.Time) (next time.Time, err error) {
	var gone []storage.AccountID
	err = a.db.View(func(tx *storage.Tx) (err error) {
		gone, next, err = people.Due(tx, now)
		return err
	})
	for _, id := range gone {
		err = errors.Join(err, a.bury(ctx, id, now))
	}
	for _, sweep := range []func(*storage.Tx, time.Time) (bool, error){
		func(tx *storage.Tx, now time.Time) (bool, error) { return signin.Sweep(tx, now, sweepStep), nil },
		func(tx *storage.Tx, now time.Time) (bool, error) { return register.Sweep(tx, now, sweepStep), nil },
		func(tx *storage.Tx, now time.Time) (bool, error) {
			return audit.Forget(tx, now, audit.KeepClient, audit.KeepEntry, sweepStep)
		},
	} {
		err = errors.Join(err, a.sweep(ctx, now, sweep))
	}
	if latest := now.Add(deadlinesSleep); next.IsZero() || next.After(latest) {
		next = latest
	}
	return next, err
}

// bury deletes an account unless its member has come back meanwhile.
func (a *App) bury(ctx context.Context, id storage.AccountID, now time.Time) error {
	var m accounts.Account
	if err := a.db.View(func(tx *storage.Tx) (err error) { m, err = accounts.Get(tx, id); return err }); err != nil {
		return err
	}
	if m.Leaving.IsZero() || m.Leaving.After(now) {
		return nil
	}
	if err := people.Delete(ctx, a.db, id, people.Actor{}, now); err != nil {
		return fmt.Errorf("deleting %s, who left: %w", m.Address, err)
	}
	a.log.Info("deleted", "address", m.Address, "left", m.Leaving.Add(-people.Undo))
	return nil
}

// sweep runs one until nothing is left, in bounded commits.
func (a *App) sweep(ctx context.Context, now time.Time, do func(*storage.Tx, time.Time) (bool, error)) error {
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.db.Update(func(tx *storage.Tx) (err error) { done, err = do(tx, now); return err }); err != nil {
			return err
		}
	}
	return nil
}
