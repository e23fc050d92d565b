package imap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"essaim.coop/essaim/imap/imapwire"
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
	in, err := s.receive(a)
	if err != nil {
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

// receive takes in the message. Whatever is wrong with it or with the disk, it
// is read to its end: the next command stands behind it.
func (s *session) receive(a imapwire.AppendArgs) (*mailbox.Incoming, error) {
	w := s.srv.DB.Stage()
	r := &nulReader{r: io.LimitReader(s.dec, a.Size)}
	n, err := io.Copy(w, r)
	if err == nil && n < a.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !fatal(err) { // the disk failed us
		if _, e := io.Copy(io.Discard, r); e != nil {
			err = e
		}
	}
	if !fatal(err) {
		if e := s.dec.CRLF(); err == nil || fatal(e) {
			err = e
		}
	}
	switch {
	case err == nil && r.seen && a.Binary:
		err = no("UNKNOWN-CTE", "messages with NUL in them are not kept") // RFC 3516 §4.4
	case err == nil && r.seen:
		err = bad("a message has NUL in it") // RFC 9051 §4.3
	case err != nil && !fatal(err):
		err = staging(err)
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	staged, err := w.Finish()
	if err != nil {
		return nil, staging(err)
	}
	in, err := mailbox.Prepare(staged)
	if err != nil {
		staged.Discard()
		return nil, staging(err)
	}
	return in, nil
}

// staging gives an error of the disk the house's word.
func staging(err error) error {
	var r *refusal
	var syntax *imapwire.Error
	switch {
	case errors.As(err, &r), errors.As(err, &syntax), errors.Is(err, storage.ErrInvalid):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", storage.ErrTemporary, err)
}

// A nulReader notes whether there was a NUL.
type nulReader struct {
	r    io.Reader
	seen bool
}

func (n *nulReader) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	n.seen = n.seen || bytes.IndexByte(p[:k], 0) >= 0
	return k, err
}

// mayAppend looks for the reasons that are known before the message is.
func (s *session) mayAppend(name string, size int64) error {
	if s.srv.DB.ReadOnly() != "" {
		return storage.ErrReadOnly
	}
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
