package accounts

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
)

var now = time.Unix(1_800_000_000, 0)

func newHouse(t testing.TB) (*storage.DB, map[string]storage.AccountID) {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]storage.AccountID{}
	update(t, db, func(tx *storage.Tx) error {
		if err := AddDomain(tx, "Coop.Example", ""); err != nil {
			return err
		}
		for _, n := range []NewAccount{{Address: "Zoe@coop.example"}, {Address: "bram@coop.example"}, {Address: "board@coop.example", Group: true, Forward: true}} {
			a, err := Create(tx, n, now)
			if err != nil {
				return err
			}
			ids[strings.Split(a.Address, "@")[0]] = a.ID
		}
		return nil
	})
	t.Cleanup(func() {
		r, err := db.Check(context.Background(), storage.CheckOptions{Hooks: []storage.CheckHook{Check}})
		if err != nil || !r.Clean() {
			t.Errorf("check: %v %q", err, r.Problems)
		}
		db.Close()
	})
	return db, ids
}

func update(t testing.TB, db *storage.DB, fn func(*storage.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	db, ids := newHouse(t)
	update(t, db, func(tx *storage.Tx) error {
		return errors.Join(
			AddAddress(tx, "info@coop.example", ids["bram"]),
			AddDomain(tx, "école.example", "bram@coop.example"),
			AddDomain(tx, "alias.example", ""),
			SetDomain(tx, Domain{Name: "alias.example", AliasOf: "coop.example"}),
			AddMember(tx, ids["board"], "zoe@coop.example"), AddMember(tx, ids["board"], "friend@elsewhere.example"))
	})
	z, b, g := ids["zoe"], ids["bram"], ids["board"]
	for addr, want := range map[string][]storage.AccountID{
		"ZOE@coop.example": {z}, "zoe+lists@COOP.example.": {z}, "info@coop.example": {b},
		"anything@xn--cole-9oa.example": {b}, "rien@école.example": {b}, "zoe@alias.example": {z}, "zoe+x@alias.example": {z},
		"board@coop.example": {g, z}, "nobody@coop.example": nil, "zoe@elsewhere.example": nil, "zoe": nil, "@coop.example": nil, "a b@coop.example": nil,
	} {
		_ = db.View(func(tx *storage.Tx) error {
			d, err := Resolve(tx, addr)
			if !slices.Equal(d.Accounts, want) || (err == nil) != (want != nil) {
				t.Errorf("%s: %v, %v", addr, d.Accounts, err)
			}
			if addr == "board@coop.example" && !slices.Equal(d.External, []string{"friend@elsewhere.example"}) {
				t.Errorf("external %v", d.External)
			}
			return nil
		})
	}
	_ = db.View(func(tx *storage.Tx) error {
		for addr, want := range map[string]bool{"zoe@coop.example": true, "zoe+x@coop.example": true, "board@coop.example": true, "bram@coop.example": false, "info@coop.example": false, "": false} {
			if MaySendAs(tx, z, addr) != want {
				t.Errorf("zoe may send as %q: %v", addr, !want)
			}
		}
		return nil
	})
}

func TestAppPasswordsHaveScopesAndCanBeRevoked(t *testing.T) {
	db, ids := newHouse(t)
	var plain string
	var id uint32
	update(t, db, func(tx *storage.Tx) (err error) {
		plain, id, err = NewAppPassword(tx, ids["zoe"], "phone", ScopeIMAP, now)
		return err
	})
	if len(plain) != 32 || strings.ContainsAny(plain, " lo01") {
		t.Errorf("password %q", plain)
	}
	s := NewService(db, slog.New(slog.DiscardHandler))
	if l, err := s.For(ScopeIMAP).Password("zoe@COOP.example", plain); err != nil || l.AppPassword != id || l.Address != "zoe@coop.example" {
		t.Errorf("login %+v, %v", l, err)
	}
	for _, c := range []struct {
		scope    Scope
		name, pw string
	}{{ScopeSMTP, "zoe@coop.example", plain}, {ScopeIMAP, "bram@coop.example", plain}, {ScopeIMAP, "zoe@coop.example", plain + "x"}, {ScopeIMAP, "nobody", plain}, {ScopeIMAP, "zoe@coop.example", ""}} {
		if _, err := s.For(c.scope).Password(c.name, c.pw); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%s in scope %d: %v", c.name, c.scope, err)
		}
	}
	c1, _ := s.For(ScopeIMAP).SCRAM("nobody@coop.example")
	c2, _ := s.For(ScopeIMAP).SCRAM("nobody@coop.example")
	if len(c1.Salt) != 16 || !slices.Equal(c1.Salt, c2.Salt) || len(c1.Keys) != 0 {
		t.Errorf("an unknown name's credentials: %+v %+v", c1, c2)
	}
	update(t, db, func(tx *storage.Tx) error { return Revoke(tx, ids["zoe"], id) })
	if _, err := s.For(ScopeIMAP).Password("zoe@coop.example", plain); !errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("revoked: %v", err)
	}
}

func TestMainPassword(t *testing.T) {
	db, ids := newHouse(t)
	s := NewService(db, slog.New(slog.DiscardHandler))
	set, err := s.HashMainPassword(context.Background(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *storage.Tx) error { return set(tx, ids["zoe"]) })
	if a, err := s.CheckMainPassword(context.Background(), "zoe@coop.example", "correct horse"); err != nil || a.ID != ids["zoe"] {
		t.Errorf("%+v, %v", a, err)
	}
	for _, name := range []string{"zoe@coop.example", "bram@coop.example", "nobody"} {
		if _, err := s.CheckMainPassword(context.Background(), name, "wrong"); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.For(ScopeAll).Password("zoe@coop.example", "correct horse"); err == nil {
		t.Error("the main password works on a mail port")
	}
}

func TestGateLetsFewWait(t *testing.T) {
	g := newGate(1, 1, 20*time.Millisecond)
	if err := g.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := g.enter(context.Background()); !errors.Is(err, storage.ErrTemporary) {
		t.Errorf("the second: %v", err)
	}
	g.leave()
	if err := g.enter(context.Background()); err != nil {
		t.Errorf("after leaving: %v", err)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	db, ids := newHouse(t)
	update(t, db, func(tx *storage.Tx) error {
		if _, _, err := NewAppPassword(tx, ids["bram"], "x", ScopeAll, now); err != nil {
			return err
		}
		return Delete(tx, ids["bram"])
	})
	_ = db.View(func(tx *storage.Tx) error {
		if _, err := Lookup(tx, "bram@coop.example"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("still there: %v", err)
		}
		if n := len(AppPasswords(tx, ids["bram"])); n != 0 {
			t.Errorf("%d passwords left", n)
		}
		return nil
	})
}
