package imap

import (
	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdStatus is STATUS (RFC 9051 §6.3.11) with SIZE (RFC 8438) and
// HIGHESTMODSEQ (RFC 7162). It reads one header row, whatever the mailbox holds.
func (s *session) cmdStatus(*command) error {
	a, err := s.dec.Status(s.utf8Names())
	if err != nil {
		return err
	}
	box, p, err := s.find(a.Mailbox)
	if err != nil {
		return err
	}
	if a.Items.HighestModSeq {
		s.enableCondstore()
	}
	s.statusLine(p.prefix+box.Name, box, a.Items)
	return nil
}

// statusLine writes one STATUS response.
func (s *session) statusLine(name string, box *mailbox.Mailbox, items imapwire.StatusItems) {
	e := s.enc
	e.Raw("* STATUS ").Mailbox(name, s.utf8Names()).Raw(" (")
	first := true
	put := func(asked bool, word string, n uint64) {
		if !asked {
			return
		}
		if !first {
			e.SP()
		}
		first = false
		e.Raw(word).SP().Uint(n)
	}
	put(items.Messages, "MESSAGES", uint64(box.Count))
	put(items.Recent, "RECENT", 0)
	put(items.UIDNext, "UIDNEXT", uint64(box.NextItem))
	put(items.UIDValidity, "UIDVALIDITY", uint64(box.UIDValidity))
	put(items.Unseen, "UNSEEN", uint64(box.Unseen))
	put(items.Deleted, "DELETED", uint64(box.Deleted))
	put(items.Size, "SIZE", uint64(box.Bytes))
	put(items.HighestModSeq, "HIGHESTMODSEQ", uint64(box.Highest))
	put(items.AppendLimit, "APPENDLIMIT", uint64(s.srv.limits.Message))
	e.Raw(")").CRLF()
}
