package accounts

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
)

func TestDirectoryFollowsChanges(t *testing.T) {
	db, ids := newHouse(t)
	d := NewDirectory(db)
	who := func(address string) (storage.AccountID, error) {
		a, err := d.ByAddress(address)
		return a.ID, err
	}
	if id, err := who("ZOE@coop.example"); id != ids["zoe"] || err != nil {
		t.Errorf("zoe: %d, %v", id, err)
	}
	if _, err := who("info@coop.example"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("info: %v", err)
	}
	gen := d.Generation()
	update(t, db, func(tx *storage.Tx) error {
		return errors.Join(AddAddress(tx, "info@coop.example", ids["bram"]), AddMember(tx, ids["board"], "bram@coop.example"))
	})
	if d.Generation() == gen {
		t.Error("the generation is the same after a change")
	}
	if id, err := who("info@coop.example"); id != ids["bram"] || err != nil {
		t.Errorf("info: %d, %v", id, err)
	}
	if got := d.Identities(ids["bram"]); !slices.Equal(got, []storage.AccountID{ids["bram"], ids["board"]}) {
		t.Errorf("bram is %v", got)
	}
	if _, err := d.ByID(99); !errors.Is(err, storage.ErrNotFound) || d.Identities(99) != nil {
		t.Errorf("account 99: %v", err)
	}
}

func TestHiddenMembersAreNotShown(t *testing.T) {
	db, ids := newHouse(t)
	d := NewDirectory(db)
	names := func() (out []string) {
		people, err := d.Visible()
		if err != nil {
			t.Error(err)
		}
		for _, a := range people {
			out = append(out, a.Address)
		}
		return out
	}
	if got := names(); !slices.Equal(got, []string{"board@coop.example", "bram@coop.example", "zoe@coop.example"}) {
		t.Errorf("shown: %q", got)
	}
	update(t, db, func(tx *storage.Tx) error {
		a, err := Get(tx, ids["bram"])
		if err != nil {
			return err
		}
		a.Hidden = true
		return Save(tx, a)
	})
	if got := names(); !slices.Equal(got, []string{"board@coop.example", "zoe@coop.example"}) {
		t.Errorf("shown: %q", got)
	}
}

// Once the revocation is done no login with the password succeeds, whoever
// logs in at the same time.
func TestRevokedPasswordIsRefusedAtOnce(t *testing.T) {
	db, ids := newHouse(t)
	s := NewService(db, slog.New(slog.DiscardHandler))
	for range 20 {
		var plain string
		var id uint32
		update(t, db, func(tx *storage.Tx) (err error) {
			plain, id, err = NewAppPassword(tx, ids["zoe"], "phone", ScopeFiles, now)
			return err
		})
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_, _ = s.For(ScopeFiles).Password("zoe@coop.example", plain)
					}
				}
			})
		}
		if l, err := s.For(ScopeFiles).Password("zoe@coop.example", plain); err != nil || Scope(l.Scope) != ScopeFiles {
			t.Errorf("before: %+v, %v", l, err)
		}
		update(t, db, func(tx *storage.Tx) error { return Revoke(tx, ids["zoe"], id) })
		if _, err := s.For(ScopeFiles).Password("zoe@coop.example", plain); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("after the revocation: %v", err)
		}
		close(stop)
		wg.Wait()
	}
}

func TestDirectoryIsBounded(t *testing.T) {
	db, _ := newHouse(t)
	d := NewDirectory(db)
	for i := range maxKept + 10 {
		if _, err := d.ByAddress(fmt.Sprintf("nobody%d@coop.example", i)); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := len(d.names); n > maxKept {
		t.Errorf("%d names kept", n)
	}
	if _, err := d.ByAddress(string(make([]byte, 1000))); err == nil {
		t.Error("a very long name is somebody")
	}
}

func BenchmarkBasicLogin(b *testing.B) {
	db, ids := newHouse(b)
	s := NewService(db, slog.New(slog.DiscardHandler))
	update(b, db, func(tx *storage.Tx) error {
		_, err := SetAppPassword(tx, ids["zoe"], "x", ScopeAll, "correct", now)
		return err
	})
	for b.Loop() {
		if _, err := s.For(ScopeFiles).Password("zoe@coop.example", "correct"); err != nil {
			b.Fatal(err)
		}
	}
}
