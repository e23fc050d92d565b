package accounts

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"essaim.coop/essaim/storage"
)

// A Directory answers who somebody is without a transaction: web clients say
// their name and password with every request. What it keeps is dropped at the
// next question after anything about accounts, groups or passwords has changed,
// so a revoked password is refused once its revocation has been answered. Safe
// for concurrent use; what it returns is shared and must not be changed.
type Directory struct {
	db         *storage.DB
	generation atomic.Uint64

	mu     sync.Mutex
	at     uint64 // the generation of what is kept
	names  map[string]*entry
	ids    map[storage.AccountID]*entry
	people []Account

	watching sync.Mutex
	watchers map[*func()]struct{}
}

// maxKept bounds what is kept: the names are foreign input.
const maxKept = 4096

// An entry is what there is to know about an account, or about a name that
// nobody has.
type entry struct {
	Account
	identities []storage.AccountID
	passwords  []AppPassword
	pepper     []byte
	err        error
}

// NewDirectory makes the directory of a store.
func NewDirectory(db *storage.DB) *Directory {
	d := &Directory{db: db, names: map[string]*entry{}, ids: map[storage.AccountID]*entry{}, watchers: map[*func()]struct{}{}}
	db.Watch(storage.House, d.changed)
	return d
}

func (d *Directory) changed() {
	d.generation.Add(1)
	d.watching.Lock()
	defer d.watching.Unlock()
	for f := range d.watchers {
		(*f)()
	}
}

// Watch calls nudge, which must not block, after every change to what the
// directory knows; what it answers from then on is not older than the change.
func (d *Directory) Watch(nudge func()) (stop func()) {
	d.watching.Lock()
	defer d.watching.Unlock()
	d.watchers[&nudge] = struct{}{}
	return func() {
		d.watching.Lock()
		defer d.watching.Unlock()
		delete(d.watchers, &nudge)
	}
}

// Generation changes with everything the directory knows. What was derived
// from an answer holds as long as the generation read before it.
func (d *Directory) Generation() uint64 { return d.generation.Load() }

// ByAddress returns the account that has exactly this address.
func (d *Directory) ByAddress(address string) (Account, error) {
	e := d.name(address)
	return e.Account, e.err
}

// ByID returns an account.
func (d *Directory) ByID(id storage.AccountID) (Account, error) {
	e := d.id(id)
	return e.Account, e.err
}

// Identities returns an account and the groups it is in; see Identities.
func (d *Directory) Identities(id storage.AccountID) []storage.AccountID { return d.id(id).identities }

// Visible returns the accounts and groups that members may find, in order of
// their addresses.
func (d *Directory) Visible() ([]Account, error) {
	gen := d.renew()
	d.mu.Lock()
	people := d.people
	d.mu.Unlock()
	if people != nil {
		return people, nil
	}
	people = []Account{}
	err := d.db.View(func(tx *storage.Tx) error {
		return List(tx, func(a Account) bool {
			if !a.Hidden {
				people = append(people, a)
			}
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(people, func(a, b Account) int { return strings.Compare(a.Address, b.Address) })
	d.keep(gen, func() { d.people = people })
	return people, nil
}

// renew drops what is of an older generation and returns the one of now.
func (d *Directory) renew() uint64 {
	gen := d.generation.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at != gen {
		clear(d.names)
		clear(d.ids)
		d.people, d.at = nil, gen
	}
	return gen
}

// keep runs fn if what was read since a generation still holds.
func (d *Directory) keep(gen uint64, fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == gen && d.generation.Load() == gen {
		fn()
	}
}

func (d *Directory) name(name string) *entry {
	if len(name) > 320 {
		return &entry{err: storage.ErrNotFound}
	}
	gen := d.renew()
	d.mu.Lock()
	e := d.names[name]
	d.mu.Unlock()
	if e != nil {
		return e
	}
	return d.load(gen, func(tx *storage.Tx) (Account, error) { return Lookup(tx, name) }, func(e *entry) {
		if len(d.names) >= maxKept {
			clear(d.names)
		}
		d.names[strings.Clone(name)] = e
	})
}

func (d *Directory) id(id storage.AccountID) *entry {
	gen := d.renew()
	d.mu.Lock()
	e := d.ids[id]
	d.mu.Unlock()
	if e != nil {
		return e
	}
	return d.load(gen, func(tx *storage.Tx) (Account, error) { return Get(tx, id) }, func(e *entry) {
		if len(d.ids) >= maxKept {
			clear(d.ids)
		}
		d.ids[id] = e
	})
}

// load reads an entry and keeps it, also that there is none: a name nobody has
// takes the same course as one that somebody has. An error of the store is not
// kept.
func (d *Directory) load(gen uint64, find func(*storage.Tx) (Account, error), put func(*entry)) *entry {
	e := &entry{}
	err := d.db.View(func(tx *storage.Tx) error {
		e.pepper = slices.Clone(tx.Get([]byte("happ passwords")))
		a, err := find(tx)
		if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrInvalid) {
			e.err = err
			return nil
		}
		e.Account = a
		e.identities, e.passwords = Identities(tx, a.ID), AppPasswords(tx, a.ID)
		return err
	})
	if err != nil {
		return &entry{err: err}
	}
	d.keep(gen, func() { put(e) })
	return e
}
