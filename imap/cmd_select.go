package imap

import (
	"strings"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdSelect is SELECT (RFC 9051 §6.3.2) with CONDSTORE (RFC 7162 §3.1.8).
func (s *session) cmdSelect(c *command) error { return s.openMailbox(c, false) }

// cmdExamine is EXAMINE: the same, and nothing can be changed.
func (s *session) cmdExamine(c *command) error { return s.openMailbox(c, true) }

// openMailbox selects a mailbox. Whatever happens, the one selected before is
// left, and its pending news with it.
func (s *session) openMailbox(c *command, readOnly bool) error {
	a, err := s.dec.Select(s.utf8Names())
	if err != nil {
		return err
	}
	if s.sel != nil {
		s.unselect()
		s.untagged("OK [CLOSED] left the mailbox selected before")
	}
	box, p, err := s.find(a.Mailbox)
	if err != nil {
		return err
	}
	if a.CondStore {
		s.enableCondstore()
	}
	m, box, err := s.look(box, p.prefix, readOnly)
	if err != nil {
		return err
	}
	s.sel, s.state = m, selectedState
	s.selectResponses(box)
	c.code, c.text = "READ-WRITE", "selected"
	if m.readOnly {
		c.code, c.text = "READ-ONLY", "selected, read-only"
	}
	s.trace.Event("selected", "mailbox", box.Name)
	return nil
}

// find opens a mailbox to be read, in a View of its own.
func (s *session) find(name string) (box *mailbox.Mailbox, p place, err error) {
	err = s.srv.DB.View(func(tx *storage.Tx) (err error) {
		box, p, err = s.openAt(tx, name, storage.RightRead)
		return err
	})
	return box, p, err
}

// look makes a session's view of a mailbox: the watch first, then the read. The
// header it returns is of the same moment as the view, or close to it when the
// mailbox changes faster than it can be read.
func (s *session) look(box *mailbox.Mailbox, prefix string, readOnly bool) (*selected, *mailbox.Mailbox, error) {
	m := &selected{id: box.ID, account: box.Account, name: prefix + box.Name, uidValidity: box.UIDValidity, prefix: prefix}
	m.stop = s.srv.DB.Watch(box.Account, func() {
		m.dirty.Store(true)
		s.nudged()
	})
	for range 5 {
		v, err := s.srv.Views.Get(s.srv.DB, m.id)
		if err == nil {
			err = s.srv.DB.View(func(tx *storage.Tx) (err error) {
				if box, err = mailbox.ByID(tx, m.id); err == nil {
					m.rights = s.rights(tx, box)
				}
				return err
			})
		}
		if err != nil {
			m.stop()
			return nil, nil, err
		}
		m.view, m.seen, m.keywords = v, v.ModSeq(), len(box.Keywords)
		if box.Highest == m.seen {
			break
		}
	}
	m.readOnly = readOnly || m.rights&changes == 0 || s.srv.DB.ReadOnly() != ""
	return m, box, nil
}

// selectResponses are the untagged answers that SELECT owes.
func (s *session) selectResponses(box *mailbox.Mailbox) {
	m := s.sel
	s.flagsResponses(box)
	s.untagged("%d EXISTS", m.view.Len())
	if !s.rev2 {
		s.untagged("0 RECENT")
	}
	s.untagged("OK [UIDVALIDITY %d] UIDs are good", m.uidValidity)
	s.untagged("OK [UIDNEXT %d] next", box.NextItem)
	s.untagged("OK [HIGHESTMODSEQ %d] highest", m.seen)
	if s.rev2 {
		s.enc.Raw(`* LIST () "/" `).Mailbox(m.name, true).CRLF()
	}
}

// flagsResponses tells the flags that exist and those that this session can
// change for good (RFC 4314 §5.1.1).
func (s *session) flagsResponses(box *mailbox.Mailbox) {
	s.sel.keywords = len(box.Keywords)
	all := append([]string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}, box.Keywords...)
	s.untagged("FLAGS (%s)", strings.Join(all, " "))
	if s.sel.readOnly {
		s.untagged("OK [PERMANENTFLAGS ()] read-only")
		return
	}
	may := mayBeFlagged(s.sel.rights, all)
	if s.sel.rights.Has(storage.RightWrite) {
		may = append(may, `\*`)
	}
	s.untagged("OK [PERMANENTFLAGS (%s)] kept", strings.Join(may, " "))
}
