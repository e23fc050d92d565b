package main

import (
	"context"
	"errors"
	"io"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
)

type dnsCmd struct {
	Domain   string `arg:"" optional:"" help:"The domain; the cooperative's first when not given."`
	Check    bool   `help:"Look how the world sees it, port 25 and reverse DNS too, and say what is left to do. Exit status 1: something required."`
	Language string `enum:"fr,nl,en" default:"en" help:"Of the lists and of the letter to the provider: fr, nl or en."`
}

var errNotReady = errors.New("something required is not there yet")

// Run prints the zone to copy to the registrar or, with --check, three lists.
func (c *dnsCmd) Run(e *env) error {
	return e.onStore(func(ctx context.Context, a *App, out io.Writer) error {
		s, err := a.desk().Start(ctx, people.Actor{}, admin.StartIn{Domain: c.Domain, Check: c.Check, Language: c.Language})
		if err != nil {
			return problem("domain "+c.Domain, err)
		}
		if !c.Check {
			_, err = io.WriteString(out, s.Zone)
			return err
		}
		if err := s.Print(out, page.Lang(c.Language)); err != nil {
			return err
		}
		if !s.Ready() {
			return errNotReady
		}
		return nil
	})
}
