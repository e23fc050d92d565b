package imap

import (
	"strings"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdStore is STORE and UID STORE (RFC 9051 §6.4.6) with UNCHANGEDSINCE (RFC
// 7162 §3.1.3). All its messages change in one commit, with one ModSeq.
func (s *session) cmdStore(c *command) error {
	a, err := s.dec.Store()
	if err != nil {
		return err
	}
	if a.Conditional {
		s.enableCondstore()
	}
	if err := s.writable(); err != nil {
		return err
	}
	uids, err := s.sel.resolve(a.Set, c.uid)
	if err != nil {
		return err
	}
	op := map[byte]mailbox.Op{0: mailbox.Set, '+': mailbox.Add, '-': mailbox.Clear}[a.Op]
	since := storage.ModSeq(a.UnchangedSince)
	var changed, modified []storage.Range
	var from, to storage.ModSeq
	err = s.update(func(tx *storage.Tx) error {
		box, r, err := s.current(tx, 0)
		if err != nil {
			return err
		}
		flags := mayBeFlagged(r, a.Flags)
		if mayFlag(r) == 0 || len(flags) == 0 && len(a.Flags) > 0 {
			return storage.ErrPermission // of some, the permitted are changed (RFC 4314 §4)
		}
		if a.Conditional && since == 0 { // fails for every message that exists
			modified = uids
			return nil
		}
		from = box.Highest
		changed, modified, err = mailbox.SetFlags(tx, box, uids, mailbox.FlagChange{Op: op, Flags: flags, May: mayFlag(r), UnchangedSince: since})
		to = box.Highest
		return err
	})
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		s.sel.told(from, to)
	}
	if err := s.tellStored(a, missing(uids, modified), changed); err != nil {
		return err
	}
	if len(modified) > 0 {
		c.code, c.text = "MODIFIED "+s.numbers(modified, c.uid), "some messages have changed meanwhile"
	}
	return nil
}

// tellStored answers with the flags as they now are; a silent STORE only tells
// the new ModSeq, and that to who asked for CONDSTORE.
func (s *session) tellStored(a imapwire.StoreArgs, stored, changed []storage.Range) error {
	todo := stored
	if a.Silent {
		if todo = changed; !s.condstore {
			return nil
		}
	}
	for len(todo) > 0 {
		err := s.view(func(tx *storage.Tx) error {
			box, err := mailbox.ByID(tx, s.sel.id)
			if err != nil {
				return err
			}
			if !a.Silent {
				s.tellKeywords(box)
			}
			todo = s.tellEach(tx, box, todo, func(seq uint32, m mailbox.Message) {
				if a.Silent {
					s.enc.Raw("* ").Uint(uint64(seq)).Raw(" FETCH (UID ").Uint(uint64(m.UID)).Raw(" MODSEQ (").Uint(uint64(m.ModSeq)).Raw("))").CRLF()
				} else {
					s.fetchFlags(box, seq, m)
				}
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellEach calls fn for the messages in ranges until the view has said enough,
// and returns what is left.
func (s *session) tellEach(tx *storage.Tx, box *mailbox.Mailbox, todo []storage.Range, fn func(seq uint32, m mailbox.Message)) []storage.Range {
	v := s.sel.view
	for i, r := range todo {
		var stopped storage.ItemID
		mailbox.Scan(tx, box, r.From, r.To, func(m mailbox.Message) bool {
			if s.held() >= viewBatch {
				stopped = m.UID
				return false
			}
			if seq := v.Seq(m.UID); seq != 0 {
				fn(seq, m)
			}
			return true
		})
		if stopped != 0 {
			return append([]storage.Range{{From: stopped, To: r.To}}, todo[i+1:]...)
		}
	}
	return nil
}

// numbers writes UIDs, or the sequence numbers they have here, as a set.
func (s *session) numbers(uids []storage.Range, uid bool) string {
	var spans []imapwire.Span
	for _, r := range uids {
		if uid {
			spans = append(spans, imapwire.Span{From: uint32(r.From), To: uint32(r.To)})
			continue
		}
		for id := r.From; id <= r.To && id != 0; id++ {
			spans = appendNumber(spans, s.sel.view.Seq(id))
		}
	}
	var b strings.Builder
	writeSpans(&b, spans)
	return b.String()
}

// appendNumber adds a number that is greater than those before; 0 is none.
func appendNumber(spans []imapwire.Span, n uint32) []imapwire.Span {
	if n == 0 {
		return spans
	}
	if k := len(spans); k > 0 && spans[k-1].To+1 == n {
		spans[k-1].To = n
		return spans
	}
	return append(spans, imapwire.Span{From: n, To: n})
}

func writeSpans(b *strings.Builder, spans []imapwire.Span) {
	for i, r := range spans {
		if i > 0 {
			b.WriteByte(',')
		}
		writeNumber(b, r.From)
		if r.To != r.From {
			b.WriteByte(':')
			writeNumber(b, r.To)
		}
	}
}
