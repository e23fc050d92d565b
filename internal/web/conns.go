package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"essaim.coop/essaim/internal/trace"
)

// A counter keeps how many connections are open, in all and of each network.
type counter struct {
	mu          sync.Mutex
	total, each int
	count       int
	open        map[netip.Prefix]int
}

// add counts a connection and reports whether it may stay. One that may not is
// counted until it is closed all the same.
func (c *counter) add(p netip.Prefix, trusted bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.open[p]++
	return c.count <= c.total && (trusted || c.open[p] <= c.each)
}

func (c *counter) done(p netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	if c.open[p]--; c.open[p] <= 0 {
		delete(c.open, p)
	}
}

// network is what counts as one client: an address, or the /64 that a home or a
// machine has of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

func addrOf(hostport string) netip.Addr {
	ap, _ := netip.ParseAddrPort(hostport)
	return ap.Addr().Unmap().WithZone("")
}

func (s *Server) connState(c net.Conn, state http.ConnState) {
	switch state { // most changes are those between two requests
	case http.StateNew:
		a := addrOf(c.RemoteAddr().String())
		s.Counters.Accepted.Add(1)
		s.Counters.Open.Add(1)
		if !s.conns.add(network(a), s.Trusted(a) || s.proxy(a)) {
			s.Counters.Refused.Add(1)
			s.Log.Debug("refused", "reason", "too many connections", "address", a)
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		a := addrOf(c.RemoteAddr().String())
		s.Counters.Open.Add(-1)
		s.conns.done(network(a))
	}
}

type connKey struct{}

// A connection numbers its requests within its trace.
type connection struct {
	trace    *trace.Trace // may be nil
	peer     netip.Addr
	requests atomic.Int64
}

func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	conn := &connection{peer: addrOf(c.RemoteAddr().String())}
	if s.NewTrace != nil {
		conn.trace = s.NewTrace(c.RemoteAddr().String())
	}
	return context.WithValue(ctx, connKey{}, conn)
}

func (s *Server) proxy(a netip.Addr) bool {
	for _, p := range s.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client returns who asks: the peer, or whom the proxies say they ask for. Of
// X-Forwarded-For only what our own proxies added is believed: the last address
// that is not one of them.
func (s *Server) client(r *http.Request, conn *connection) netip.Addr {
	var a netip.Addr
	if conn != nil {
		a = conn.peer
	} else {
		a = addrOf(r.RemoteAddr)
	}
	if !s.proxy(a) {
		return a
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if a = hop.Unmap().WithZone(""); !s.proxy(a) {
			break
		}
	}
	return a
}
