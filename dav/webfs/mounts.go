package webfs

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// Mounting answers as next does, after it has seen to it that what others share
// with the user, as of now, is mounted in his tree: a share that is given or
// taken away, a group that is joined or left, need not know of anybody's tree.
func Mounting(next http.Handler, db *storage.DB, dir *accounts.Directory, user func(*http.Request) storage.AccountID) http.Handler {
	m := &mounter{db: db, dir: dir, done: map[storage.AccountID]generation{}}
	db.Watch(storage.Shares, func() { m.shares.Add(1) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, Prefix) {
			if a := user(r); a != 0 {
				m.mount(a)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// A mounter remembers for whom everything is mounted, until anything is shared
// anew or anybody joins or leaves a group. Safe for concurrent use.
type mounter struct {
	db     *storage.DB
	dir    *accounts.Directory
	shares atomic.Uint64

	mu   sync.Mutex
	done map[storage.AccountID]generation
}

// A generation is of what is shared, and of who there is.
type generation struct{ shares, people uint64 }

func (m *mounter) mount(a storage.AccountID) {
	now := generation{m.shares.Load(), m.dir.Generation()}
	m.mu.Lock()
	done, ok := m.done[a]
	m.mu.Unlock()
	if ok && done == now {
		return
	}
	// What goes wrong shows in what the engine answers.
	if mountAll(m.db, m.dir.Identities(a), time.Now()) == nil {
		m.mu.Lock()
		m.done[a] = now
		m.mu.Unlock()
	}
}

// errMissing is why a View is followed by an Update.
var errMissing = errors.New("mounts are missing")

func mountAll(db *storage.DB, identities []storage.AccountID, now time.Time) error {
	err := db.View(func(tx *storage.Tx) error {
		t, err := files.Open(tx, identities[0])
		if err != nil || !files.Mounted(tx, t, shares(tx, identities)) {
			return errMissing
		}
		return nil
	})
	if !errors.Is(err, errMissing) {
		return err
	}
	return db.Update(func(tx *storage.Tx) error {
		if err := files.Ensure(tx, identities[0], now); err != nil {
			return err
		}
		t, err := files.Open(tx, identities[0])
		if err != nil {
			return err
		}
		return files.MountAll(tx, t, shares(tx, identities), files.Attr{By: identities[0], Now: now})
	})
}

func shares(tx *storage.Tx, identities []storage.AccountID) []files.Share {
	return files.Shares(tx, identities, func(a storage.AccountID) string { return treeName(tx, a) })
}

// treeName is what a whole tree is called among others' folders.
func treeName(tx *storage.Tx, id storage.AccountID) string {
	a, err := accounts.Get(tx, id)
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(strings.NewReplacer("/", "-", "\x00", "").Replace(a.Name))
	if files.CheckName(name) != nil {
		name = a.Address
	}
	return name
}

var _ dav.Tree = filesTree{}
