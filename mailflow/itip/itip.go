// Package itip brings invitations to where they belong: between members' calendars,
// out to others by mail, and from mail into calendars (docs/design.md, "An
// invitation").
//
// What it promises: what a member does to an object with an organizer is told to
// everybody it concerns exactly once as far as this server is concerned: the
// copies, the inbox items, the mail in the queue and the end of the change are one
// transaction. Changes of one calendar's owner are worked off in their order. Who
// can not be reached, or has no room, is noted on the object and costs nobody else
// anything. Of mail, only what came from somebody who may say so changes a
// calendar: see arrive.go. It sleeps until something is there.
//
// A change or a message is worked off in a work: it reads the objects concerned,
// says what each becomes, and commits all of it if they still are as they were
// read; else it begins anew.
//
// Key schema:
//
//	'k' arrival(8)   a message with a calendar part that was delivered (arrive.go)
//
// Alarms by e-mail go to who has set them, by deadline (alarm.go).
//
// RFCs: 6638 §3 and §4 (implicit scheduling), 5546 (iTIP), 6047 (iMIP), 5545 §3.6.6
// (ACTION:EMAIL, to the calendar's owner only), 9074 §6.1 (ACKNOWLEDGED).
package itip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
)

// A Service works off what waits. Its fields are set before use.
type Service struct {
	DB       *storage.DB
	Hostname string
	Log      *slog.Logger
	// Post puts a message on its way in a transaction; Wake is called after it.
	Post func(tx *storage.Tx, from, to string, in *mailbox.Incoming, now time.Time) error
	Wake func()
	Now  func() time.Time // nil is the clock
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// again is when what failed for a reason that may pass is tried once more.
const again = time.Minute

// Run works until ctx ends. It sleeps while nothing waits.
func (s *Service) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	defer s.DB.Watch(calendar.Changes, storage.Nudge(wake))()
	for {
		left, err := s.Pass(ctx)
		var next time.Time
		if err == nil {
			next, err = s.Ring(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if t := s.now().Add(again); left && (next.IsZero() || t.Before(next)) {
			next = t
		}
		if !s.sleep(ctx, wake, next) {
			return nil
		}
	}
}

// sleep waits for a nudge, or for next when that is not zero; false is the end.
func (s *Service) sleep(ctx context.Context, wake <-chan struct{}, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(next.Sub(s.now()))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-due:
	}
	return true
}

// Pass works off what waits now; left reports whether something of it has to be
// tried again. Members' changes go before what has come by mail.
func (s *Service) Pass(ctx context.Context) (left bool, err error) {
	blocked := map[storage.AccountID]bool{}
	var change, arrived uint64
	for ctx.Err() == nil {
		more, err := s.nextChange(&change, blocked)
		if err == nil && !more {
			more, err = s.nextArrival(&arrived, blocked)
		}
		if err != nil || !more {
			return len(blocked) > 0, err
		}
	}
	return false, nil
}

// nextChange works off the change after one; false when there is none.
func (s *Service) nextChange(after *uint64, blocked map[storage.AccountID]bool) (more bool, err error) {
	var ch calendar.Change
	var bad error
	err = s.DB.View(func(tx *storage.Tx) error {
		ch, more, bad = calendar.NextChange(tx, *after)
		return nil
	})
	if err != nil || !more {
		return false, err
	}
	*after = ch.ID
	if blocked[ch.Owner] {
		return true, nil
	}
	if bad == nil {
		bad = s.change(ch)
	}
	stays, err := s.settle("change", ch.ID, bad, ch.Done)
	if stays {
		blocked[ch.Owner] = true
	}
	return true, err
}

// settle notes what became of a row: one that cannot be worked off is taken out,
// so that it is in nobody's way; one whose time may come stays.
func (s *Service) settle(what string, id uint64, failed error, done func(*storage.Tx) error) (stays bool, err error) {
	if failed == nil {
		return false, nil
	}
	for _, passing := range []error{storage.ErrTemporary, storage.ErrFull, storage.ErrReadOnly} {
		if errors.Is(failed, passing) {
			s.Log.Warn("scheduling", what, id, "error", failed)
			return true, nil
		}
	}
	s.Log.Error("scheduling given up", what, id, "error", failed)
	err = s.DB.Update(done)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return false, err
}

// work runs fn and commits what it comes to together with done; from the start when
// something was changed meanwhile, and without those who have no room for it.
func (s *Service) work(done func(*storage.Tx) error, fn func(*work) error) (err error) {
	// What a stranger has written must not stop the house, again and again: a row
	// that cannot be worked off is given up.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	without := map[storage.AccountID]bool{}
	for range mostAgain {
		w := newWork(s, without)
		err := fn(w)
		if err == nil {
			err = w.commit(done)
		}
		var of *accountError
		switch {
		case errors.Is(err, errStale):
		case errors.As(err, &of) && !without[of.account]:
			s.Log.Warn("scheduling", "account", of.account, "error", of.err)
			without[of.account] = true
		default:
			return err
		}
	}
	return fmt.Errorf("changed again and again: %w", storage.ErrTemporary)
}

const mostAgain = 50
