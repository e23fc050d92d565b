package itip

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
)

// staged is what a commit has to give back when it fails.
type staged struct{ discards []func() }

func (s *staged) body(db *storage.DB, text []byte) (*blob.Staged, error) {
	b, err := db.StageAll(bytes.NewReader(text))
	if err == nil {
		s.discards = append(s.discards, b.Discard)
	}
	return b, err
}

func (s *staged) discard() {
	for _, d := range s.discards {
		d()
	}
}

// prepared is a work whose bodies are staged.
type prepared struct {
	staged
	objects []*calendar.Incoming // nil for a handle that does not change
	items   []*calendar.Incoming
	letters []*mailbox.Incoming
}

func (w *work) prepare() (*prepared, error) {
	p := &prepared{}
	for _, h := range w.handles {
		var in *calendar.Incoming
		if h.text != nil {
			b, err := p.body(w.s.DB, h.text)
			if err == nil {
				in, err = calendar.Prepare(b)
			}
			if err != nil {
				return p, &accountError{h.account, err}
			}
		}
		p.objects = append(p.objects, in)
	}
	for _, it := range w.items {
		in, err := p.message(w.s.DB, it.text)
		if err != nil {
			return p, &accountError{it.account, err}
		}
		p.items = append(p.items, in)
	}
	for _, l := range w.letters {
		b, err := p.body(w.s.DB, l.text)
		if err != nil {
			return p, err
		}
		in, err := mailbox.Prepare(b)
		if err != nil {
			return p, err
		}
		p.letters = append(p.letters, in)
	}
	return p, nil
}

func (p *prepared) message(db *storage.DB, text []byte) (*calendar.Incoming, error) {
	m, err := itip.Read(text)
	if err != nil {
		return nil, err
	}
	b, err := p.body(db, text)
	if err != nil {
		return nil, err
	}
	return calendar.PrepareMessage(b, m.UID, m.Type)
}

// commit writes everything in one transaction, with done; errStale when an object
// is not as it was read.
func (w *work) commit(done func(*storage.Tx) error) error {
	p, err := w.prepare()
	if err == nil {
		err = w.s.DB.Update(func(tx *storage.Tx) error {
			for i, h := range w.handles {
				if err := h.put(tx, p.objects[i], w.now); err != nil {
					return err
				}
			}
			for i, it := range w.items {
				if err := deliver(tx, it.account, p.items[i], w.now); err != nil {
					return &accountError{it.account, err}
				}
			}
			for i, l := range w.letters {
				if err := w.s.Post(tx, l.from, l.to, p.letters[i], w.now); err != nil {
					return fmt.Errorf("mail to %s: %w", l.to, err)
				}
			}
			return done(tx)
		})
	}
	if err != nil {
		p.discard()
		return err
	}
	if len(w.letters) > 0 {
		w.s.Wake()
	}
	return nil
}

func deliver(tx *storage.Tx, a storage.AccountID, in *calendar.Incoming, now time.Time) error {
	inbox, err := calendar.Inbox(tx, a)
	if err != nil {
		return err
	}
	_, err = calendar.Deliver(tx, inbox, in, now)
	return err
}

// put holds a handle against the store, and writes what it is to be.
func (h *handle) put(tx *storage.Tx, in *calendar.Incoming, now time.Time) error {
	if in == nil {
		return nil // what was only looked at need not be the same still
	}
	c, err := calendar.ByID(tx, h.calendar)
	if err != nil {
		return &accountError{h.account, err}
	}
	name := h.row.Name
	switch o, err := calendar.ByUID(tx, c.ID, h.row.UID); {
	case errors.Is(err, storage.ErrNotFound) && h.row.Item == 0:
		name = newName(tx, c.ID, h.row.UID)
		if _, _, err := calendar.Find(tx, h.account, h.row.UID); err == nil {
			return errStale // made in another calendar
		}
	case errors.Is(err, storage.ErrNotFound):
		return errStale
	case err != nil:
		return &accountError{h.account, err}
	case o.Item != h.row.Item || o.Sum != h.row.Sum:
		return errStale
	}
	if _, err := calendar.Put(tx, c, name, in, h.by, now); err != nil {
		return &accountError{h.account, err}
	}
	return nil
}

var plainUID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$`)

// newName is that of an object which the server makes: where it can be what most
// programs would take, so that one that stores the invitation from a mail finds the
// place taken by the same.
func newName(tx *storage.Tx, c storage.CollectionID, uid string) string {
	if name := uid + ".ics"; plainUID.MatchString(uid) {
		if _, err := calendar.Get(tx, c, name); errors.Is(err, storage.ErrNotFound) {
			return name
		}
	}
	sum := sha256.Sum256([]byte(uid))
	return hex.EncodeToString(sum[:12]) + ".ics"
}
