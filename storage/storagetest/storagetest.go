// Package storagetest opens a real store for the tests of a room.
//
// What it promises: the store is in a directory of the test's own, and when the
// test ends it is checked, closed and gone.
package storagetest

import (
	"context"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A Store belongs to one test.
type Store struct {
	*storage.DB
	t     testing.TB
	hooks []storage.CheckHook
}

// Open opens a store whose problems at the end of the test, as the hooks see them,
// are errors.
func Open(t testing.TB, hooks ...storage.CheckHook) *Store {
	t.Helper()
	s := OpenUnchecked(t, hooks...)
	t.Cleanup(func() {
		if p := s.Problems(); len(p) > 0 {
			t.Errorf("check: %q", p)
		}
	})
	return s
}

// OpenUnchecked is Open for a test that does damage.
func OpenUnchecked(t testing.TB, hooks ...storage.CheckHook) *Store {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Store{db, t, hooks}
}

// Problems are what a check finds.
func (s *Store) Problems() []string {
	s.t.Helper()
	r, err := s.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: s.hooks})
	if err != nil {
		s.t.Error(err)
	}
	return r.Problems
}

// Must is an Update that the test cannot go on without.
func (s *Store) Must(fn func(*storage.Tx) error) {
	s.t.Helper()
	if err := s.Update(fn); err != nil {
		s.t.Fatal(err)
	}
}

// Body stages a text.
func (s *Store) Body(text string) *blob.Staged {
	s.t.Helper()
	b, err := s.StageAll(strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}
