package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/sasl"

	gosmtp "github.com/emersion/go-smtp"
)

// A Kind says whom a server talks to.
type Kind int

const (
	MX Kind = iota
	Submission
	LMTP
)

// Limits bounds what clients may take; zero means the default in parentheses.
type Limits struct {
	Message       int64         // bytes (50 MiB)
	Recipients    int           // of one message (1000)
	Conns, PerIP  int           // connections in all, and of one address (2000, 30)
	Read, Write   time.Duration // silence of a client (5 min, RFC 5321 §4.5.3.2; 1 min)
	AuthTries     int           // failed logins in a session (3)
	TrustLoopback bool          // no limit per address for 127.0.0.0/8 and ::1
}

func (l *Limits) defaults() {
	set := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	set(&l.Recipients, 1000)
	set(&l.Conns, 2000)
	set(&l.PerIP, 30)
	set(&l.AuthTries, 3)
	if l.Message == 0 {
		l.Message = 50 << 20
	}
	if l.Read == 0 {
		l.Read = 5 * time.Minute
	}
	if l.Write == 0 {
		l.Write = time.Minute
	}
}

// Counters are the door's figures.
type Counters struct {
	Accepted, Refused, Delivered, Rejected, Logins, LoginFailures, Internal atomic.Int64
}

// A Server serves one kind. Fields are set before Serve.
type Server struct {
	Kind        Kind
	Hostname    string
	Backend     Backend
	Auth        sasl.Authenticator // of Submission
	TLS         *tls.Config        // nil: none
	ImplicitTLS bool
	Logger      *slog.Logger
	NewTrace    func(subject string) Trace
	Limits      Limits
	Counters    Counters

	once  sync.Once
	inner *gosmtp.Server
	tls   *tls.Config

	mu      sync.Mutex
	conns   map[*conn]bool
	perIP   map[string]int
	closing bool
}

func (s *Server) init() {
	s.Limits.defaults()
	s.conns, s.perIP = map[*conn]bool{}, map[string]int{}
	if s.TLS != nil {
		s.tls = s.TLS.Clone()
		// outlook.com drops handshakes in which it is given a session ticket.
		s.tls.SessionTicketsDisabled = s.Kind == MX
	}
	g := gosmtp.NewServer(gosmtp.BackendFunc(s.newSession))
	g.Domain = s.Hostname
	g.LMTP = s.Kind == LMTP
	g.MaxRecipients = s.Limits.Recipients
	g.MaxMessageBytes = s.Limits.Message + 1 // the library refuses the exact size
	g.EnableSMTPUTF8, g.EnableDSN = true, true
	g.ErrorLog = log.New(logWriter{s.Logger}, "", 0)
	if !s.ImplicitTLS {
		g.TLSConfig = s.tls
	}
	s.inner = g
}

// Serve accepts connections until Shutdown, then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	s.once.Do(s.init)
	return s.inner.Serve(&listener{ln, s})
}

// Shutdown stops accepting, lets messages under way finish, and cuts what is
// left when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.init)
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()
	err := s.inner.Shutdown(ctx)
	s.mu.Lock()
	for c := range s.conns {
		c.Conn.Close()
	}
	s.mu.Unlock()
	if errors.Is(err, gosmtp.ErrServerClosed) {
		err = nil
	}
	return err
}

// enter counts a connection, unless there are too many.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.conns) >= s.Limits.Conns && !c.trusted || s.perIP[c.ip] >= s.Limits.PerIP && !c.trusted {
		s.Counters.Refused.Add(1)
		return false
	}
	s.Counters.Accepted.Add(1)
	s.conns[c] = true
	s.perIP[c.ip]++
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c] {
		delete(s.conns, c)
		if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
			delete(s.perIP, c.ip)
		}
	}
}

// logWriter passes the library's messages on.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("smtp", "message", string(p))
	return len(p), nil
}
