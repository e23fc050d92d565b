package main

import (
	"context"
	"errors"
	"time"

	"essaim.coop/essaim/storage"
)

// The store is read through once in about a month, a slice a day: rot is found
// while a backup still has what it took.
const (
	scrubEvery  = 30 * 24 * time.Hour / storage.ScrubSlices
	scrubSettle = 10 * time.Minute // after a start
	recentCheck = 1000             // bodies
)

// housekeep looks after the store until ctx ends.
func (a *App) housekeep(ctx context.Context) {
	if !a.db.StoppedInOrder() {
		a.checkAfterCrash(ctx)
	}
	earliest := time.Now().Add(scrubSettle)
	for {
		at := a.db.LastScrub().Add(scrubEvery)
		if at.Before(earliest) {
			at = earliest
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		earliest = time.Now().Add(scrubEvery)
		a.scrub(ctx)
	}
}

// checkAfterCrash verifies the index and the newest bodies beside the service.
func (a *App) checkAfterCrash(ctx context.Context) {
	begin := time.Now()
	r, err := a.db.Check(ctx, storage.CheckOptions{Recent: recentCheck, Hooks: checks})
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		a.log.Error("check after an unclean stop", "error", err)
	default:
		a.problems("check after an unclean stop", r.Problems)
		a.log.Info("checked after an unclean stop", "problems", len(r.Problems), "took", time.Since(begin))
	}
}

func (a *App) scrub(ctx context.Context) {
	s, err := a.db.Scrub(ctx, 0)
	if s != nil {
		a.problems("scrub", s.Problems)
		a.log.Info("scrubbed", "bodies", s.Bodies, "bytes", s.Bytes, "pass complete", s.Whole, "problems", len(s.Problems))
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("scrub", "error", err)
	}
}

// problems logs what is damaged, each by its name, as far as anyone reads.
func (a *App) problems(what string, found []string) {
	for _, p := range found[:min(len(found), 20)] {
		a.log.Error(what+": damage; see essaim check", "problem", p)
	}
}
