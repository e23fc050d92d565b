package zone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Reverse returns what whoever lends the addresses must publish: names that
// lead back (RFC 1912 §2.1). Many hosts refuse mail without them.
func (s Site) Reverse() (out []Record) {
	for _, a := range s.Addresses {
		if name, err := dns.ReverseAddr(a.Unmap().String()); err == nil {
			out = append(out, Record{strings.TrimSuffix(name, "."), "PTR", s.Host + ".", "reverse", s.RelayHost == ""})
		}
	}
	return out
}

// A Dial opens a connection, as net.Dialer.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// dialTime bounds one connection of Outbound.
const dialTime = 5 * time.Second

// Outbound reports whether port 25 is open to the world: nil once a connection
// to a mail host of one of the domains stands. Nothing is said on it.
func Outbound(ctx context.Context, r Resolver, dial Dial, domains []string) error {
	var failed []error
	for _, d := range domains {
		found, err := r.Lookup(ctx, d, "MX")
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s has no MX", d)
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, dialTime)
		conn, err := dial(attempt, "tcp", net.JoinHostPort(strings.TrimSuffix(lastField(found[0]), "."), "25"))
		cancel()
		if err == nil {
			return conn.Close()
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// RoutedAddresses are the addresses this machine speaks to the world from, by
// the kernel's routes; nobody is asked and nothing is sent. Behind an address
// translation they are private, and left out.
func RoutedAddresses() (out []netip.Addr) {
	// Connecting a UDP socket looks the route up; the destinations are set aside
	// for documentation (RFC 5737, RFC 3849).
	for network, towards := range map[string]string{"udp4": "192.0.2.1:9", "udp6": "[2001:db8::1]:9"} {
		conn, err := net.Dial(network, towards)
		if err != nil {
			continue
		}
		from := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
		conn.Close()
		if public(from) {
			out = append(out, from)
		}
	}
	if len(out) == 2 && out[0].Is6() {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// sharedSpace is what carriers translate (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}
