package accounts

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
)

// Nothing opens to an account that waits for an administrator's yes.
func TestAnAccountThatWaitsOpensNothing(t *testing.T) {
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, plain := NewService(db, slog.New(slog.DiscardHandler)), ""
	defer s.Wait()
	set := func(waiting bool) {
		t.Helper()
		if err := db.Update(func(tx *storage.Tx) error {
			a, err := Lookup(tx, "chloe@coop.example")
			a.Waiting = waiting
			return errors.Join(err, Save(tx, a))
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Update(func(tx *storage.Tx) error {
		if err := AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		a, err := Create(tx, NewAccount{Address: "chloe@coop.example"}, time.Now())
		if err == nil {
			plain, _, err = NewAppPassword(tx, a.ID, "phone", ScopeAll, time.Now())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, waiting := range []bool{false, true} {
		set(waiting)
		if _, err := s.For(ScopeIMAP).Password("chloe@coop.example", plain); errors.Is(err, sasl.ErrCredentials) != waiting {
			t.Errorf("waiting %v: %v", waiting, err)
		}
		if c, err := s.For(ScopeIMAP).SCRAM("chloe@coop.example"); err != nil || (len(c.Keys) == 0) != waiting {
			t.Errorf("waiting %v: %d keys, %v", waiting, len(c.Keys), err)
		}
	}
}
