package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A Shared is one thing that a group shares (people.Shared).
type Shared struct {
	Collection uint32        `json:"collection"`
	Item       uint32        `json:"item"` // of a folder in a tree of files; 0 is the whole
	Kind       string        `json:"kind"` // mailbox, folder, calendar, addressbook
	Name       string        `json:"name"`
	Standard   bool          `json:"standard"` // what every group has, as long as there is the group
	Group      uint32        `json:"group"`
	Owner      string        `json:"owner"` // the group's address
	Items      int64         `json:"items"`
	Bytes      int64         `json:"bytes"`
	Changed    time.Time     `json:"changed,omitzero"` // of mail, when the newest arrived
	Rights     []SharedRight `json:"rights,omitempty"` // beside those of the group's members, who can write
}

// A SharedRight is what somebody was given. Rights is read, write or manage, or
// other for what a program has set.
type SharedRight struct {
	Address string `json:"address"`
	Rights  string `json:"rights"`
	Letters string `json:"letters"` // of RFC 4314
}

// SharedIn asks for what groups share; From counts groups.
type SharedIn struct {
	Group uint32 `query:"group"` // of one only
	From
}

// A SharedGroup is a group with what it shares.
type SharedGroup struct {
	ID      uint32   `json:"id"`
	Address string   `json:"address"`
	Name    string   `json:"name"`
	Members int      `json:"members"` // who can write in all of it
	Used    int64    `json:"used"`
	Quota   int64    `json:"quota"`
	Shares  []Shared `json:"shares"`
}

// Shared lists what groups share.
func (d *Desk) Shared(_ context.Context, _ people.Actor, in SharedIn) (out []SharedGroup, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		list, err := groups(tx)
		if in.Group != 0 {
			list = slices.DeleteFunc(list, func(g accounts.Account) bool { return uint32(g.ID) != in.Group })
		}
		for _, g := range part(list, in.From) {
			s := SharedGroup{ID: uint32(g.ID), Address: g.Address, Name: g.Name, Members: len(accounts.Members(tx, g.ID))}
			s.Used, s.Quota = tx.Quota(g.Household)
			shares, err := people.SharedBy(tx, g)
			if err != nil {
				return err
			}
			for _, one := range shares {
				s.Shares = append(s.Shares, sharedOf(tx, one))
			}
			out = append(out, s)
		}
		return err
	})
	return out, err
}

// SharedID names one thing that a group shares.
type SharedID struct {
	Collection uint32 `path:"collection" json:"-"`
	Item       uint32 `path:"item" json:"-"`
}

func (id SharedID) object() storage.Object {
	return storage.Object{Collection: storage.CollectionID(id.Collection), Item: storage.ItemID(id.Item)}
}

// OneShared returns it.
func (d *Desk) OneShared(_ context.Context, _ people.Actor, in SharedID) (out Shared, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		s, err := people.FindShared(tx, in.object())
		out = sharedOf(tx, s)
		return err
	})
	return out, err
}

// ShareIn says what to make.
type ShareIn struct {
	Group uint32 `json:"group"`
	Kind  string `json:"kind"` // mailbox, folder, calendar, addressbook
	Name  string `json:"name"`
}

// Share makes one for a group.
func (d *Desk) Share(_ context.Context, by people.Actor, in ShareIn) (out Shared, err error) {
	err = d.change(func(tx *storage.Tx, now time.Time) error {
		s, err := people.Share(tx, storage.AccountID(in.Group), people.ShareKind(in.Kind), in.Name, by, now)
		out = sharedOf(tx, s)
		return err
	})
	return out, err
}

// RightsIn gives somebody rights in words: read, write, manage, or none.
type RightsIn struct {
	SharedID
	Member string `json:"member"` // the address of a member or of a group
	Rights string `json:"rights"`
}

// GiveRights gives a member, or all of another group, rights in place of those
// they had. Who is in the group that it belongs to can write already.
func (d *Desk) GiveRights(_ context.Context, by people.Actor, in RightsIn) (Nothing, error) {
	r, known := rightWords[in.Rights]
	if !known {
		return Nothing{}, fmt.Errorf("rights %.20q: %w", in.Rights, storage.ErrInvalid)
	}
	return Nothing{}, d.change(func(tx *storage.Tx, now time.Time) error {
		if _, err := people.FindShared(tx, in.object()); err != nil {
			return err
		}
		a, err := accounts.Lookup(tx, in.Member)
		if err != nil {
			return page.Problem{Word: "shared.nobody", Args: []any{in.Member}, Err: fmt.Errorf("%.320q has no account: %w", in.Member, storage.ErrInvalid)}
		}
		err = people.GiveRights(tx, in.object(), a.ID, r, in.Rights, by, now)
		if errors.Is(err, people.ErrInGroup) {
			return page.Problem{Word: "shared.already", Args: []any{a.Address}, Err: err}
		}
		return err
	})
}

// RemoveSharedIn names what to remove. What is not empty needs both of the
// others.
type RemoveSharedIn struct {
	SharedID
	Contents bool   `query:"contents"` // with all that is in it
	Name     string `query:"name"`     // its name once more
}

// RemoveShared removes it: what is not empty when that is said, and its name.
func (d *Desk) RemoveShared(_ context.Context, by people.Actor, in RemoveSharedIn) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, now time.Time) error {
		s, err := people.FindShared(tx, in.object())
		if err == nil {
			err = people.Unshare(tx, s.Object, in.Contents && strings.TrimSpace(in.Name) == strings.TrimSpace(s.Name), by, now)
		}
		switch {
		case errors.Is(err, people.ErrStandard):
			return page.Problem{Word: "shared.standard", Err: err}
		case errors.Is(err, people.ErrNotEmpty):
			return page.Problem{Word: "shared.notempty", Args: []any{int(s.Items)}, Err: err}
		}
		return err
	})
}
