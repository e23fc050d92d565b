package admin

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
)

// An Invitation is one that is open.
type Invitation struct {
	ID         string    `json:"id"`
	Note       string    `json:"note,omitempty"`
	Domain     string    `json:"domain"`
	Language   string    `json:"language"`
	Quota      int64     `json:"quota"`
	Size       int       `json:"size"`
	Cooperator bool      `json:"cooperator"`
	Subscriber bool      `json:"subscriber"`
	Approve    bool      `json:"approve"`
	Uses       int       `json:"uses"`
	Expires    time.Time `json:"expires"`
	Link       string    `json:"link,omitempty"` // only in the answer that makes it
}

// Invitations lists those that can still be taken, the newest first.
func (d *Desk) Invitations(context.Context, people.Actor, Nothing) (out []Invitation, err error) {
	now := d.Now()
	var list []register.Invitation
	err = d.DB.View(func(tx *storage.Tx) error {
		register.Invitations(tx, func(i register.Invitation) bool {
			if i.Expires.After(now) && i.Household == 0 {
				list = append(list, i)
			}
			return true
		})
		return nil
	})
	slices.SortFunc(list, func(x, y register.Invitation) int { return y.Created.Compare(x.Created) })
	for _, i := range list[:min(len(list), mostRows)] {
		out = append(out, shown(i))
	}
	return out, err
}

func shown(i register.Invitation) Invitation {
	return Invitation{ID: i.ID, Note: i.Note, Domain: i.Domain, Language: i.Language, Quota: i.Quota, Size: i.Size, Cooperator: i.Cooperator,
		Subscriber: i.Subscriber, Approve: i.Approve, Uses: i.Uses, Expires: i.Expires}
}

// InviteIn says what an invitation offers. Days 0 is two weeks, uses 0 is one.
type InviteIn struct {
	Note       string `json:"note,omitempty"`
	Domain     string `json:"domain,omitempty"` // empty is the cooperative's own
	Language   string `json:"language,omitempty"`
	Quota      int64  `json:"quota,omitempty"` // bytes; 0 is what the cooperative offers
	Size       int    `json:"size,omitempty"`
	Cooperator bool   `json:"cooperator,omitempty"`
	Subscriber bool   `json:"subscriber,omitempty"`
	Approve    bool   `json:"approve,omitempty"`
	Uses       int    `json:"uses,omitempty"`
	Days       int    `json:"days,omitempty"`
}

// Invite makes an invitation and its link, which is shown once.
func (d *Desk) Invite(_ context.Context, by people.Actor, in InviteIn) (out Invitation, err error) {
	in.Uses, in.Days = cmp.Or(in.Uses, 1), cmp.Or(in.Days, 14)
	err = d.change(func(tx *storage.Tx, now time.Time) error {
		coop, err := register.TheCoop(tx)
		if err != nil {
			return err
		}
		i := register.Invitation{Note: in.Note, Domain: in.Domain, Language: in.Language, Quota: in.Quota, Size: in.Size, Cooperator: in.Cooperator,
			Subscriber: in.Subscriber, Approve: in.Approve, Uses: in.Uses, Expires: now.AddDate(0, 0, in.Days), By: by.Account}
		if i.Domain == "" {
			i.Domain = coop.Domain
		}
		if i.Quota == 0 {
			i.Quota = coop.Quota
		}
		if !accounts.LocalDomain(tx, i.Domain) {
			return storage.ErrInvalid
		}
		code, err := register.Invite(tx, i, now)
		if err != nil {
			return err
		}
		if i, err = register.Invited(tx, code, now); err != nil {
			return err
		}
		out = shown(i)
		out.Link = d.Origin + "/join/" + url.PathEscape(code)
		return d.note(tx, by, "invitation.add", 0, in.Note)
	})
	return out, err
}

// InvitationID names an invitation.
type InvitationID struct {
	ID string `path:"id" json:"-"`
}

// Withdraw takes an invitation back.
func (d *Desk) Withdraw(_ context.Context, by people.Actor, in InvitationID) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		if err := register.Withdraw(tx, in.ID); err != nil {
			return err
		}
		return d.note(tx, by, "invitation.remove", 0, "")
	})
}
