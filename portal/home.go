package portal

import (
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

type homeData struct {
	Address       string
	Used, Limit   int64
	Percent       int
	Devices       int
	Leaving       time.Time
	Suspended     bool
	RecoveryCodes int
	Late          bool
	Paid          time.Time
	Reference     string
}

func (p *Portal) home(x *page.Request) error {
	var d homeData
	err := p.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err != nil {
			return err
		}
		h, err := register.Get(tx, a.Household)
		if err != nil {
			return err
		}
		d = homeData{Address: a.Address, Devices: len(accounts.AppPasswords(tx, a.ID)), Leaving: a.Leaving, Suspended: a.Suspended,
			RecoveryCodes: signin.RecoveryCodesLeft(tx, a.ID), Late: h.Late(p.Now()), Paid: h.Paid, Reference: register.Structured(h.Reference)}
		d.Used, d.Limit = tx.Quota(a.Household)
		return nil
	})
	if err != nil {
		return err
	}
	if d.Limit > 0 {
		d.Percent = int(d.Used * 100 / d.Limit)
	}
	return x.Page("home", "home.title", d)
}
