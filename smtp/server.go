package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

// A Kind says whom a server talks to.
type Kind int

const (
	MX Kind = iota
	Submission
	LMTP
)

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

	once     sync.Once
	tls      *tls.Config
	sessions sync.WaitGroup
	inFlight atomic.Int64 // bytes of messages coming in that are in memory
	ctx      context.Context
	cancel   context.CancelFunc
	stop     chan struct{} // closed when Shutdown begins

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	perIP     map[string]int
}

func (s *Server) init() {
	s.Limits.defaults()
	s.listeners, s.conns, s.perIP = map[net.Listener]bool{}, map[*conn]bool{}, map[string]int{}
	s.stop = make(chan struct{})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.TLS != nil {
		s.tls = s.TLS.Clone()
		// outlook.com drops handshakes in which it is given a session ticket.
		s.tls.SessionTicketsDisabled = s.Kind == MX
	}
}

// Serve accepts connections until Shutdown, then returns nil. Several listeners
// may be served at once.
func (s *Server) Serve(ln net.Listener) error {
	s.once.Do(s.init)
	defer ln.Close()
	if !s.listening(ln) {
		return nil
	}
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(nc)
		case s.stopping():
			return nil
		case passing(err):
			// Out of descriptors, mostly: those who are here may finish.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Logger.Warn("smtp accept", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.stop:
			}
		default:
			return err
		}
	}
}

// accept starts a session, or sends away who is too many.
func (s *Server) accept(nc net.Conn) {
	c := newConn(nc, &s.Limits)
	if !s.enter(c) {
		s.Counters.Refused.Add(1)
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		if !s.ImplicitTLS {
			_, _ = nc.Write([]byte("421 4.7.0 Too many connections, try again later\r\n"))
		}
		nc.Close()
		return
	}
	s.Counters.Accepted.Add(1)
	go func() {
		defer s.leave(c)
		s.newSession(c).run()
	}()
}

// listening notes a listener for Shutdown to close.
func (s *Server) listening(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.listeners[ln] = true
	}
	return !s.closing
}

// enter counts a connection, unless there are too many.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || !c.trusted && (len(s.conns) >= s.Limits.Conns || s.perIP[c.ip] >= s.Limits.PerIP) {
		return false
	}
	s.conns[c] = true
	s.perIP[c.ip]++
	s.sessions.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
	s.mu.Unlock()
	s.sessions.Done()
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// Shutdown stops accepting, tells clients between messages to come back later,
// lets messages under way finish, and cuts what is left when ctx ends. It
// returns when every session has.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.init)
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.stop)
	}
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.sessions.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		c.raw.Close()
	}
	s.mu.Unlock()
	<-done
	return errors.Join(errors.New("messages under way were cut"), ctx.Err())
}
