package portal

import (
	"errors"
	"slices"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
)

// maxAddresses is how many a member can take without asking anybody.
const maxAddresses = 5

type addressForm struct {
	Primary string
	Others  []string
	Domains []string
	Local   string
	Domain  string
}

func (p *Portal) addressForm(x *page.Request) (f addressForm, err error) {
	f.Local, f.Domain = x.Form("local"), x.Form("domain")
	err = p.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err != nil {
			return err
		}
		f.Primary = a.Address
		for _, addr := range accounts.Addresses(tx, a.ID) {
			if addr != a.Address {
				f.Others = append(f.Others, addr)
			}
		}
		domains, err := accounts.Domains(tx)
		for _, d := range domains {
			if d.AliasOf == "" {
				f.Domains = append(f.Domains, d.Name)
			}
		}
		return err
	})
	return f, err
}

func (p *Portal) addressesPage(x *page.Request) error {
	form, err := p.addressForm(x)
	if err != nil {
		return err
	}
	return x.Page("addresses", "addresses.title", form)
}

func (p *Portal) addAddress(x *page.Request) error {
	form, err := p.addressForm(x)
	if err != nil {
		return err
	}
	if !slices.Contains(form.Domains, form.Domain) {
		return x.Again("addresses", "addresses.title", form, page.Problem{Word: "join.invalid"})
	}
	address, now := form.Local+"@"+form.Domain, p.Now()
	err = p.DB.Update(func(tx *storage.Tx) error {
		if len(accounts.Addresses(tx, me(x))) > maxAddresses {
			return page.Problem{Word: "addresses.many", Args: []any{maxAddresses}}
		}
		if reserved(form.Local) {
			return storage.ErrConflict
		}
		if err := accounts.AddAddress(tx, address, me(x)); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: me(x), About: me(x), Did: "address.add", Detail: address, Client: client(x).String()})
	})
	switch {
	case errors.Is(err, storage.ErrConflict):
		err = page.Problem{Word: "join.taken", Args: []any{address}, Err: err}
	case errors.Is(err, storage.ErrInvalid), errors.Is(err, storage.ErrNotFound):
		err = page.Problem{Word: "join.invalid", Err: err}
	}
	if err != nil {
		return x.Again("addresses", "addresses.title", form, err)
	}
	x.Redirect("/addresses?done=added")
	return nil
}

// reserved names belong to the cooperative: mail programs, certificate
// authorities and people trust who answers there (RFC 2142).
func reserved(local string) bool {
	return slices.Contains([]string{"postmaster", "abuse", "hostmaster", "webmaster", "admin", "administrator", "security", "root", "mailer-daemon", "noreply", "no-reply"},
		strings.ToLower(local))
}

func (p *Portal) removeAddress(x *page.Request) error {
	address, now := x.Form("address"), p.Now()
	err := p.DB.Update(func(tx *storage.Tx) error {
		a, err := accounts.Lookup(tx, address)
		if err != nil || a.ID != me(x) {
			return nil //nolint:nilerr // not theirs, or gone already: the page shows what there is
		}
		if err := accounts.RemoveAddress(tx, address); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: me(x), About: me(x), Did: "address.remove", Detail: address, Client: client(x).String()})
	})
	if errors.Is(err, storage.ErrConflict) {
		err = page.Problem{Word: "addresses.primary", Err: err}
	}
	if err != nil {
		return err
	}
	x.Redirect("/addresses?done=removed")
	return nil
}
