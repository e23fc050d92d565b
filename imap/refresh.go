package imap

import (
	"errors"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// refresh tells the client what changed in the selected mailbox since it last
// heard: EXPUNGE, EXISTS, FLAGS and FETCH, in this order, and moves the session
// to the newest view. The watch was set before the first read, and dirty is
// cleared before the log is read, so that no change falls in between.
//
// Where EXPUNGE is not allowed (RFC 9051 §7.5.1) and messages are gone, the
// session stays on its view, and only the flags of what is left are told.
func (s *session) refresh(mode refresh) error {
	m := s.sel
	if m == nil || mode == refreshNone || s.conn.broken != nil {
		return nil
	}
	if !m.dirty.Swap(false) && mode != refreshForced {
		return nil
	}
	if stays, err := s.recheck(); err != nil || !stays {
		return err
	}
	next, err := s.srv.Views.Get(s.srv.DB, m.id)
	if errors.Is(err, storage.ErrNotFound) {
		s.bye("the selected mailbox has been deleted")
		return nil
	}
	if err != nil {
		m.dirty.Store(true)
		return err
	}
	old := m.view
	if mode == refreshForced {
		defer s.repeat()
	}
	if next != old {
		gone := missing(old.Ranges(), next.Ranges())
		if len(gone) > 0 && mode == refreshFlags {
			m.dirty.Store(true) // come again when EXPUNGE may be sent
		} else {
			s.advance(old, next, gone)
		}
	}
	return s.tellFlags(old)
}

// recheck looks whether the session may still read a mailbox that is another's,
// and tells what it may change now (RFC 4314 §5.1.1).
func (s *session) recheck() (stays bool, err error) {
	m := s.sel
	if m.account == s.account() {
		return true, nil
	}
	err = s.view(func(tx *storage.Tx) error {
		box, err := mailbox.ByID(tx, m.id)
		if err != nil {
			return nil // the refresh will see it
		}
		r := s.rights(tx, box)
		if !r.Has(storage.RightRead) {
			m.rights = r
			return storage.ErrPermission
		}
		if r != m.rights {
			m.rights = r
			m.readOnly = m.readOnly || r&changes == 0
			s.flagsResponses(box)
		}
		return nil
	})
	if errors.Is(err, storage.ErrPermission) {
		s.bye("the selected mailbox is no longer shared with you")
		return false, nil
	}
	return true, err
}

// advance moves the session to the next view.
func (s *session) advance(old, next *mailbox.View, gone []storage.Range) {
	for i := len(gone) - 1; i >= 0; i-- { // from the end: no number shifts another
		for uid := gone[i].To; ; uid-- {
			if seq := old.Seq(uid); seq != 0 {
				s.enc.Raw("* ").Uint(uint64(seq)).Raw(" EXPUNGE").CRLF()
			}
			if uid == gone[i].From {
				break
			}
		}
	}
	left := old.Len() - count(gone)
	s.sel.view = next
	if next.Len() != left {
		s.exists()
	}
}

// exists tells how many messages there are.
func (s *session) exists() {
	s.enc.Raw("* ").Uint(uint64(s.sel.view.Len())).Raw(" EXISTS").CRLF()
}

// repeat tells again what a client may not have heard, when it asks for news.
func (s *session) repeat() {
	if s.sel != nil && s.sel.unheard {
		s.sel.unheard = false
		s.exists()
	}
}

// tellFlags sends the flags of the messages of the old view that others have
// changed since the session's cursor, and moves the cursor.
func (s *session) tellFlags(old *mailbox.View) error {
	m := s.sel
	var changed []storage.Range
	to := m.seen
	for first := true; first || len(changed) > 0; first = false {
		err := s.view(func(tx *storage.Tx) error {
			box, err := mailbox.ByID(tx, m.id)
			if err != nil {
				return err
			}
			if first {
				s.tellKeywords(box)
				if box.Highest <= m.seen {
					return nil
				}
				if changed, to, err = changedSince(tx, m, old); err != nil {
					return err
				}
			}
			changed = s.tellChanged(tx, box, changed)
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			return nil // the next refresh will see it
		}
		if err != nil {
			m.dirty.Store(true)
			return err
		}
	}
	m.seen = max(m.seen, to)
	m.own = m.own[:0]
	return nil
}

// changedSince is what changed among the messages the client knew; everything
// when the log does not reach back to the cursor.
func changedSince(tx *storage.Tx, m *selected, old *mailbox.View) ([]storage.Range, storage.ModSeq, error) {
	ch, err := tx.Changes(m.id, m.seen)
	if errors.Is(err, storage.ErrFloor) {
		coll, err := tx.Collection(m.id)
		if err != nil {
			return nil, 0, err
		}
		return old.Ranges(), coll.Highest, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return intersect(ch.Changed, old.Ranges()), ch.To, nil
}

// tellChanged writes FETCH responses until the view has said enough, and
// returns what is left to say.
func (s *session) tellChanged(tx *storage.Tx, box *mailbox.Mailbox, todo []storage.Range) []storage.Range {
	m := s.sel
	since := m.seen
	for i, r := range todo {
		var stopped storage.ItemID
		mailbox.Scan(tx, box, r.From, r.To, func(msg mailbox.Message) bool {
			if s.held() >= viewBatch {
				stopped = msg.UID
				return false
			}
			if seq := m.view.Seq(msg.UID); seq != 0 && msg.ModSeq > since && !m.known(msg.ModSeq) {
				s.fetchFlags(box, seq, msg)
			}
			return true
		})
		if stopped != 0 {
			rest := append([]storage.Range{{From: stopped, To: r.To}}, todo[i+1:]...)
			return rest
		}
	}
	return nil
}

// fetchFlags writes one FETCH response with UID and FLAGS, and MODSEQ once
// CONDSTORE is on (RFC 7162 §3.1).
func (s *session) fetchFlags(box *mailbox.Mailbox, seq uint32, msg mailbox.Message) {
	e := s.enc
	e.Raw("* ").Uint(uint64(seq)).Raw(" FETCH (UID ").Uint(uint64(msg.UID)).Raw(" FLAGS (")
	for i, f := range box.FlagNames(msg.Flags) {
		if i > 0 {
			e.SP()
		}
		e.Raw(f)
	}
	e.Raw(")")
	if s.condstore {
		e.Raw(" MODSEQ (").Uint(uint64(msg.ModSeq)).Raw(")")
	}
	e.Raw(")").CRLF()
}

// tellKeywords sends FLAGS and PERMANENTFLAGS again when keywords have come up
// that the client has not heard of.
func (s *session) tellKeywords(box *mailbox.Mailbox) {
	if len(box.Keywords) > s.sel.keywords {
		s.flagsResponses(box)
	}
}
