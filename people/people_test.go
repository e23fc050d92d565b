package people

import (
	"errors"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

var (
	start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	cli   = Actor{}
)

// house has a domain and an administrator, account 1.
func house(t *testing.T) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.View(audit.Verify); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	must(t, db, func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		_, err := Join(tx, accounts.NewAccount{Address: "amelie@coop.example", Name: "Amélie", Admin: true, Quota: 1 << 30}, cli, start)
		return err
	})
	return db
}

func must(t *testing.T, db *storage.DB, fn func(*storage.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func invite(t *testing.T, db *storage.DB, i register.Invitation) (code string) {
	t.Helper()
	i.Domain, i.Expires = "coop.example", start.AddDate(0, 0, 14)
	if i.Uses == 0 {
		i.Uses = 1
	}
	must(t, db, func(tx *storage.Tx) (err error) { code, err = register.Invite(tx, i, start); return err })
	return code
}

func TestAcceptingAnInvitation(t *testing.T) {
	db := house(t)
	code := invite(t, db, register.Invitation{Quota: 5 << 30, Size: 2, Subscriber: true})
	var bram accounts.Account
	must(t, db, func(tx *storage.Tx) (err error) {
		bram, err = Accept(tx, Acceptance{Code: code, Local: "Bram", Name: "Bram Peeters", Language: "nl"}, cli, start)
		return err
	})
	must(t, db, func(tx *storage.Tx) error {
		h, err := register.Get(tx, bram.Household)
		if _, limit := tx.Quota(bram.Household); err != nil || limit != 5<<30 || h.Size != 2 || h.Reference == "" || h.Name != "Bram Peeters" {
			t.Errorf("household %+v of %d bytes: %v", h, limit, err)
		}
		if bram.Address != "bram@coop.example" || !bram.Subscriber || bram.Cooperator || bram.Waiting || len(tx.Collections(bram.ID, storage.KindMailbox)) == 0 {
			t.Errorf("%+v", bram)
		}
		return nil
	})
	if err := db.Update(func(tx *storage.Tx) error {
		_, err := Accept(tx, Acceptance{Code: code, Local: "other"}, cli, start)
		return err
	}); !errors.Is(err, register.ErrInvitation) {
		t.Errorf("a second time: %v", err)
	}
	// A failed join gives the invitation back.
	family := invite(t, db, register.Invitation{Household: bram.Household, Uses: 3})
	for _, c := range []struct {
		local string
		want  error
	}{{"amelie", storage.ErrConflict}, {"sp ace", storage.ErrInvalid}, {"lotte", nil}, {"jef", ErrFull}} {
		if err := db.Update(func(tx *storage.Tx) error {
			_, err := Accept(tx, Acceptance{Code: family, Local: c.local}, cli, start)
			return err
		}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.local, err, c.want)
		}
	}
}

func TestApproval(t *testing.T) {
	db := house(t)
	code := invite(t, db, register.Invitation{Approve: true})
	must(t, db, func(tx *storage.Tx) error {
		a, err := Accept(tx, Acceptance{Code: code, Local: "chloe"}, cli, start)
		if err != nil || !a.Waiting || !a.Suspended {
			t.Errorf("%+v %v", a, err)
		}
		if err := Resume(tx, a.ID, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("resuming who waits: %v", err)
		}
		if err := Approve(tx, a.ID, Actor{Account: 1, Client: "192.0.2.1"}, start); err != nil {
			return err
		}
		a, _ = accounts.Get(tx, a.ID)
		if a.Waiting || a.Suspended {
			t.Errorf("%+v", a)
		}
		if err := Approve(tx, a.ID, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("twice: %v", err)
		}
		var last audit.Entry
		_ = audit.Entries(tx, 0, func(e audit.Entry) bool { last = e; return false })
		if last.Did != "member.approve" || last.By != 1 || last.About != a.ID {
			t.Errorf("%+v", last)
		}
		return nil
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	db := house(t)
	must(t, db, func(tx *storage.Tx) error {
		if _, err := Leave(tx, 1, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("leaving: %v", err)
		}
		if err := SetAdmin(tx, 1, false, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("stepping back: %v", err)
		}
		b, err := Join(tx, accounts.NewAccount{Address: "bram@coop.example"}, cli, start)
		if err != nil {
			return err
		}
		if err := SetAdmin(tx, b.ID, true, cli, start); err != nil {
			t.Error(err)
		}
		if err := SetAdmin(tx, 1, false, cli, start); err != nil {
			t.Errorf("with another there: %v", err)
		}
		return nil
	})
}

func TestLeavingAndComingBack(t *testing.T) {
	db := house(t)
	must(t, db, func(tx *storage.Tx) error {
		a, err := Join(tx, accounts.NewAccount{Address: "bram@coop.example"}, cli, start)
		if err != nil {
			return err
		}
		gone, err := Leave(tx, a.ID, cli, start)
		if err != nil || gone.Sub(start) != Undo {
			t.Errorf("%v %v", gone, err)
		}
		if due, next, err := Due(tx, start.Add(Undo-1)); len(due) != 0 || !next.Equal(gone) || err != nil {
			t.Errorf("%v %v %v", due, next, err)
		}
		if due, _, _ := Due(tx, gone); len(due) != 1 || due[0] != a.ID {
			t.Errorf("%v", due)
		}
		if err := Stay(tx, a.ID, cli, start); err != nil {
			return err
		}
		if due, next, _ := Due(tx, gone); len(due) != 0 || !next.IsZero() {
			t.Errorf("%v %v", due, next)
		}
		return nil
	})
}

func TestDeleteLeavesNothing(t *testing.T) {
	db := house(t)
	var a accounts.Account
	must(t, db, func(tx *storage.Tx) (err error) {
		if a, err = Join(tx, accounts.NewAccount{Address: "bram@coop.example", Name: "Bram"}, cli, start); err != nil {
			return err
		}
		if _, err := signin.Begin(tx, a.ID, "", start); err != nil {
			return err
		}
		_, err = signin.NewRecoveryCodes(tx, a.ID)
		return err
	})
	if err := Delete(t.Context(), db, a.ID, cli, start); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), db, a.ID, cli, start); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	must(t, db, func(tx *storage.Tx) error {
		if _, err := accounts.Lookup(tx, "bram@coop.example"); !errors.Is(err, storage.ErrNotFound) {
			t.Error(err)
		}
		if n := signin.RecoveryCodesLeft(tx, a.ID) + len(signin.Sessions(tx, a.ID, start)); n != 0 {
			t.Errorf("%d codes and sessions are left", n)
		}
		if h, err := register.Get(tx, a.Household); err != nil || h.Name != "" {
			t.Errorf("%+v %v", h, err)
		}
		return nil
	})
}
