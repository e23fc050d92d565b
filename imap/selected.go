package imap

import (
	"sync/atomic"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// selected is the mailbox a session looks at, as its client knows it: the
// sequence numbers are those of view, an immutable snapshot shared with every
// other session that looks at the same state. A command works on one view from
// its first byte to its last; only refresh moves on to a newer one, and only
// when the command allows EXPUNGE to be sent (RFC 9051 §7.5.1, RFC 2180 §4).
type selected struct {
	id          storage.CollectionID
	account     storage.AccountID // whose mailbox it is
	name        string            // as the client sees it
	prefix      string            // and what of it is not the owner's
	uidValidity uint32
	rights      storage.Rights // at the last look
	readOnly    bool           // EXAMINE, or no right to change anything

	view     *mailbox.View
	seen     storage.ModSeq   // flag changes up to here have been told
	own      []storage.ModSeq // changes of the session's own, told by the command
	keywords int              // how many keywords the last FLAGS response told
	saved    []storage.Range  // SEARCHRES: the UIDs of $

	unheard bool // an EXISTS went out behind a UID FETCH, where Thunderbird passes it over

	dirty atomic.Bool // something in the account changed since the last refresh
	stop  func()      // ends the watch
}

// count is the number of messages the client knows of.
func (m *selected) count() uint32 { return uint32(m.view.Len()) }

// newest is the UID of the last message the client knows of, 0 for none.
func (m *selected) newest() storage.ItemID {
	if m == nil || m.view == nil {
		return 0
	}
	return m.view.UID(m.count())
}

// told notes that the session's client has heard the outcome of a change of its
// own, which brought the mailbox from one ModSeq to another: refresh will not
// repeat it, nor look for it when nothing was between.
func (m *selected) told(from, to storage.ModSeq) {
	if from <= m.seen {
		m.seen = to
	} else {
		m.own = append(m.own, to)
	}
}

// known reports whether the change at modseq was announced through told.
func (m *selected) known(at storage.ModSeq) bool {
	for _, o := range m.own {
		if o == at {
			return true
		}
	}
	return false
}

// unselect leaves the mailbox; nothing is expunged.
func (s *session) unselect() {
	if s.sel == nil {
		return
	}
	s.sel.stop()
	s.sel = nil
	if s.state == selectedState {
		s.state = authed
	}
}

// writable is the refusal of a command that changes a mailbox opened read-only.
func (s *session) writable() error {
	if s.sel.readOnly {
		return no("NOPERM", "the mailbox is open read-only")
	}
	return nil
}

// resolve turns a set of sequence numbers, or of UIDs, into sorted ranges of
// UIDs that are in the session's view. * is the last message. UIDs that do not
// exist are passed over; sequence numbers that do not are the client's mistake
// (RFC 9051 §9, seq-number). $ is what the last SEARCH RETURN (SAVE) found and
// is still there (RFC 5182).
func (m *selected) resolve(set imapwire.Set, uid bool) ([]storage.Range, error) {
	if set.Saved {
		return intersect(m.saved, m.view.Ranges()), nil
	}
	n := m.count()
	out := make([]storage.Range, 0, len(set.Spans))
	for _, r := range set.Spans {
		from, to := r.From, r.To
		last := n
		if uid {
			last = 0
			if n > 0 {
				last = uint32(m.view.UID(n))
			}
		}
		if from == 0 {
			from = last
		}
		if to == 0 {
			to = last
		}
		if from > to {
			from, to = to, from
		}
		if !uid {
			if from == 0 || to > n {
				return nil, bad("no message has this number")
			}
			from, to = uint32(m.view.UID(from)), uint32(m.view.UID(to))
		}
		if n > 0 {
			out = append(out, storage.Range{From: storage.ItemID(from), To: storage.ItemID(to)})
		}
	}
	return intersect(union(out), m.view.Ranges()), nil
}
