package imap

import (
	"net"
	"net/netip"
	"time"
)

// Limits bounds what clients may take; zero means the default in parentheses.
type Limits struct {
	Conns       int           // connections in all (10000)
	PerIP       int           // connections of one address (IPv6: /64) that have not logged in (50)
	PerAccount  int           // sessions of one account (100)
	Message     int64         // octets of an appended message, announced as APPENDLIMIT (50 MiB)
	BadCommands int           // unknown or malformed commands before login (5)
	Failures    int           // failed logins in one session (5)
	LoginWithin time.Duration // from connection to login (1 min)
	Idle        time.Duration // silence of a client, IDLE included (30 min; RFC 9051 §5.4 asks for as much)
	Command     time.Duration // from a command's first byte to its last, APPEND's message included (2 h: 50 MiB at 56 kbit/s)
	Read, Write time.Duration // progress within a command, and of a slow client's reading of 32 KiB (2 min each)
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	dur := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	def(&l.Conns, 10000)
	def(&l.PerIP, 50)
	def(&l.PerAccount, 100)
	def(&l.BadCommands, 5)
	def(&l.Failures, 5)
	if l.Message == 0 {
		l.Message = 50 << 20
	}
	dur(&l.LoginWithin, time.Minute)
	dur(&l.Idle, 30*time.Minute)
	dur(&l.Command, 2*time.Hour)
	dur(&l.Read, 2*time.Minute)
	dur(&l.Write, 2*time.Minute)
	return l
}

// A failure remembers failed logins of an address, to slow it down.
type failure struct {
	n    int
	last time.Time
}

// addrOf is the address that limits count: an IPv6 client owns a /64.
func addrOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// enter counts a new session, unless there are too many.
func (srv *Server) enter(s *session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closing.Load() || len(srv.sessions) >= srv.limits.Conns || srv.strangers[s.addr] >= srv.limits.PerIP {
		return false
	}
	srv.sessions[s] = true
	srv.strangers[s.addr]++
	srv.wg.Add(1)
	srv.Counters.Open.Add(1)
	return true
}

// admit moves a session from the strangers to its account's sessions.
func (srv *Server) admit(s *session) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.accounts[s.account()] >= srv.limits.PerAccount {
		return no("LIMIT", "too many sessions of this account")
	}
	srv.accounts[s.account()]++
	srv.forgetStranger(s.addr)
	delete(srv.failed, s.addr)
	s.admitted = true
	return nil
}

func (srv *Server) forgetStranger(a netip.Addr) {
	if srv.strangers[a]--; srv.strangers[a] <= 0 {
		delete(srv.strangers, a)
	}
}

// leave is the end of a session's account in the server.
func (srv *Server) leave(s *session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.sessions[s] {
		return
	}
	delete(srv.sessions, s)
	if s.admitted {
		if srv.accounts[s.account()]--; srv.accounts[s.account()] <= 0 {
			delete(srv.accounts, s.account())
		}
	} else {
		srv.forgetStranger(s.addr)
	}
	srv.Counters.Open.Add(-1)
	srv.wg.Done()
}

// failedLogin counts a failure of the address and returns how long its next
// answer should wait. Failures are forgotten after ten minutes.
func (srv *Server) failedLogin(a netip.Addr, now time.Time) time.Duration {
	const remembered, most = 10 * time.Minute, 10000
	srv.mu.Lock()
	defer srv.mu.Unlock()
	f := srv.failed[a]
	if now.Sub(f.last) > remembered {
		f.n = 0
	}
	f.n, f.last = min(f.n+1, 16), now
	if len(srv.failed) >= most {
		for k, v := range srv.failed {
			if now.Sub(v.last) > remembered || len(srv.failed) >= most {
				delete(srv.failed, k)
			}
		}
	}
	srv.failed[a] = f
	return min(time.Duration(f.n)*250*time.Millisecond, 4*time.Second)
}
