package dav

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// Options of New. DB, User and Directory must be given.
type Options struct {
	DB *storage.DB
	// User returns who was authenticated, 0 for nobody: then the answer is 401.
	// It is asked once per request, outside any transaction.
	User func(*http.Request) storage.AccountID
	// Sees says whether the credentials of a request are good for the tree at a
	// prefix; what they are not is not there, wherever a request refers to it.
	// nil is for all.
	Sees func(r *http.Request, prefix string) bool
	// Directory knows who is in which group.
	Directory *accounts.Directory
	Log       *slog.Logger     // nil is silent
	Now       func() time.Time // nil is the clock
	// Hosts are the names that a Destination may have besides the request's own.
	Hosts []string
	// MaxBody bounds a PUT in bytes where a tree does not; 0 is 10 GiB.
	MaxBody int64
	// Memory bounds what the bodies of requests take, in bytes, a quarter of it
	// for one user; 0 is 64 MiB. Who finds none for 10 s is asked to come again.
	Memory int64
}

// An Engine answers HTTP requests for the trees mounted on it. It is safe for
// concurrent use once every tree is mounted.
type Engine struct {
	Options
	mounts []*mount
	// Principal is the kind of users and groups. Doors add their home sets and
	// features to it before the engine serves.
	Principal *Kind
	bodies    *budget
	turns     *budget // of what walks through a whole tree
}

// A mount is a tree and the decoded segments of its prefix.
type mount struct {
	prefix []string
	tree   Tree
}

// New makes an engine with the tree of principals mounted at /dav/principals/.
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
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	e := &Engine{Options: o, Principal: newPrincipalKind(), bodies: newBudget(o.Memory), turns: newBudget(turnsAtOnce)}
	e.Mount(principalPrefix, &principals{e})
	return e
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
