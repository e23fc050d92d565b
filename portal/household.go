package portal

import (
	"errors"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
)

type householdData struct {
	register.Household
	Reference   string
	Accounts    []accounts.Account
	Used, Limit int64
	Places      bool // another account may join
	Late        bool
	Link        string // of the invitation just made
	Until       time.Time
}

// invitationTime is how long a link for the household is good.
const invitationTime = 14 * 24 * time.Hour

func (p *Portal) household(x *page.Request) (d householdData, err error) {
	err = p.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err != nil {
			return err
		}
		if d.Household, err = register.Get(tx, a.Household); err != nil {
			return err
		}
		d.Accounts, err = people.Household(tx, a.Household)
		d.Used, d.Limit = tx.Quota(a.Household)
		return err
	})
	d.Reference = register.Structured(d.Household.Reference)
	d.Places = d.Size == 0 || len(d.Accounts) < d.Size
	d.Late = d.Household.Late(p.Now())
	return d, err
}

func (p *Portal) householdPage(x *page.Request) error {
	d, err := p.household(x)
	if err != nil {
		return err
	}
	return x.Page("household", "household.title", d)
}

// inviteHome makes a link by which one more person joins the household.
func (p *Portal) inviteHome(x *page.Request) error {
	d, err := p.household(x)
	if err != nil {
		return err
	}
	now := p.Now()
	var code string
	err = p.DB.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err != nil {
			return err
		}
		if !d.Places || a.Suspended {
			return people.ErrFull
		}
		open := 0
		register.Invitations(tx, func(i register.Invitation) bool {
			if i.Household == a.Household && i.Expires.After(now) {
				open++
			}
			return true
		})
		if open >= 10 {
			return page.Problem{Word: "household.many"}
		}
		_, domain := split(a.Address)
		code, err = register.Invite(tx, register.Invitation{Household: a.Household, Domain: domain, Language: a.Language,
			Subscriber: a.Subscriber, Uses: 1, Expires: now.Add(invitationTime), By: a.ID}, now)
		if err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: a.ID, About: a.ID, Did: "invitation.add", Client: client(x).String()})
	})
	if errors.Is(err, people.ErrFull) {
		err = page.Problem{Word: "join.full", Err: err}
	}
	if err != nil {
		return x.Again("household", "household.title", d, err)
	}
	d.Link, d.Until = p.joinLink(code), now.Add(invitationTime)
	return x.Page("household", "household.title", d)
}
