package main

import (
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"essaim.coop/essaim/internal/landlock"
)

// Always readable: who vouches for certificates, the time zones, the resolver
// and what it is asked, the types of files. Resolver files are replaced rather
// than written, so their folders are named.
var readable = []string{"/etc", "/run/systemd/resolve", "/run/resolvconf", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
	"/usr/share/zoneinfo", "/usr/share/mime", "/sys/fs/cgroup"}

// reachable are the TCP ports that the server connects to by itself: SMTP, DNS,
// HTTP, and submission at a relay.
var reachable = []uint16{25, 53, 80, 443, 465, 587}

// confine gives up, once everything listens, what a server does not need: it
// executes nothing, writes to its data and the place of its backups only, and
// binds no port any more. What the kernel or the build cannot do is noted and
// no reason to stop.
func (a *App) confine(config string) error {
	n := landlock.Need{Write: []string{a.cfg.Data, "/dev/null"}, Read: append([]string{filepath.Dir(config)}, readable...), Connect: reachable}
	if a.cfg.Backup != "" {
		n.Write = append(n.Write, a.cfg.Backup)
	}
	for _, file := range []string{a.cfg.TLS.Cert, a.cfg.TLS.Key} {
		if file == "" {
			continue
		}
		n.Read = append(n.Read, filepath.Dir(file))
		if real, err := filepath.EvalSymlinks(file); err == nil { // what renews certificates changes links
			n.Read = append(n.Read, filepath.Dir(real))
		}
	}
	n.Connect = append(n.Connect, a.cfg.portsElsewhere()...)
	version, err := landlock.Restrict(n)
	if errors.Is(err, landlock.ErrUnsupported) {
		a.log.Info("not confined", "why", err)
		return nil
	}
	if err == nil {
		a.log.Info("confined", "landlock", version)
	}
	return err
}

// portsElsewhere are the ports of other hosts that the configuration names.
func (c *Config) portsElsewhere() (out []uint16) {
	addresses := []string{c.Relay}
	for _, to := range c.Routes {
		addresses = append(addresses, to)
	}
	if u, err := url.Parse(c.TLS.Directory); err == nil && u.Port() != "" {
		addresses = append(addresses, u.Host)
	}
	for _, address := range addresses {
		if _, port, err := net.SplitHostPort(address); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				out = append(out, uint16(n))
			}
		}
	}
	return out
}
