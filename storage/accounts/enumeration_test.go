package accounts

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
)

// Whoever tries names at the sign-in pays one hash of the same cost for each,
// whether the name is a member's, a group's, nobody's or no name at all: the
// time of the answer does not tell which.
func TestSignInCostsTheSameForEveryName(t *testing.T) {
	db, ids := newHouse(t)
	s := NewService(db, slog.New(slog.DiscardHandler))
	set, err := s.HashMainPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *storage.Tx) error { return set(tx, ids["zoe"]) })
	var cost []string
	real := s.hash
	s.hash = func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
		cost = append(cost, fmt.Sprint(string(password), len(salt), time, memory, threads, size))
		if string(password) == "correct horse" {
			return real(password, salt, time, memory, threads, size)
		}
		return make([]byte, size)
	}
	if a, err := s.CheckMainPassword(t.Context(), "zoe@coop.example", "correct horse"); err != nil || a.ID != ids["zoe"] {
		t.Fatal(err)
	}
	right := cost[0]
	for _, name := range []string{"zoe@coop.example", "bram@coop.example", "board@coop.example", "nobody@coop.example", "x@elsewhere.example", "", "@@", "zoe"} {
		cost = nil
		if _, err := s.CheckMainPassword(t.Context(), name, "correct horsf"); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%q: %v", name, err)
		}
		if len(cost) != 1 || len(cost[0]) != len(right) || cost[0][len("correct horse"):] != right[len("correct horse"):] {
			t.Errorf("%q costs %q, the right password %q", name, cost, right)
		}
	}
}

// A program's name that is nobody's is answered from the same place as one that
// is somebody's, and has a challenge that looks like theirs and stays.
func TestChallengesLookAlikeForEveryName(t *testing.T) {
	db, ids := newHouse(t)
	update(t, db, func(tx *storage.Tx) error {
		_, err := SetAppPassword(tx, ids["zoe"], "phone", ScopeIMAP, "secret", now)
		return err
	})
	s := NewService(db, slog.New(slog.DiscardHandler)).For(ScopeIMAP)
	salts := map[string]string{}
	for _, name := range []string{"zoe@coop.example", "bram@coop.example", "board@coop.example", "nobody@coop.example", "other@coop.example", ""} {
		for range 2 {
			c, err := s.SCRAM(name)
			if err != nil || c.Iterations != sasl.Iterations || len(c.Salt) != 16 || salts[name] != "" && salts[name] != string(c.Salt) {
				t.Errorf("%q: %d rounds, salt %x, before %x, %v", name, c.Iterations, c.Salt, salts[name], err)
			}
			salts[name] = string(c.Salt)
		}
		if _, err := s.Password(name, "wrong"); !errors.Is(err, sasl.ErrCredentials) || err.Error() != sasl.ErrCredentials.Error() {
			t.Errorf("%q: %v", name, err)
		}
	}
	seen := map[string]bool{}
	for name, salt := range salts {
		if seen[salt] {
			t.Errorf("%q has a salt that another has", name)
		}
		seen[salt] = true
	}
}

// What a wrong password costs, of a name that is there and of one that is not.
func BenchmarkWrongMainPassword(b *testing.B) {
	db, ids := newHouse(b)
	s := NewService(db, slog.New(slog.DiscardHandler))
	set, err := s.HashMainPassword(b.Context(), "correct horse")
	if err != nil {
		b.Fatal(err)
	}
	update(b, db, func(tx *storage.Tx) error { return set(tx, ids["zoe"]) })
	for _, name := range []string{"zoe", "nobody"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.CheckMainPassword(b.Context(), name+"@coop.example", "wrong"); !errors.Is(err, sasl.ErrCredentials) {
					b.Fatal(err)
				}
			}
		})
	}
}
