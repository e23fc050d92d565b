package itip

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// errStale says that an object has changed since a work read it.
var errStale = errors.New("changed meanwhile")

// An accountError is one that concerns one account only.
type accountError struct {
	account storage.AccountID
	err     error
}

func (e *accountError) Error() string { return fmt.Sprintf("account %d: %v", e.account, e.err) }

func (e *accountError) Unwrap() error { return e.err }

// A handle is an object as a work has read it, or where one would go.
type handle struct {
	account  storage.AccountID
	calendar storage.CollectionID
	row      calendar.Object // Item is 0 when there is none
	obj      *ical.Object    // as it will be; nil is none

	text []byte // to be put
	by   calendar.By
}

// set says what the object will be. by is Server for what is no news to its owner.
func (h *handle) set(text []byte, by calendar.By) error {
	o, err := itip.ParseObject(text)
	if err != nil {
		return err
	}
	if h.text == nil {
		h.by = calendar.Server
	}
	h.obj, h.text, h.by = o, text, h.by && by
	return nil
}

// A work gathers what a change or message comes to.
type work struct {
	s       *Service
	now     time.Time
	sender  accounts.Account
	without map[storage.AccountID]bool // who gets nothing

	handles []*handle
	items   []item
	letters []letter
	people  map[string]person
}

type item struct {
	account storage.AccountID
	text    []byte
}

// A letter is a mail to somebody elsewhere.
type letter struct {
	from, to string
	text     []byte
}

type person struct {
	accounts.Account
	here bool
	err  error
}

func newWork(s *Service, without map[storage.AccountID]bool) *work {
	return &work{s: s, now: s.now(), without: without, people: map[string]person{}}
}

// holder finds who has an address; here is false for one of elsewhere.
// storage.ErrNotFound for one of ours that nobody has.
func (w *work) holder(address string) (accounts.Account, bool, error) {
	p, ok := w.people[address]
	if !ok {
		p.err = w.s.DB.View(func(tx *storage.Tx) (err error) {
			domain := address[strings.LastIndexByte(address, '@')+1:]
			if p.here = accounts.LocalDomain(tx, domain); !p.here {
				_, err := accounts.Normalize(address)
				return err
			}
			p.Account, err = accounts.Holder(tx, address)
			return err
		})
		if errors.Is(p.err, storage.ErrInvalid) {
			p.err = fmt.Errorf("%w: %w", p.err, storage.ErrNotFound)
		}
		w.people[address] = p
	}
	return p.Account, p.here, p.err
}

// find finds an account's object of a UID, or the place for one.
func (w *work) find(a storage.AccountID, uid string) (*handle, error) {
	return w.locate([]storage.AccountID{a}, uid)
}

// findWithGroups also looks into the calendars of the account's groups, into which
// members write in their own name.
func (w *work) findWithGroups(a storage.AccountID, uid string) (*handle, error) {
	var all []storage.AccountID
	err := w.s.DB.View(func(tx *storage.Tx) error {
		all = accounts.Identities(tx, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w.locate(all, uid)
}

func (w *work) locate(in []storage.AccountID, uid string) (*handle, error) {
	for _, a := range in {
		var id storage.CollectionID
		err := w.s.DB.View(func(tx *storage.Tx) error {
			c, _, err := calendar.Find(tx, a, uid)
			if err == nil {
				id = c.ID
			}
			return err
		})
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return w.in(a, id, uid)
	}
	for _, h := range w.handles { // one that this work makes
		if h.account == in[0] && h.row.UID == uid && h.row.Item == 0 {
			return h, nil
		}
	}
	h := &handle{account: in[0]}
	h.row.UID = uid
	err := w.s.DB.View(func(tx *storage.Tx) error {
		c, err := calendar.Default(tx, in[0])
		if err == nil {
			h.calendar = c.ID
		}
		return nil
	})
	w.handles = append(w.handles, h)
	return h, err
}

// in reads the object of a UID in one calendar.
func (w *work) in(a storage.AccountID, c storage.CollectionID, uid string) (*handle, error) {
	for _, h := range w.handles {
		if h.calendar == c && h.row.UID == uid && h.row.Item != 0 {
			return h, nil
		}
	}
	h := &handle{account: a, calendar: c}
	h.row.UID = uid
	err := w.s.DB.View(func(tx *storage.Tx) error {
		o, err := calendar.ByUID(tx, c, uid)
		if err == nil {
			h.row = o
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := h.row.Read(w.s.DB)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, errStale
	}
	if err == nil {
		h.obj, err = itip.ParseObject(b)
	}
	w.handles = append(w.handles, h)
	return h, err
}

// apply applies a message of an organizer to an attendee's object.
func (w *work) apply(h *handle, text []byte, me, from string) (itip.Result, error) {
	m, err := itip.Read(text)
	if err != nil {
		return itip.Result{}, err
	}
	if h.obj != nil && !scheduled(h.obj) {
		// Nobody organizes what its owner has written alone, whoever knows its UID.
		return itip.Result{}, fmt.Errorf("%w: an event of one's own", itip.ErrParty)
	}
	r, err := itip.Apply(h.obj, m, me, from)
	if err == nil && r.Text != nil {
		err = h.set(r.Text, calendar.Client)
	}
	return r, err
}

func scheduled(o *ical.Object) bool {
	for _, c := range o.Parts {
		if c.Prop("ORGANIZER") != nil {
			return true
		}
	}
	return false
}

func (w *work) applyAs(h *handle, text []byte, me string, by calendar.By) error {
	if text == nil {
		return nil // not invited any more
	}
	m, err := itip.Read(text)
	if err != nil {
		return err
	}
	r, err := itip.Apply(h.obj, m, me, m.Organizer())
	if err == nil && r.Text != nil {
		err = h.set(r.Text, by)
	}
	return err
}

// item puts a message into somebody's inbox.
func (w *work) item(a storage.AccountID, text []byte) { w.items = append(w.items, item{a, text}) }
