// Package web is the one HTTP listener behind which every web door stands.
//
// What it promises: HTTP/1.1 and, over TLS, HTTP/2; a client that is slow to
// send or to read is dropped, one that transfers for hours is not; connections,
// header bytes and failed logins are bounded for each address, and no failures
// of others keep a member with the right password out; every answer carries
// strict headers; a panic is answered with a number to quote and ends one
// request only. What a handler does with a body is its own: it bounds its size.
//
// RFCs: 9110, 9112 and 9113 by net/http; 7617 (Basic), 6797 (HSTS), 6266 and
// 8187 (Content-Disposition). Not offered: HTTP/3, cleartext HTTP/2.
package web

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/trace"
)

// Limits bound what strangers can take. Zero values are the defaults.
type Limits struct {
	Connections int           // in all: 2048
	PerAddress  int           // connections of one address, or of one /64 of IPv6: 128
	HeaderBytes int           // of one request: 64 KiB
	Header      time.Duration // to complete a TLS handshake or a request's header: 10 s
	Idle        time.Duration // between the requests of a connection: 3 min
	Read        time.Duration // for the next bytes of a body: 30 s
	Write       time.Duration // to take some of an answer: 1 min
	Rate        int           // bytes a second that a body makes on average after its first minute: 256
}

func (l Limits) defaults() Limits {
	or(&l.Connections, 2048)
	or(&l.PerAddress, 128)
	or(&l.HeaderBytes, 64<<10)
	or(&l.Header, 10*time.Second)
	or(&l.Idle, 3*time.Minute)
	or(&l.Read, 30*time.Second)
	or(&l.Write, time.Minute)
	or(&l.Rate, 256)
	return l
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Counters are the listener's figures; Open is of now.
type Counters struct {
	Accepted, Refused, Open atomic.Int64 // connections
	Requests, Internal      atomic.Int64 // and those answered with 500
}

// A Server is the listener. Its fields are set before Serve and not changed
// after; its methods are safe for concurrent use.
type Server struct {
	Handler  http.Handler
	TLS      *tls.Config                       // nil serves without TLS
	HSTS     bool                              // browsers are told to come by TLS only
	CORS     []CORS                            // what other origins may ask for
	Proxies  []netip.Prefix                    // reverse proxies whose X-Forwarded-For is believed
	Private  []string                          // path prefixes below which a path is a secret
	Log      *slog.Logger                      // nil is silent
	NewTrace func(subject string) *trace.Trace // nil keeps none
	Limits   Limits                            //
	Trusted  func(client netip.Addr) bool      // not limited in connections; nil is nobody
	Now      func() time.Time                  // nil is the clock

	Counters Counters

	once  sync.Once
	http  *http.Server
	conns counter
}

func (s *Server) build() {
	s.Limits = s.Limits.defaults()
	or(&s.Log, slog.New(slog.DiscardHandler))
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Trusted == nil {
		s.Trusted = func(netip.Addr) bool { return false }
	}
	s.conns = counter{total: s.Limits.Connections, each: s.Limits.PerAddress, open: map[netip.Prefix]int{}}
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serve), TLSConfig: s.TLS, DisableGeneralOptionsHandler: true,
		// No timeout of a whole request: see deadline.go.
		ReadHeaderTimeout: s.Limits.Header, IdleTimeout: s.Limits.Idle, MaxHeaderBytes: s.Limits.HeaderBytes,
		ConnState: s.connState, ConnContext: s.connContext,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // scanners fill it
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 100, WriteByteTimeout: s.Limits.Write},
	}
}

// Serve accepts connections until Shutdown or an error of the listener.
func (s *Server) Serve(ln net.Listener) error {
	s.once.Do(s.build)
	var err error
	if s.TLS == nil {
		err = s.http.Serve(ln)
	} else {
		err = s.http.ServeTLS(ln, "", "")
	}
	if err == http.ErrServerClosed {
		err = nil
	}
	return err
}

// Shutdown stops accepting, lets the requests under way end until ctx does, and
// then cuts what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.build)
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	return err
}
