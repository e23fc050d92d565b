// Package people is what happens to a person in every store at once: joining,
// being suspended, leaving, being deleted; and what groups share, of every kind.
//
// What it promises: the command line, the administrator's pages and the
// members' pages all go through here, so that somebody who joined has a
// mailbox, a calendar and an address book whichever way they came, and nothing
// of them is left in any store when they are gone. What an administrator does
// to a person is in the audit log, in the same transaction. Deleting begins by
// closing the account, so that nothing opens to it any more; what it has goes in
// bounded commits, which the next look at people's deadlines takes up again
// after a crash.
package people

import (
	"fmt"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/mailbox"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// Undo is how long somebody who left can come back with everything.
const Undo = 14 * 24 * time.Hour

// ErrFull says that a household has no place for another account.
var ErrFull = fmt.Errorf("the household has as many accounts as it may: %w", storage.ErrConflict)

// An Actor is who does something, for the audit log.
type Actor struct {
	Account storage.AccountID // 0 is the command line
	Client  string            // address the request came from
}

func (by Actor) log(tx *storage.Tx, did string, about storage.AccountID, detail string, now time.Time) error {
	return audit.Append(tx, audit.Entry{At: now, By: by.Account, Client: by.Client, Did: did, About: about, Detail: detail})
}

// Join makes an account with all that a member or a group has from the start.
func Join(tx *storage.Tx, n accounts.NewAccount, by Actor, now time.Time) (accounts.Account, error) {
	a, err := accounts.Create(tx, n, now)
	if err != nil {
		return a, err
	}
	for _, ensure := range []func(*storage.Tx, storage.AccountID, time.Time) error{mailbox.Ensure, files.Ensure, calendar.Ensure, contacts.Ensure} {
		if err := ensure(tx, a.ID, now); err != nil {
			return a, err
		}
	}
	h, err := register.Get(tx, a.Household)
	if err != nil {
		return a, err
	}
	if h.Reference == "" && !a.Group {
		h.Name = a.Name
		if _, err := register.Put(tx, h); err != nil {
			return a, err
		}
	}
	return a, by.log(tx, "member.join", a.ID, a.Address, now)
}

// An Acceptance is what somebody says who takes an invitation.
type Acceptance struct {
	Code, Local, Name, Language string
}

// Accept takes an invitation and makes the account. When the invitation asks
// for an administrator's yes, the account waits for it: its address is taken
// and nobody can sign in. ErrInvitation, ErrFull, and what accounts.Create says
// of the address.
func Accept(tx *storage.Tx, in Acceptance, by Actor, now time.Time) (accounts.Account, error) {
	i, err := register.Take(tx, in.Code, now)
	if err != nil {
		return accounts.Account{}, err
	}
	if i.Household != 0 {
		if err := hasPlace(tx, i.Household); err != nil {
			return accounts.Account{}, err
		}
	}
	a, err := Join(tx, accounts.NewAccount{Address: in.Local + "@" + i.Domain, Name: in.Name, Language: in.Language,
		Cooperator: i.Cooperator, Subscriber: i.Subscriber, Household: i.Household, Quota: i.Quota}, by, now)
	if err != nil {
		return a, err
	}
	if i.Household == 0 && i.Size > 0 {
		h, err := register.Get(tx, a.Household)
		if err != nil {
			return a, err
		}
		h.Size = i.Size
		if _, err := register.Put(tx, h); err != nil {
			return a, err
		}
	}
	if i.Approve {
		a.Waiting, a.Suspended = true, true
		return a, accounts.Save(tx, a)
	}
	return a, nil
}

func hasPlace(tx *storage.Tx, id storage.HouseholdID) error {
	h, err := register.Get(tx, id)
	if err != nil {
		return err
	}
	list, err := Household(tx, id)
	if err != nil {
		return err
	}
	if h.Size > 0 && len(list) >= h.Size {
		return ErrFull
	}
	return nil
}

// Household returns the accounts of a household, in order of their making.
func Household(tx *storage.Tx, id storage.HouseholdID) (out []accounts.Account, err error) {
	err = accounts.List(tx, func(a accounts.Account) bool {
		if a.Household == id {
			out = append(out, a)
		}
		return true
	})
	return out, err
}

// Approve opens an account that waited for it.
func Approve(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) error {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return err
	}
	if !a.Waiting || !a.Leaving.IsZero() {
		return fmt.Errorf("%s does not wait for anything: %w", a.Address, storage.ErrConflict)
	}
	a.Waiting, a.Suspended = false, false
	if err := accounts.Save(tx, a); err != nil {
		return err
	}
	return by.log(tx, "member.approve", id, a.Address, now)
}

// Suspend and Resume change whether somebody can send. A suspended member
// receives and reads; nothing is deleted.
func Suspend(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) error {
	return setSuspended(tx, id, true, "member.suspend", by, now)
}

// Resume ends a suspension.
func Resume(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) error {
	return setSuspended(tx, id, false, "member.resume", by, now)
}

func setSuspended(tx *storage.Tx, id storage.AccountID, to bool, did string, by Actor, now time.Time) error {
	a, err := accounts.Get(tx, id)
	if err != nil || a.Suspended == to {
		return err
	}
	if a.Waiting {
		return fmt.Errorf("%s waits for approval: %w", a.Address, storage.ErrConflict)
	}
	a.Suspended = to
	if err := accounts.Save(tx, a); err != nil {
		return err
	}
	return by.log(tx, did, id, a.Address, now)
}

// Leave notes that somebody goes. Until Undo has passed everything stays as it
// is and Stay takes it back; then Due names them. The last administrator cannot
// leave: ErrConflict.
func Leave(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) (gone time.Time, err error) {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return gone, err
	}
	if a.Admin {
		if err := anotherAdmin(tx, id); err != nil {
			return gone, err
		}
	}
	a.Leaving = now.Add(Undo)
	if err := accounts.Save(tx, a); err != nil {
		return gone, err
	}
	return a.Leaving, by.log(tx, "member.leave", id, a.Address, now)
}

// Stay takes a Leave back.
func Stay(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) error {
	a, err := accounts.Get(tx, id)
	if err != nil || a.Leaving.IsZero() {
		return err
	}
	a.Leaving = time.Time{}
	if err := accounts.Save(tx, a); err != nil {
		return err
	}
	return by.log(tx, "member.stay", id, a.Address, now)
}

// SetAdmin makes somebody an administrator or ends it; the last one stays.
func SetAdmin(tx *storage.Tx, id storage.AccountID, to bool, by Actor, now time.Time) error {
	a, err := accounts.Get(tx, id)
	if err != nil || a.Admin == to {
		return err
	}
	if !to {
		if err := anotherAdmin(tx, id); err != nil {
			return err
		}
	}
	a.Admin = to
	if err := accounts.Save(tx, a); err != nil {
		return err
	}
	did := "admin.end"
	if to {
		did = "admin.begin"
	}
	return by.log(tx, did, id, a.Address, now)
}

// Recover makes new recovery codes for somebody who lost password and codes,
// after a person has looked who it is, and ends the sessions there are. The codes
// are told once; the member finds it in their own log. A group and who waits for approval cannot sign in:
// ErrConflict.
func Recover(tx *storage.Tx, id storage.AccountID, by Actor, now time.Time) (codes []string, err error) {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return nil, err
	}
	if a.Group || a.Waiting {
		return nil, fmt.Errorf("%s cannot sign in: %w", a.Address, storage.ErrConflict)
	}
	if codes, err = signin.NewRecoveryCodes(tx, id); err != nil {
		return nil, err
	}
	signin.EndOthers(tx, id, "")
	return codes, by.log(tx, "password.reset", id, a.Address, now)
}

// anotherAdmin is ErrConflict when nobody but id could administer.
func anotherAdmin(tx *storage.Tx, id storage.AccountID) error {
	found := false
	err := accounts.List(tx, func(a accounts.Account) bool {
		found = a.Admin && a.ID != id && a.Leaving.IsZero() && !a.Waiting
		return !found
	})
	if err == nil && !found {
		err = fmt.Errorf("the cooperative would have no administrator: %w", storage.ErrConflict)
	}
	return err
}

// Due returns whose time to come back is over, and when the next one's is.
func Due(tx *storage.Tx, now time.Time) (due []storage.AccountID, next time.Time, err error) {
	err = accounts.List(tx, func(a accounts.Account) bool {
		switch {
		case a.Leaving.IsZero():
		case !a.Leaving.After(now):
			due = append(due, a.ID)
		case next.IsZero() || a.Leaving.Before(next):
			next = a.Leaving
		}
		return true
	})
	return due, next, err
}
