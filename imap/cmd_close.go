package imap

import (
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdClose is CLOSE (RFC 9051 §6.4.1): what is marked \Deleted goes, unless the
// mailbox is open read-only or there is no right to (RFC 4314 §4); the client is not told which.
func (s *session) cmdClose(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	m := s.sel
	if !m.readOnly {
		err := s.update(func(tx *storage.Tx) error {
			box, r, err := s.current(tx, 0)
			if err != nil || !r.Has(storage.RightExpunge) {
				return err
			}
			_, err = mailbox.Expunge(tx, box, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	s.unselect()
	return nil
}

// cmdUnselect is UNSELECT (RFC 3691).
func (s *session) cmdUnselect(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.unselect()
	return nil
}
