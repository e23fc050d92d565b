package imap

import (
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdAppend is APPEND (RFC 9051 §6.3.12), with APPENDUID (RFC 4315). What can be
// refused is refused before the client is asked for the message; the message
// streams into a staged body.
func (s *session) cmdAppend(c *command) error {
	a, err := s.dec.Append(s.utf8Names())
	if err != nil {
		return err
	}
	if a.Size > s.srv.limits.Message {
		return no("TOOBIG", fmt.Sprintf("messages have at most %d octets", s.srv.limits.Message))
	}
	if err := s.mayAppend(a.Mailbox, a.Size); err != nil {
		return err
	}
	if err := s.dec.AppendBody(a); err != nil {
		return err
	}
	w := s.srv.DB.Stage()
	n, err := io.CopyN(w, s.dec, a.Size)
	if err != nil {
		w.Abort()
		if n < a.Size && s.conn.broken == nil {
			// The disk failed us: the rest of the message must still be read.
			if _, e := io.CopyN(io.Discard, s.dec, a.Size-n); e != nil {
				return e
			}
		}
		return err
	}
	if err := s.dec.CRLF(); err != nil {
		w.Abort()
		return err
	}
	staged, err := w.Finish()
	if err != nil {
		return err
	}
	in, err := mailbox.Prepare(staged)
	if err != nil {
		staged.Discard()
		return err
	}
	now := time.Now()
	if a.Date.IsZero() {
		a.Date = now
	}
	var uid storage.ItemID
	var validity uint32
	err = s.update(func(tx *storage.Tx) error {
		box, err := s.open(tx, a.Mailbox, storage.RightInsert)
		if err != nil {
			return tryCreate(a.Mailbox, err)
		}
		validity = box.UIDValidity
		uid, err = mailbox.Append(tx, box, in, mayBeFlagged(s.rights(tx, box), a.Flags), a.Date, now)
		return err
	})
	if err != nil {
		in.Discard()
		return err
	}
	c.code = fmt.Sprintf("APPENDUID %d %d", validity, uid)
	return nil
}

// mayAppend looks for the reasons that are known before the message is.
func (s *session) mayAppend(name string, size int64) error {
	return s.srv.DB.View(func(tx *storage.Tx) error {
		box, err := s.open(tx, name, storage.RightInsert)
		if err != nil {
			return tryCreate(name, err)
		}
		used, limit := tx.Quota(tx.Household(box.Account))
		if limit > 0 && used+size > limit {
			return storage.ErrQuota
		}
		return nil
	})
}
