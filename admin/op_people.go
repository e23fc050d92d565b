package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// A Person is what an administrator sees of somebody.
type Person struct {
	ID         uint32    `json:"id"`
	Address    string    `json:"address"`
	Name       string    `json:"name"`
	Language   string    `json:"language"`
	Household  uint32    `json:"household"`
	Cooperator bool      `json:"cooperator"`
	Subscriber bool      `json:"subscriber"`
	Admin      bool      `json:"admin"`
	Suspended  bool      `json:"suspended"`
	Waiting    bool      `json:"waiting"`
	Leaving    time.Time `json:"leaving,omitzero"`
	Created    time.Time `json:"created"`
	Late       bool      `json:"late"`
	Addresses  []string  `json:"addresses,omitempty"`
	Groups     []string  `json:"groups,omitempty"`
	Devices    int       `json:"devices"`
	LastUse    time.Time `json:"lastUse,omitzero"` // of a device, to the day
	Codes      bool      `json:"codes"`            // one-time codes are on
}

// PeopleIn asks for people by a part of their name or address.
type PeopleIn struct {
	Query string `query:"q"`
	From
}

// From says which part of a list: how many rows to leave out, and how many to
// give, 500 at most.
type From struct {
	From uint32 `query:"from"`
	Rows uint32 `query:"rows"`
}

// mostRows bounds a list; a page of it for people to read has pageRows.
const (
	mostRows = 500
	pageRows = 100
)

func part[T any](list []T, f From) []T {
	from := min(int(f.From), len(list))
	return list[from:min(len(list), from+f.rows())]
}

// rows is how many to give.
func (f From) rows() int {
	if f.Rows == 0 || f.Rows > mostRows {
		return mostRows
	}
	return int(f.Rows)
}

// next is where the page after one begins; 0 when there is none.
func (f From) next(rows int) uint32 {
	if rows < int(f.Rows) {
		return 0
	}
	return f.From + f.Rows
}

// People lists members, those first who wait for a yes.
func (d *Desk) People(_ context.Context, _ people.Actor, in PeopleIn) (out []Person, err error) {
	q := strings.ToLower(strings.TrimSpace(in.Query))
	err = d.DB.View(func(tx *storage.Tx) error {
		return accounts.List(tx, func(a accounts.Account) bool {
			if !a.Group && (strings.Contains(strings.ToLower(a.Name), q) || strings.Contains(a.Address, q)) {
				out = append(out, d.brief(tx, a))
			}
			return true
		})
	})
	slices.SortStableFunc(out, func(x, y Person) int {
		if x.Waiting != y.Waiting {
			if x.Waiting {
				return -1
			}
			return 1
		}
		return strings.Compare(x.Address, y.Address)
	})
	return part(out, in.From), err
}

func (d *Desk) brief(tx *storage.Tx, a accounts.Account) Person {
	h, _ := register.Get(tx, a.Household)
	return Person{ID: uint32(a.ID), Address: a.Address, Name: a.Name, Language: a.Language, Household: uint32(a.Household),
		Cooperator: a.Cooperator, Subscriber: a.Subscriber, Admin: a.Admin, Suspended: a.Suspended, Waiting: a.Waiting, Leaving: a.Leaving,
		Created: a.Created, Late: h.Late(d.Now())}
}

// An ID names somebody or something in a path.
type ID struct {
	ID uint32 `path:"id" json:"-"`
}

// Person returns one.
func (d *Desk) Person(_ context.Context, _ people.Actor, in ID) (p Person, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, storage.AccountID(in.ID))
		if err != nil {
			return err
		}
		if a.Group {
			return fmt.Errorf("%s is a group: %w", a.Address, storage.ErrNotFound)
		}
		p = d.brief(tx, a)
		p.Addresses = accounts.Addresses(tx, a.ID)
		for _, g := range accounts.Groups(tx, a.ID) {
			if group, err := accounts.Get(tx, g); err == nil {
				p.Groups = append(p.Groups, group.Address)
			}
		}
		for _, device := range accounts.AppPasswords(tx, a.ID) {
			p.Devices++
			if day := device.Used.Truncate(24 * time.Hour); day.After(p.LastUse) {
				p.LastUse = day
			}
		}
		p.Codes = signin.HasCodes(tx, a.ID)
		return nil
	})
	return p, err
}

// ChangePersonIn says what to change; what is left out stays.
type ChangePersonIn struct {
	ID
	Name       *string `json:"name,omitempty"`
	Cooperator *bool   `json:"cooperator,omitempty"`
	Subscriber *bool   `json:"subscriber,omitempty"`
	Admin      *bool   `json:"admin,omitempty"`
	Suspended  *bool   `json:"suspended,omitempty"`
}

// ChangePerson changes facts about somebody.
func (d *Desk) ChangePerson(ctx context.Context, by people.Actor, in ChangePersonIn) (Person, error) {
	id := storage.AccountID(in.ID.ID)
	err := d.change(func(tx *storage.Tx, now time.Time) error {
		if in.Suspended != nil {
			do := people.Resume
			if *in.Suspended {
				do = people.Suspend
			}
			if err := do(tx, id, by, now); err != nil {
				return err
			}
		}
		if in.Admin != nil {
			if err := people.SetAdmin(tx, id, *in.Admin, by, now); err != nil {
				return err
			}
		}
		a, err := accounts.Get(tx, id)
		if err != nil {
			return err
		}
		before := a
		if in.Name != nil {
			if err := accounts.CheckName(*in.Name); err != nil {
				return err
			}
		}
		set(&a.Name, in.Name)
		set(&a.Cooperator, in.Cooperator)
		set(&a.Subscriber, in.Subscriber)
		if a.Name == before.Name && a.Cooperator == before.Cooperator && a.Subscriber == before.Subscriber {
			return nil
		}
		if err := accounts.Save(tx, a); err != nil {
			return err
		}
		return d.note(tx, by, "member.change", id, fmt.Sprintf("cooperator %v, subscriber %v", a.Cooperator, a.Subscriber))
	})
	if err != nil {
		return Person{}, err
	}
	return d.Person(ctx, by, in.ID)
}

func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

// Nothing is the answer of what has no answer.
type Nothing struct{}

// Approve opens an account that waits.
func (d *Desk) Approve(_ context.Context, by people.Actor, in ID) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, now time.Time) error {
		return people.Approve(tx, storage.AccountID(in.ID), by, now)
	})
}

// DeletePersonIn repeats the address, so that nobody is deleted by a slip.
type DeletePersonIn struct {
	ID
	Address string `query:"address"`
}

// DeletePerson deletes somebody with everything they have.
func (d *Desk) DeletePerson(ctx context.Context, by people.Actor, in DeletePersonIn) (Nothing, error) {
	p, err := d.Person(ctx, by, in.ID)
	switch {
	case err != nil:
		return Nothing{}, err
	case !strings.EqualFold(p.Address, strings.TrimSpace(in.Address)):
		return Nothing{}, fmt.Errorf("the address to confirm is not that of account %d: %w", in.ID.ID, storage.ErrInvalid)
	case p.Admin:
		return Nothing{}, fmt.Errorf("%s is an administrator: %w", p.Address, storage.ErrConflict)
	}
	return Nothing{}, people.Delete(ctx, d.DB, storage.AccountID(in.ID.ID), by, d.Now())
}

// RecoveryOut are codes for somebody who lost theirs.
type RecoveryOut struct {
	Codes []string `json:"codes"`
}

// AllowRecovery makes new recovery codes for somebody who lost password and
// codes, after a person has looked who it is. They are shown once.
func (d *Desk) AllowRecovery(_ context.Context, by people.Actor, in ID) (out RecoveryOut, err error) {
	err = d.change(func(tx *storage.Tx, now time.Time) (err error) {
		out.Codes, err = people.Recover(tx, storage.AccountID(in.ID), by, now)
		return err
	})
	return out, err
}

// AddressIn names an address of somebody.
type AddressIn struct {
	ID
	Address string `json:"address" query:"address"`
}

// AddAddress gives somebody, or a group, another address.
func (d *Desk) AddAddress(_ context.Context, by people.Actor, in AddressIn) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		id := storage.AccountID(in.ID.ID)
		if _, err := accounts.Get(tx, id); err != nil {
			return err
		}
		if err := accounts.AddAddress(tx, in.Address, id); err != nil {
			return err
		}
		return d.note(tx, by, "address.add", id, in.Address)
	})
}

// RemoveAddress takes one away; the primary one stays.
func (d *Desk) RemoveAddress(_ context.Context, by people.Actor, in AddressIn) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		a, err := accounts.Lookup(tx, in.Address)
		if err != nil {
			return err
		}
		if a.ID != storage.AccountID(in.ID.ID) {
			return fmt.Errorf("address %s: %w", in.Address, storage.ErrNotFound)
		}
		if err := accounts.RemoveAddress(tx, in.Address); err != nil {
			return err
		}
		return d.note(tx, by, "address.remove", a.ID, in.Address)
	})
}
