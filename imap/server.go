// Package imap is the IMAP door: it promises that a client hears of every
// change of the mailbox it looks at, in order and once, that an OK for a change
// means it is on stable storage, and that no client, however slow, hostile or
// numerous, holds up another one or the store.
//
// A session is one goroutine while it works and one small parked goroutine,
// without buffers, while it waits (idle.go). It reads the store through short
// Views and never writes to the network inside one. What a client sees of a
// mailbox is a shared immutable view of it (selected.go); refresh.go moves a
// session from one view to the next by reading the change log after the
// session's own cursor.
//
// Done: RFC 9051 (IMAP4rev2) and 3501 (rev1), 7888 LITERAL+, 2971 ID, 5161
// ENABLE, 2177 IDLE, 2342 NAMESPACE, 4315 UIDPLUS, 6851 MOVE, 3691 UNSELECT,
// 4731 ESEARCH, 5182 SEARCHRES, 5258 LIST-EXTENDED, 5819 LIST-STATUS, 6154
// SPECIAL-USE and CREATE-SPECIAL-USE, 3348 CHILDREN, 8438 STATUS=SIZE, 7162
// CONDSTORE, 4959 SASL-IR, 7889 APPENDLIMIT, 5530 response codes, 7677 and 5802
// SCRAM-SHA-256(-PLUS), 8314 implicit TLS, 4314 ACL,
// 3516 BINARY, 8440 LIST-MYRIGHTS, 5032 WITHIN, 8514 SAVEDATE.
// Partial: RFC 7162 without QRESYNC; 3516 keeps no NUL: such a message is refused.
// A session whose login was taken away is told BYE (expel.go).
// Refused: UTF8=ACCEPT (RFC 6855; rev2 gives names in UTF-8), UIDONLY (clients
// break on it), COMPRESS (RFC 4978: compress/flate withholds partial flushes),
// login without TLS unless the operator allows it.
package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A Trace records what happened in one session. Event must be safe for
// concurrent use and keep nothing that is not given to it.
type Trace interface{ Event(word string, kv ...any) }

type noTrace struct{}

func (noTrace) Event(string, ...any) {}

// Counters are the door's figures, each read and written atomically.
type Counters struct {
	Accepted, Refused, Open, Idle atomic.Int64 // connections; Open and Idle are of now
	Logins, LoginFailures         atomic.Int64
	Commands, Pushes, Wakeups     atomic.Int64 // Wakeups: keep-alives of idling sessions
	SearchReads                   atomic.Int64 // messages that searches had to read
	Internal, Panics              atomic.Int64
}

// A Server serves IMAP from one store. Its fields are set before the first
// Serve and not changed after. It is safe for concurrent use.
type Server struct {
	DB       *storage.DB
	Auth     sasl.Authenticator
	Views    *mailbox.Views             // nil: one is made
	TLS      *tls.Config                // nil: no STARTTLS and no implicit TLS
	Insecure bool                       // allow login without TLS: a trusted network, tests
	Logger   *slog.Logger               // nil: slog.Default
	NewTrace func(subject string) Trace // nil: none
	Version  string                     // told by ID after login; may be empty
	Limits   Limits
	Counters Counters

	once    sync.Once
	limits  Limits
	tls     *tls.Config
	closing atomic.Bool
	expels  atomic.Bool // an expel is about to run
	unwatch func()
	serial  atomic.Uint64
	wg      sync.WaitGroup

	mu        sync.Mutex
	listeners map[net.Listener]bool
	sessions  map[*session]bool
	strangers map[netip.Addr]int // connections that have not logged in
	accounts  map[storage.AccountID]int
	failed    map[netip.Addr]failure
}

// ErrClosed is what Serve returns after Shutdown.
var ErrClosed = errors.New("imap: server closed")

func (srv *Server) init() {
	srv.limits = srv.Limits.withDefaults()
	if srv.Logger == nil {
		srv.Logger = slog.Default()
	}
	if srv.Views == nil {
		srv.Views = mailbox.NewViews(0)
	}
	if srv.TLS != nil {
		srv.tls = harden(srv.TLS)
	}
	srv.listeners = map[net.Listener]bool{}
	srv.sessions = map[*session]bool{}
	srv.strangers = map[netip.Addr]int{}
	srv.accounts = map[storage.AccountID]int{}
	srv.failed = map[netip.Addr]failure{}
	srv.unwatch = srv.Auth.Watch(srv.loginsChanged)
}

// harden keeps TLS to 1.2 and up with forward secrecy and AEAD (RFC 9325).
func harden(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.CipherSuites = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	return c
}

// Serve accepts connections until Shutdown, which makes it return ErrClosed, or
// until the listener fails for good. Running out of descriptors is waited out.
func (srv *Server) Serve(l net.Listener, implicitTLS bool) error {
	srv.once.Do(srv.init)
	if implicitTLS && srv.tls == nil {
		return errors.New("imap: implicit TLS without a TLS configuration")
	}
	srv.mu.Lock()
	srv.listeners[l] = true
	srv.mu.Unlock()
	if srv.closing.Load() {
		l.Close()
	}
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			srv.accept(nc, implicitTLS)
		case srv.closing.Load():
			return ErrClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default: // EMFILE, ECONNABORTED, ENOBUFS: all pass
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			srv.Logger.Warn("imap accept", "error", err, "pause", pause)
			time.Sleep(pause)
		}
	}
}

// accept starts a session, or turns the client away.
func (srv *Server) accept(nc net.Conn, implicitTLS bool) {
	s := &session{srv: srv, state: notAuth, id: fmt.Sprintf("i%x-%x", time.Now().Unix()&0xffffff, srv.serial.Add(1))}
	s.conn = &conn{raw: nc, nc: nc, since: time.Now(), closing: &srv.closing}
	s.conn.patience = patience{read: srv.limits.Read, write: srv.limits.Write}
	s.conn.limit = s.conn.since.Add(srv.limits.LoginWithin)
	s.addr = addrOf(nc.RemoteAddr())
	srv.Counters.Accepted.Add(1)
	if !srv.enter(s) {
		srv.Counters.Refused.Add(1)
		if !implicitTLS {
			nc.SetWriteDeadline(time.Now().Add(time.Second))
			nc.Write([]byte("* BYE [UNAVAILABLE] too many connections\r\n"))
		}
		nc.Close()
		return
	}
	s.trace = Trace(noTrace{})
	if srv.NewTrace != nil {
		s.trace = srv.NewTrace(nc.RemoteAddr().String())
	}
	s.log = srv.Logger
	go s.start(implicitTLS)
}

// Shutdown stops accepting, says BYE to every session that is waiting, lets
// commands under way finish, and cuts what is left when ctx ends.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.once.Do(srv.init)
	srv.closing.Store(true)
	srv.unwatch()
	srv.mu.Lock()
	for l := range srv.listeners {
		l.Close()
	}
	for s := range srv.sessions {
		s.conn.raw.SetReadDeadline(time.Unix(1, 0))
	}
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() { srv.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	srv.mu.Lock()
	for s := range srv.sessions {
		s.conn.raw.Close()
	}
	srv.mu.Unlock()
	<-done
	return ctx.Err()
}
