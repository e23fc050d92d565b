package people

import (
	"context"
	"errors"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// What a deletion has not got to yet opens to nobody, and is got to after a
// crash.
func TestADeletionThatWasCutShort(t *testing.T) {
	db := house(t)
	var a accounts.Account
	must(t, db, func(tx *storage.Tx) (err error) {
		if a, err = Join(tx, accounts.NewAccount{Address: "bram@coop.example", Name: "Bram"}, cli, start); err != nil {
			return err
		}
		if _, err := signin.Begin(tx, a.ID, "", start); err != nil {
			return err
		}
		_, _, err = accounts.NewAppPassword(tx, a.ID, "phone", accounts.ScopeAll, start)
		return err
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Delete(ctx, db, a.ID, Actor{Account: 1}, start); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, db, func(tx *storage.Tx) error {
		if n := len(signin.Sessions(tx, a.ID, start)) + len(accounts.AppPasswords(tx, a.ID)); n != 0 {
			t.Errorf("%d sessions and app passwords", n)
		}
		if err := Approve(tx, a.ID, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("approved: %v", err)
		}
		if _, err := Recover(tx, a.ID, cli, start); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("recovered: %v", err)
		}
		if due, _, err := Due(tx, start); err != nil || len(due) != 1 || due[0] != a.ID {
			t.Errorf("%v %v", due, err)
		}
		return nil
	})
	if err := Delete(t.Context(), db, a.ID, cli, start); err != nil {
		t.Fatal(err)
	}
	must(t, db, func(tx *storage.Tx) error {
		var by []storage.AccountID
		err := audit.Entries(tx, 0, func(e audit.Entry) bool {
			if e.Did == "member.delete" {
				by = append(by, e.By)
			}
			return true
		})
		if len(by) != 1 || by[0] != 1 {
			t.Errorf("deleted by %v", by)
		}
		return err
	})
}

func TestTheLastAdministratorIsNotDeleted(t *testing.T) {
	db := house(t)
	if err := Delete(t.Context(), db, 1, cli, start); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("%v", err)
	}
}

// Who is invited into a household that is gone would have no quota and no one
// to ask.
func TestAHouseholdsInvitationsGoWithIt(t *testing.T) {
	db := house(t)
	var a accounts.Account
	must(t, db, func(tx *storage.Tx) (err error) {
		a, err = Join(tx, accounts.NewAccount{Address: "bram@coop.example", Quota: 1}, cli, start)
		return err
	})
	code := invite(t, db, register.Invitation{Household: a.Household})
	if err := Delete(t.Context(), db, a.ID, cli, start); err != nil {
		t.Fatal(err)
	}
	must(t, db, func(tx *storage.Tx) error {
		if _, err := Accept(tx, Acceptance{Code: code, Local: "lotte"}, cli, start); !errors.Is(err, register.ErrInvitation) {
			t.Errorf("%v", err)
		}
		return nil
	})
}

func TestRecoveringEndsSessions(t *testing.T) {
	db := house(t)
	must(t, db, func(tx *storage.Tx) error {
		if _, err := signin.Begin(tx, 1, "", start); err != nil {
			return err
		}
		if _, err := Recover(tx, 1, cli, start); err != nil {
			return err
		}
		if n := len(signin.Sessions(tx, 1, start)); n != 0 {
			t.Errorf("%d sessions", n)
		}
		return nil
	})
}

func TestNames(t *testing.T) {
	for _, bad := range []string{"a\nb", "a\x00", "a\u202eb", "a\u2028b", "a\x7f", "\xff", strings.Repeat("é", 101)} {
		if accounts.CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	for _, good := range []string{"", "Amélie d'Hôtel-O'Brien", `"Bram" <b>`, strings.Repeat("é", 100), "李小龍", "👩‍🌾"} {
		if err := accounts.CheckName(good); err != nil {
			t.Error(err)
		}
	}
	db := house(t)
	if err := db.Update(func(tx *storage.Tx) error {
		_, err := Join(tx, accounts.NewAccount{Address: "bram@coop.example", Name: "a\r\nBcc: x"}, cli, start)
		return err
	}); !errors.Is(err, storage.ErrInvalid) {
		t.Error(err)
	}
}
