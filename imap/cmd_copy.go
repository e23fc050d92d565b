package imap

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdCopy is COPY and UID COPY (RFC 9051 §6.4.7), with COPYUID (RFC 4315).
func (s *session) cmdCopy(c *command) error { return s.transfer(c, mailbox.Copy, storage.RightRead) }

// cmdMove is MOVE and UID MOVE (RFC 6851): one commit, so that no message is in
// both mailboxes or in none. The COPYUID comes before the EXPUNGEs.
func (s *session) cmdMove(c *command) error {
	if s.sel.readOnly {
		if _, _, err := s.dec.SetMailbox(s.utf8Names()); err != nil {
			return err
		}
		return s.writable()
	}
	return s.transfer(c, mailbox.Move, storage.RightRead|storage.RightDeleteItems|storage.RightExpunge)
}

// A transfer is mailbox.Copy or mailbox.Move.
type transfer func(tx *storage.Tx, from, to *mailbox.Mailbox, uids []storage.Range, may mailbox.Flags, now time.Time) ([]mailbox.Pair, error)

// transfer copies or moves. Messages that are gone already are passed over: the
// client wanted them out of the way, and they are.
func (s *session) transfer(c *command, how transfer, want storage.Rights) error {
	set, name, err := s.dec.SetMailbox(s.utf8Names())
	if err != nil {
		return err
	}
	uids, err := s.sel.resolve(set, c.uid)
	if err != nil {
		return err
	}
	now := time.Now()
	var pairs []mailbox.Pair
	var validity uint32
	err = s.update(func(tx *storage.Tx) error {
		from, _, err := s.current(tx, want)
		if err != nil {
			return err
		}
		to, err := s.open(tx, name, storage.RightInsert)
		if err != nil {
			return tryCreate(name, err)
		}
		validity = to.UIDValidity
		pairs, err = how(tx, from, to, uids, mayFlag(s.rights(tx, to)), now)
		return err
	})
	if err != nil || len(pairs) == 0 {
		return err
	}
	code := copyUID(validity, pairs)
	if c.name == "MOVE" || c.name == "UID MOVE" {
		s.untagged("OK [%s] moved", code)
		return nil
	}
	c.code = code
	return nil
}

func copyUID(validity uint32, pairs []mailbox.Pair) string {
	var from, to []imapwire.Span
	for _, p := range pairs {
		from, to = appendNumber(from, uint32(p.From)), appendNumber(to, uint32(p.To))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "COPYUID %d ", validity)
	writeSpans(&b, from)
	b.WriteByte(' ')
	writeSpans(&b, to)
	return b.String()
}

func writeNumber(b *strings.Builder, n uint32) { b.WriteString(strconv.FormatUint(uint64(n), 10)) }

// cmdExpunge is EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9). The refresh
// behind it tells which messages went.
func (s *session) cmdExpunge(c *command) error {
	var uids []storage.Range
	if c.uid {
		set, err := s.dec.SetOnly()
		if err != nil {
			return err
		}
		if uids, err = s.sel.resolve(set, true); err != nil {
			return err
		}
		if uids == nil {
			uids = []storage.Range{}
		}
	} else if err := s.dec.CRLF(); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	return s.update(func(tx *storage.Tx) error {
		box, _, err := s.current(tx, storage.RightExpunge)
		if err != nil {
			return err
		}
		_, err = mailbox.Expunge(tx, box, uids)
		return err
	})
}
