package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

// ErrNoCredentials says that a request has none of an Authenticator's kind.
var ErrNoCredentials = errors.New("web: no credentials")

// A WaitError says that a client has failed too often and when to try again.
type WaitError struct{ For time.Duration }

func (e *WaitError) Error() string { return fmt.Sprintf("web: too many failures, wait %s", e.For) }

// An Authenticator knows one kind of credentials: Basic, a bearer token, a
// session cookie. Its errors are ErrNoCredentials, sasl.ErrCredentials, an
// WaitError, or why it cannot tell now.
type Authenticator interface {
	Authenticate(*http.Request) (sasl.Login, error)
	// Challenge is its WWW-Authenticate, "" for none.
	Challenge() string
}

// Basic is RFC 7617 with app passwords.
type Basic struct {
	Realm     string
	Passwords interface {
		Password(name, password string) (sasl.Login, error)
	}
	Gate *Gate
}

// Challenge is Authenticator.
func (b *Basic) Challenge() string { return fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, b.Realm) }

const maxName, maxPassword = 320, 256

// Authenticate is Authenticator.
func (b *Basic) Authenticate(r *http.Request) (sasl.Login, error) {
	name, password, ok := r.BasicAuth()
	switch {
	case !ok:
		return sasl.Login{}, ErrNoCredentials
	case len(name) > maxName || len(password) > maxPassword:
		return sasl.Login{}, sasl.ErrCredentials
	}
	from := Client(r)
	if wait := b.Gate.Wait(from, name); wait > 0 {
		return sasl.Login{}, &WaitError{wait}
	}
	login, err := b.Passwords.Password(name, password)
	switch {
	case err == nil:
		b.Gate.Succeeded(from, name)
	case errors.Is(err, sasl.ErrCredentials):
		b.Gate.Failed(from, name, password)
	}
	return login, err
}

// A Guard stands before a handler and finds out who asks.
type Guard struct {
	Next http.Handler
	By   []Authenticator // the first that finds credentials decides
	// Anonymous lets requests without any credentials through: the handler looks
	// at User itself.
	Anonymous bool
	// May says whether a user may come in at all, with these credentials; nil is
	// always.
	May func(*http.Request, sasl.Login) bool
	Log *slog.Logger // nil is silent
}

// ServeHTTP is http.Handler.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	login, err := g.authenticate(r)
	var wait *WaitError
	switch {
	case errors.Is(err, ErrNoCredentials) && g.Anonymous:
	case errors.Is(err, ErrNoCredentials), errors.Is(err, sasl.ErrCredentials):
		g.challenge(w)
		return
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.For/time.Second)+1))
		http.Error(w, "Too many failed logins. Please wait.", http.StatusTooManyRequests)
		return
	case err != nil:
		if g.Log != nil {
			g.Log.Error("authenticating", "request", ID(r.Context()), "error", err)
		}
		w.Header().Set("Retry-After", "10")
		http.Error(w, "Please try again. The number to quote is "+ID(r.Context())+".", http.StatusServiceUnavailable)
		return
	case g.May != nil && !g.May(r, login):
		http.Error(w, "This password is not good for that.", http.StatusForbidden)
		return
	}
	if q := requestOf(r.Context()); q != nil {
		q.user = login
	}
	g.Next.ServeHTTP(w, r)
}

func (g *Guard) authenticate(r *http.Request) (sasl.Login, error) {
	for _, a := range g.By {
		if login, err := a.Authenticate(r); !errors.Is(err, ErrNoCredentials) {
			return login, err
		}
	}
	return sasl.Login{}, ErrNoCredentials
}

func (g *Guard) challenge(w http.ResponseWriter) {
	for _, a := range g.By {
		if c := a.Challenge(); c != "" {
			w.Header().Add("WWW-Authenticate", c)
		}
	}
	http.Error(w, "Please log in with an app password.", http.StatusUnauthorized)
}
