package main

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

type domainCmd struct {
	Add    domainAdd    `cmd:"" help:"Receive mail for a domain."`
	Remove domainRemove `cmd:"" help:"Stop receiving mail for a domain that has no addresses."`
	List   domainList   `cmd:"" help:"List the domains."`
}

type domainAdd struct {
	Name     string `arg:"" help:"The domain."`
	CatchAll string `help:"Address that gets what fits no other." placeholder:"ADDRESS"`
	AliasOf  string `help:"Domain whose addresses are good in this one, too." placeholder:"DOMAIN"`
}

func (c *domainAdd) Run(e *env) error {
	return e.onStore(update("domain "+c.Name, func(tx *storage.Tx, now time.Time) error {
		if err := accounts.AddDomain(tx, c.Name, c.CatchAll); err != nil || c.AliasOf == "" {
			return err
		}
		name, err := accounts.NormalizeDomain(c.Name)
		if err != nil {
			return err
		}
		return accounts.SetDomain(tx, accounts.Domain{Name: name, CatchAll: c.CatchAll, AliasOf: c.AliasOf, Created: now})
	}))
}

type domainRemove struct {
	Name string `arg:"" help:"The domain."`
}

func (c *domainRemove) Run(e *env) error {
	return e.onStore(update("domain "+c.Name, func(tx *storage.Tx, _ time.Time) error {
		return accounts.RemoveDomain(tx, c.Name)
	}))
}

type domainList struct{}

func (domainList) Run(e *env) error {
	return e.onStore(view("domains", func(tx *storage.Tx, out io.Writer) error {
		domains, err := accounts.Domains(tx)
		for _, d := range domains {
			fmt.Fprintf(out, "%s\tcatch-all %s\talias of %s\n", d.Name, dash(d.CatchAll), dash(d.AliasOf))
		}
		return err
	}))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
