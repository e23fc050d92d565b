package itip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
)

// An arrival is a message with a calendar part, in somebody's INBOX.
type arrival struct {
	ID       uint64 `json:"-"`
	Account  storage.AccountID
	Login    storage.AccountID `json:",omitempty"` // who has logged in to send it
	Verified bool              `json:",omitempty"` // the domain of From has vouched for it
	Blob     blob.ID
}

const (
	arrivalFormat = 1
	mostParts     = 500 // instances that one message can be about
)

func arrivalKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'k'}, id) }

// Arrived notes a message in the transaction that has appended it to an account's
// mailbox, if it has a calendar part. login is who has logged in to send it, 0 when
// it came from elsewhere.
func Arrived(tx *storage.Tx, a, login storage.AccountID, verified bool, in *mailbox.Incoming) error {
	if calendarPart(in.Root) == nil {
		return nil
	}
	r := arrival{Account: a, Login: login, Verified: verified, Blob: in.Body(tx)}
	tx.Retain(r.Blob)
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tx.Put(arrivalKey(tx.NextID("arrival")), append([]byte{arrivalFormat}, v...))
	tx.Touch(calendar.Changes)
	return nil
}

func (a *arrival) done(tx *storage.Tx) error {
	k := arrivalKey(a.ID)
	if tx.Get(k) == nil {
		return fmt.Errorf("arrival %d: %w", a.ID, storage.ErrNotFound)
	}
	tx.Delete(k)
	if a.Blob != 0 {
		tx.Release(a.Blob)
	}
	return nil
}

func readArrival(k, v []byte) (a arrival, err error) {
	a.ID = binary.BigEndian.Uint64(k[1:])
	if len(v) == 0 || v[0] != arrivalFormat {
		return a, fmt.Errorf("arrival %d: %w", a.ID, storage.ErrInvalid)
	}
	return a, json.Unmarshal(v[1:], &a)
}

// Check is the room's storage.CheckHook.
func Check(tx *storage.Tx, r *storage.Report) {
	tx.Scan([]byte{'k'}, []byte{'k' + 1}, false, func(k, v []byte) bool {
		if a, err := readArrival(k, v); err != nil {
			r.Problem("%v", err)
		} else {
			r.Refers(a.Blob)
		}
		return true
	})
}

// nextArrival works off the arrival after one; false when there is none.
func (s *Service) nextArrival(after *uint64, blocked map[storage.AccountID]bool) (more bool, err error) {
	var a arrival
	var bad error
	err = s.DB.View(func(tx *storage.Tx) error {
		tx.Scan(arrivalKey(*after+1), []byte{'k' + 1}, false, func(k, v []byte) bool {
			a, bad = readArrival(k, v)
			more = true
			return false
		})
		return nil
	})
	if err != nil || !more {
		return false, err
	}
	*after = a.ID
	if blocked[a.Account] {
		return true, nil
	}
	if bad == nil {
		bad = s.arrival(&a)
	}
	stays, err := s.settle("arrival", a.ID, bad, a.done)
	if stays {
		blocked[a.Account] = true
	}
	return true, err
}

// arrival works off one message. What is no scheduling message, or none that may
// say so, is taken out and does nothing.
func (s *Service) arrival(a *arrival) error {
	text, from, err := s.read(a.Blob)
	if err != nil {
		return err
	}
	m, err := itip.Read(text)
	if err == nil && len(m.Parts) > mostParts {
		err = fmt.Errorf("%d parts: %w", len(m.Parts), errOutside)
	}
	if err != nil {
		s.Log.Info("calendar part ignored", "arrival", a.ID, "account", a.Account, "error", err)
		return s.DB.Update(a.done)
	}
	return s.work(a.done, func(w *work) error {
		err := w.arrived(a, m, text, from)
		switch {
		case errors.Is(err, errStale), errors.Is(err, storage.ErrTemporary):
			return err
		case err != nil:
			s.Log.Info("invitation ignored", "arrival", a.ID, "account", a.Account, "from", from, "method", string(m.Method), "error", err)
			*w = *newWork(s, w.without)
			return nil
		}
		s.Log.Info("invited", "arrival", a.ID, "account", a.Account, "from", from, "method", string(m.Method))
		return nil
	})
}

// calendarPart is the part of a message that a calendar program would read, nil
// when there is none.
func calendarPart(p *message.Part) *message.Part {
	if p.IsMessage() {
		return nil
	}
	if !p.IsMultipart() {
		if strings.EqualFold(p.Type, "text") && strings.EqualFold(p.Subtype, "calendar") {
			return p
		}
		return nil
	}
	for _, c := range p.Children {
		if found := calendarPart(c); found != nil {
			return found
		}
	}
	return nil
}

// read reads the calendar part of a message, and the address in From when there is
// exactly one.
func (s *Service) read(id blob.ID) (text []byte, from string, err error) {
	r, err := s.DB.OpenBlob(id)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	root, err := message.Scan(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		return nil, "", err
	}
	if v, ok := message.Get(message.ParseHeader(root.Header), "From"); ok {
		if list := message.ParseAddressList(string(v)); len(list) == 1 {
			from = itip.Address(list[0].Address())
		}
	}
	p := calendarPart(root)
	if p == nil {
		return nil, from, nil
	}
	body := p.TextReader(io.NewSectionReader(r, p.BodyStart, p.End-p.BodyStart))
	text, err = io.ReadAll(io.LimitReader(body, int64(ical.DefaultLimits.Bytes)+1))
	if err != nil {
		return nil, from, nil // what cannot be decoded is no invitation
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), from, nil // a mark of the mail, not of the copy that is made
}
