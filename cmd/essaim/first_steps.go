package main

import (
	"context"
	"net"
	"net/netip"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/portal"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// site is what a domain must publish for this machine.
func (a *App) site(domain string) zone.Site {
	s := zone.Site{Domain: domain, Host: a.cfg.Hostname, Addresses: a.cfg.publicAddresses(), PolicyID: a.cfg.sts().ID(), PolicyOff: a.cfg.sts() == portal.STSNone, Relay: a.cfg.RelaySPF}
	if host, _, err := net.SplitHostPort(a.cfg.Relay); err == nil {
		s.RelayHost = host
	}
	if a.leaf != nil && !a.provisional() { // a throwaway's key goes with it
		s.Leaf = a.leaf()
	}
	if a.cfg.TLS.ACME && a.cfg.TLS.Directory == "" {
		s.Authority = "letsencrypt.org"
	}
	return s
}

// publicAddresses are the configured ones; else those that the listeners are
// bound to, where they are bound to any in particular; else those that the
// kernel's routes give.
func (c *Config) publicAddresses() (out []netip.Addr) {
	for _, text := range c.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, listen := range c.Listen.SMTP {
		ap, err := netip.ParseAddrPort(listen)
		if err != nil || ap.Addr().IsUnspecified() {
			return zone.RoutedAddresses()
		}
		out = append(out, ap.Addr())
	}
	return out
}

// done is what the house has done for a domain by itself. Who asks may just have
// published the names that certificates wait for.
func (a *App) done(domain string) []admin.Health {
	if a.acme != nil {
		a.acme.Nudge()
	}
	out := []admin.Health{a.storeHealth(), {What: "domain", State: admin.Well, Value: domain}}
	reader := admin.Health{What: "postmaster", State: admin.Bad, Value: "-"}
	_ = a.db.View(func(tx *storage.Tx) error { // a failing disk shows in the store's line
		if m, err := accounts.Lookup(tx, "postmaster@"+domain); err == nil { // RFC 5321 §4.5.1
			reader.State, reader.Value = admin.Well, m.Address
		}
		return nil
	})
	out = append(out, reader)
	if a.leaf != nil {
		out = append(out, a.certificateHealth(time.Now()))
	}
	sts := admin.Health{What: "sts", State: admin.Look, Value: string(a.cfg.sts())}
	if a.cfg.sts() == portal.STSEnforce {
		sts.State = admin.Well
	}
	out = append(out, sts)
	if a.cfg.Relay != "" {
		out = append(out, admin.Health{What: "relay", State: admin.Well, Value: a.cfg.Relay})
	}
	return out
}

// wellKnown are domains whose mail hosts members write to anyway; that one of
// them can be reached tells that port 25 is open.
var wellKnown = []string{"gmail.com", "outlook.com", "proximus.be"}

func systemResolver() (zone.Resolver, error) { return zone.SystemResolver() }

func outbound(ctx context.Context, r zone.Resolver) error {
	var d net.Dialer
	return zone.Outbound(ctx, r, d.DialContext, wellKnown)
}
