package queue

import (
	"cmp"
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

// How much is tried in one attempt.
const (
	maxTargets   = 8
	maxAddresses = 3 // of one host
)

// targets finds where mail for domain goes (RFC 5321 §5.1): its MX hosts by
// preference, equals in random order, or its own address when it has none; an
// address literal is its own host. self is our name.
func targets(ctx context.Context, r Resolver, self, domain string) ([]target, error) {
	if strings.HasPrefix(domain, "[") {
		return literal(domain)
	}
	hosts, err := mxHosts(ctx, r, self, domain)
	if err != nil {
		return nil, err
	}
	var out []target
	var failed error
	for _, h := range hosts {
		ips, err := r.LookupNetIP(ctx, "ip", h)
		if err != nil {
			failed = err
		}
		for _, ip := range alternate(ips) {
			if ours(ip) {
				failed = permanent{"5.4.6", fmt.Sprintf("%s points its mail at %s", domain, ip)}
				continue
			}
			out = append(out, target{h, net.JoinHostPort(ip.String(), "25")})
		}
	}
	if len(out) > 0 {
		return out[:min(len(out), maxTargets)], nil
	}
	if notFound(failed) && len(hosts) == 1 && hosts[0] == domain {
		return nil, permanent{"5.1.2", fmt.Sprintf("the domain %s does not exist or takes no mail", domain)}
	}
	return nil, fmt.Errorf("no address for the mail hosts of %s: %w", domain, cmp.Or(failed, errors.New("there is none")))
}

// alternate returns the first addresses of a host, of each kind in turn. IPv4 is
// first: an IPv6 address of ours is more often one without a name, for which the
// large hosts refuse a message for good.
func alternate(ips []netip.Addr) (out []netip.Addr) {
	var kinds [2][]netip.Addr
	for _, ip := range ips {
		k := 0
		if ip = ip.Unmap(); ip.Is6() {
			k = 1
		}
		kinds[k] = append(kinds[k], ip)
	}
	for i := range max(len(kinds[0]), len(kinds[1])) {
		for _, k := range kinds {
			if i < len(k) && len(out) < maxAddresses {
				out = append(out, k[i])
			}
		}
	}
	return out
}

// ours reports an address that leads to ourselves: a domain that points its mail
// at our own loopback wants a loop.
func ours(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast()
}

// literal reads [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 §4.1.3).
func literal(domain string) ([]target, error) {
	text := strings.Trim(domain, "[]")
	if v6, ok := strings.CutPrefix(strings.ToLower(text), "ipv6:"); ok {
		text = v6
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ours(ip.Unmap()) || ip.Zone() != "" {
		return nil, permanent{"5.1.2", domain + " is no address of a mail host"}
	}
	return []target{{domain, net.JoinHostPort(ip.Unmap().String(), "25")}}, nil
}

func mxHosts(ctx context.Context, r Resolver, self, domain string) ([]string, error) {
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
	mxs = slices.Clone(mxs) // a resolver may keep what it has answered
	rand.Shuffle(len(mxs), func(i, j int) { mxs[i], mxs[j] = mxs[j], mxs[i] })
	slices.SortStableFunc(mxs, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	limit := -1 // our own preference: who is not better sends it to us (RFC 5321 §5.1)
	for _, mx := range mxs {
		if strings.EqualFold(strings.TrimSuffix(mx.Host, "."), self) {
			limit = int(mx.Pref)
		}
	}
	var hosts []string
	for _, mx := range mxs {
		if limit < 0 || int(mx.Pref) < limit {
			hosts = append(hosts, strings.TrimSuffix(mx.Host, "."))
		}
	}
	if len(hosts) == 0 {
		return nil, permanent{"5.4.6", fmt.Sprintf("the mail host of %s is this one, which does not know the domain", domain)}
	}
	return hosts, nil
}

func notFound(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
