package people

import (
	"context"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/locks"
	"essaim.coop/essaim/storage/mailbox"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// purges remove what an account has in each store, a bounded part at a time;
// they report whether something is left.
var purges = []func(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error){
	mailbox.Purge, files.Purge, calendar.Purge, contacts.Purge,
}

// purgeStep bounds one commit of Delete, in items.
const purgeStep = 500

// Delete removes an account with everything it has. Its first commit closes the
// account: no session, password or code opens it any more, and Due names it
// until it is gone. The last administrator cannot be deleted: ErrConflict.
func Delete(ctx context.Context, db *storage.DB, id storage.AccountID, by Actor, now time.Time) error {
	if err := db.Update(func(tx *storage.Tx) error { return shut(tx, id, by, now) }); err != nil {
		return err
	}
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := db.Update(func(tx *storage.Tx) (err error) {
			done, err = deleteStep(tx, id)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// shut makes an account one that nothing opens, and notes who deletes it. One
// that is shut already stays as it is.
func shut(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) error {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return err
	}
	if a.Waiting && !a.Leaving.IsZero() {
		return nil
	}
	if a.Admin {
		if err := anotherAdmin(tx, id); err != nil {
			return err
		}
	}
	signin.Forget(tx, id)
	for _, p := range accounts.AppPasswords(tx, id) {
		if err := accounts.Revoke(tx, id, p.ID); err != nil {
			return err
		}
	}
	a.Admin, a.Suspended, a.Waiting = false, true, true
	if a.Leaving.IsZero() || a.Leaving.After(now) {
		a.Leaving = now
	}
	if err := accounts.Save(tx, a); err != nil {
		return err
	}
	return by.log(tx, "member.delete", id, a.Address, now)
}

func deleteStep(tx *storage.Tx, id storage.AccountID) (done bool, err error) {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return false, err
	}
	for _, purge := range purges {
		if left, err := purge(tx, id, purgeStep); err != nil || left {
			return false, err
		}
	}
	locks.RemoveAccount(tx, id)
	signin.Forget(tx, id)
	alone, err := Household(tx, a.Household)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(alone, func(o accounts.Account) bool { return o.ID != id }) {
		register.Remove(tx, a.Household)
	}
	return true, accounts.Delete(tx, id)
}
