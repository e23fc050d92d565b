package dav

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/storage"
)

// Options of New. DB and User must be given.
type Options struct {
	DB *storage.DB
	// User returns who was authenticated, 0 for nobody: then the answer is 401
	// with Challenge. It is asked once per request, outside any transaction.
	User      func(*http.Request) storage.AccountID
	Challenge string           // WWW-Authenticate; "" is Basic
	Locks     Locks            // nil: no class 2
	Log       *slog.Logger     // nil is silent
	Now       func() time.Time // nil is the clock
	// Hosts are the names that a Destination may have besides the request's own.
	Hosts []string
	// MaxBody bounds a PUT in bytes where a tree does not; 0 is 10 GiB.
	MaxBody int64
}

// An Engine answers HTTP requests for the trees mounted on it. It is safe for
// concurrent use once every tree is mounted.
type Engine struct {
	Options
	mounts []*mount
	faults atomic.Uint64 // the number of the last internal error
}

// A mount is a tree and the decoded segments of its prefix.
type mount struct {
	prefix []string
	tree   Tree
}

// New makes an engine without trees.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = 10 << 30
	}
	if o.Challenge == "" {
		o.Challenge = `Basic realm="essaim", charset="UTF-8"` // RFC 7617 §2.1
	}
	return &Engine{Options: o}
}

// Mount puts a tree at a prefix such as /dav/files/. No prefix may be above
// another's. What lies above the mounts is listed by the engine itself.
func (e *Engine) Mount(prefix string, t Tree) {
	e.mounts = append(e.mounts, &mount{prefix: strings.Split(strings.Trim(prefix, "/"), "/"), tree: t})
}

// mountOf returns the mount a path is in and the segments below its prefix.
func (e *Engine) mountOf(segments []string) (*mount, []string) {
	for _, m := range e.mounts {
		if len(segments) >= len(m.prefix) && slices.Equal(m.prefix, segments[:len(m.prefix)]) {
			return m, segments[len(m.prefix):]
		}
	}
	return nil, nil
}

// ours reports whether a host in a Destination is this server.
func (e *Engine) ours(r *http.Request) func(string) bool {
	return func(host string) bool {
		return host == withoutDefaultPort(r.Host) || slices.Contains(e.Hosts, host)
	}
}

type userKey struct{}

// WithUser notes who was authenticated; UserOf gives it back. They serve as
// Options.User where the one who authenticates has no better place.
func WithUser(ctx context.Context, a storage.AccountID) context.Context {
	return context.WithValue(ctx, userKey{}, a)
}

// UserOf returns the account WithUser noted, or 0.
func UserOf(r *http.Request) storage.AccountID {
	a, _ := r.Context().Value(userKey{}).(storage.AccountID)
	return a
}
