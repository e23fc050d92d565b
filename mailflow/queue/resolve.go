package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A Resolver answers DNS questions; *net.Resolver is one.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A target is one address of one host to try.
type target struct {
	host string
	addr string // ip:port
}

// A permanent error is one that waiting will not mend.
type permanent struct {
	code string // enhanced status code, RFC 3463
	text string
}

func (p permanent) Error() string { return p.text }

const maxTargets = 8 // addresses tried in one attempt

// targets finds where mail for domain goes (RFC 5321 §5.1): its MX hosts by
// preference, equals in random order, or its own address when it has none.
func targets(ctx context.Context, r Resolver, domain string) ([]target, error) {
	hosts, err := mxHosts(ctx, r, domain)
	if err != nil {
		return nil, err
	}
	var out []target
	var failed error
	for _, h := range hosts {
		ips, err := r.LookupNetIP(ctx, "ip", h)
		if err != nil {
			failed = err
			continue
		}
		for _, ip := range ips {
			// A domain that points its mail at our own loopback wants a loop.
			if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() {
				failed = permanent{"5.4.6", fmt.Sprintf("%s points its mail at %s", domain, ip)}
				continue
			}
			out = append(out, target{h, net.JoinHostPort(ip.String(), "25")})
		}
	}
	if len(out) == 0 {
		if notFound(failed) && len(hosts) == 1 && hosts[0] == domain {
			return nil, permanent{"5.1.2", fmt.Sprintf("the domain %s does not exist or takes no mail", domain)}
		}
		return nil, fmt.Errorf("no address for the mail hosts of %s: %w", domain, failed)
	}
	return out[:min(len(out), maxTargets)], nil
}

func mxHosts(ctx context.Context, r Resolver, domain string) ([]string, error) {
	mxs, err := r.LookupMX(ctx, domain)
	if len(mxs) == 0 {
		if err == nil || notFound(err) {
			return []string{domain}, nil // the implicit MX
		}
		return nil, fmt.Errorf("MX of %s: %w", domain, err)
	}
	if len(mxs) == 1 && (mxs[0].Host == "." || mxs[0].Host == "") { // RFC 7505 §3
		return nil, permanent{"5.1.10", fmt.Sprintf("the domain %s says that it takes no mail", domain)}
	}
	rand.Shuffle(len(mxs), func(i, j int) { mxs[i], mxs[j] = mxs[j], mxs[i] })
	slices.SortStableFunc(mxs, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	var hosts []string
	for _, mx := range mxs {
		hosts = append(hosts, strings.TrimSuffix(mx.Host, "."))
	}
	return hosts, nil
}

func notFound(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
