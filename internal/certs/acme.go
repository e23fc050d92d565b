package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACMEOptions say whom to ask for certificates (RFC 8555).
type ACMEOptions struct {
	Names     []string     // the first is served to who names none
	Directory string       // URL; empty is Let's Encrypt
	Email     string       // told about trouble by the authority; may be empty
	Cache     string       // directory for the account and the certificates, made when missing
	Fallback  *Files       // served until there is a certificate
	Client    *http.Client // for a test authority; nil is the usual one
	Logger    *slog.Logger
	// Resolves reports why a name leads nowhere. Such a name is not asked for:
	// the authority would refuse it, and counts refusals. nil asks for all.
	Resolves func(ctx context.Context, name string) error
}

// ACME keeps a certificate for each name from an authority that speaks RFC
// 8555, answering http-01 (RFC 8555 §8.3) and tls-alpn-01 (RFC 8737). Until a
// certificate is there the fallback is served: a handshake never waits for the
// authority. Safe for concurrent use.
type ACME struct {
	opt     ACMEOptions
	manager autocert.Manager
	asking  *until

	mu      sync.Mutex
	current map[string]*tls.Certificate
	failed  map[string]error
	missing bool // the last round failed only for names that lead nowhere
	nudge   chan struct{}
}

// NewACME prepares it; nothing is asked before Run.
func NewACME(opt ACMEOptions) *ACME {
	asking := &until{next: http.DefaultTransport}
	client := &http.Client{Transport: asking, Timeout: time.Minute}
	if opt.Client != nil && opt.Client.Transport != nil {
		asking.next = opt.Client.Transport
	}
	directory := opt.Directory
	if directory == "" {
		directory = acme.LetsEncryptURL
	}
	return &ACME{
		opt: opt, asking: asking,
		manager: autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(opt.Cache), Email: opt.Email,
			HostPolicy: autocert.HostWhitelist(opt.Names...),
			Client:     &acme.Client{DirectoryURL: directory, HTTPClient: client, UserAgent: "essaim"},
		},
		current: map[string]*tls.Certificate{}, failed: map[string]error{}, nudge: make(chan struct{}, 1),
	}
}

// Get is a tls.Config.GetCertificate. A listener on port 443 that names
// ALPNProto among its protocols also answers tls-alpn-01.
func (a *ACME) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Contains(hello.SupportedProtos, ALPNProto) {
		return a.manager.GetCertificate(hello)
	}
	a.mu.Lock()
	cert := a.current[strings.ToLower(hello.ServerName)]
	if cert == nil {
		cert = a.current[a.opt.Names[0]] // mail clients and servers often name nobody
	}
	a.mu.Unlock()
	if cert == nil {
		return a.opt.Fallback.Get(hello)
	}
	return cert, nil
}

// ALPNProto is the protocol of tls-alpn-01.
const ALPNProto = acme.ALPNProto

// Leaf returns the certificate of the first name that is in service.
func (a *ACME) Leaf() *x509.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cert := a.current[a.opt.Names[0]]; cert != nil {
		return cert.Leaf
	}
	return a.opt.Fallback.Leaf()
}

// Challenges answers http-01 on port 80 and gives everything else to next. A
// port in Host is overlooked: what forwards port 80 to us may name its own.
func (a *ACME) Challenges(next http.Handler) http.Handler {
	answers := a.manager.HTTPHandler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil && strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			r.Host = host
		}
		answers.ServeHTTP(w, r)
	})
}

// Failed returns why a name has no certificate, by name.
func (a *ACME) Failed() map[string]error {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]error{}
	for name, err := range a.failed {
		out[name] = err
	}
	return out
}

// Pauses between attempts: an authority limits failures to a few an hour.
const (
	firstPause   = time.Minute
	longPause    = 6 * time.Hour
	missingPause = time.Hour // when nobody was asked
)

// Nudge says that somebody may just have published the names: when that was all
// that was missing, the next attempt is now.
func (a *ACME) Nudge() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.missing {
		select {
		case a.nudge <- struct{}{}:
		default:
		}
	}
}

// Run gets the certificates that are missing and keeps them fresh until ctx
// ends. It sleeps to the next deadline.
func (a *ACME) Run(ctx context.Context) {
	a.asking.ctx.Store(&ctx)
	pause := firstPause
	for {
		next := a.round(ctx)
		if next <= 0 {
			next, pause = a.patience(pause), min(2*pause, longPause)
		} else {
			pause = firstPause
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.nudge:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// patience is how long to wait after a round that failed.
func (a *ACME) patience(pause time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.missing {
		return min(pause, missingPause)
	}
	return pause
}

// round asks for every name and returns when to look again; 0 when one failed.
func (a *ACME) round(ctx context.Context) time.Duration {
	next := 24 * time.Hour
	missing, refused := false, false
	defer func() {
		a.mu.Lock()
		a.missing = missing && !refused
		a.mu.Unlock()
	}()
	for _, name := range a.opt.Names {
		if ctx.Err() != nil {
			return next
		}
		if err := a.leads(ctx, name); err != nil {
			a.note(name, nil, err)
			next, missing = 0, true
			continue
		}
		cert, err := a.manager.GetCertificate(helloFor(name))
		if err == nil && cert.Leaf == nil {
			err = errors.New("the authority's certificate does not parse")
		}
		a.note(name, cert, err)
		if err != nil {
			next, refused = 0, true
		}
	}
	return next
}

// leads reports why a name that has no certificate yet leads nowhere; one that
// has is kept whatever the resolver says today.
func (a *ACME) leads(ctx context.Context, name string) error {
	a.mu.Lock()
	known := a.current[name] != nil
	a.mu.Unlock()
	if known || a.opt.Resolves == nil {
		return nil
	}
	if _, err := a.manager.Cache.Get(ctx, name); err == nil { // from before a restart
		return nil
	}
	return a.opt.Resolves(ctx, name)
}

func (a *ACME) note(name string, cert *tls.Certificate, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed[name] = fmt.Errorf("certificate for %s: %w", name, err)
		a.opt.Logger.Warn("no certificate yet", "name", name, "error", err)
		return
	}
	delete(a.failed, name)
	if old := a.current[name]; old == nil || !old.Leaf.Equal(cert.Leaf) {
		a.opt.Logger.Info("certificate", "name", name, "until", cert.Leaf.NotAfter)
	}
	a.current[name] = cert
}

// until ends every request to the authority when ctx does: the manager's own
// deadlines are minutes, and a stop must not wait for them.
type until struct {
	next http.RoundTripper
	ctx  atomic.Pointer[context.Context] // of Run, nil before it; the manager has goroutines of its own
}

// RoundTrip is http.RoundTripper.
func (u *until) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := func() bool { return true }
	if until := u.ctx.Load(); until != nil {
		stop = context.AfterFunc(*until, cancel)
	}
	resp, err := u.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	resp.Body = &released{resp.Body, func() { stop(); cancel() }}
	return resp, nil
}

// released is a body whose Close lets its context go.
type released struct {
	io.ReadCloser
	release func()
}

func (r *released) Close() error {
	defer r.release()
	return r.ReadCloser.Close()
}

// helloFor asks the manager for an ECDSA certificate, as a modern client would.
func helloFor(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:       name,
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		SupportedCurves:  []tls.CurveID{tls.CurveP256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}
}
