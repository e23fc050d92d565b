package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"essaim.coop/essaim/storage"

	"github.com/coreos/go-systemd/v22/daemon"
)

// listen opens the addresses of a service, or takes the sockets that the
// service manager opened for it. Multipath TCP is off: a sandbox's rule for
// binding TCP ports does not cover it.
func (s *service) listen(ctx context.Context, inherited []net.Listener) ([]net.Listener, error) {
	if len(inherited) > 0 {
		return inherited, nil
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	var out []net.Listener
	for _, addr := range s.addresses {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		out = append(out, ln)
	}
	return out, nil
}

// wellKnownPorts say what a socket of the service manager is for, when its name
// does not.
var wellKnownPorts = map[int]string{25: "smtp", 587: "submission", 465: "submissions", 143: "imap", 993: "imaps", 443: "https", 80: "http", 24: "lmtp"}

// byService sorts inherited sockets by what they are for: by their name or, as
// one unit gives all its sockets one name, by their port.
func byService(named map[string][]net.Listener) map[string][]net.Listener {
	out := map[string][]net.Listener{}
	for name, list := range named {
		for _, ln := range list {
			is := name
			if at, ok := ln.Addr().(*net.TCPAddr); ok && !isService(name) {
				is = wellKnownPorts[at.Port]
			}
			out[is] = append(out[is], ln)
		}
	}
	return out
}

func isService(name string) bool {
	for _, s := range wellKnownPorts {
		if s == name {
			return true
		}
	}
	return name == "metrics"
}

// watchdog tells the service manager twice within the time it allows that the
// store still answers; without a manager that asks for it, there is nothing to
// do.
func (a *App) watchdog(ctx context.Context) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil || within == 0 {
		return
	}
	for ctx.Err() == nil {
		if err := a.db.View(func(*storage.Tx) error { return nil }); err == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
		sleepUntil(ctx, time.Now().Add(within/2))
	}
}
