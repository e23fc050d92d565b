package imap

import (
	"errors"
	"slices"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdFetch is FETCH and UID FETCH (RFC 9051 §6.4.5) with MODSEQ and CHANGEDSINCE
// (RFC 7162). What the index knows is answered inside a view, many messages at
// a time; what needs the message itself is read between two views.
func (s *session) cmdFetch(c *command) error {
	a, err := s.dec.Fetch()
	if err != nil {
		return err
	}
	if a.ModSeq || a.HasChangedSince {
		s.enableCondstore()
	}
	if a.HasChangedSince {
		a.ModSeq = true
	}
	a.UID = a.UID || c.uid
	uids, err := s.sel.resolve(a.Set, c.uid)
	if err != nil {
		return err
	}
	if a.HasChangedSince {
		if uids, err = s.changedAmong(uids, storage.ModSeq(a.ChangedSince)); err != nil {
			return err
		}
	}
	if err := s.markSeen(a, uids); err != nil {
		return err
	}
	f := &fetcher{session: s, FetchArgs: a}
	f.plan()
	return f.run(uids)
}

// changedAmong narrows UIDs to those that may have changed, by the log. Below
// its floor the hot rows tell.
func (s *session) changedAmong(uids []storage.Range, since storage.ModSeq) ([]storage.Range, error) {
	var ch storage.Changes
	err := s.srv.DB.View(func(tx *storage.Tx) (err error) {
		ch, err = tx.Changes(s.sel.id, since)
		return err
	})
	if errors.Is(err, storage.ErrFloor) {
		return uids, nil
	}
	return intersect(uids, ch.Changed), err
}

// markSeen sets \Seen when a body is asked for without PEEK; the responses then
// have the new flags.
func (s *session) markSeen(a imapwire.FetchArgs, uids []storage.Range) error {
	marks := false
	for _, sec := range a.Sections {
		marks = marks || !sec.Peek
	}
	if !marks || s.sel.readOnly {
		return nil
	}
	return s.update(func(tx *storage.Tx) error {
		box, r, err := s.current(tx, 0)
		if err == nil {
			_, _, err = mailbox.SetFlags(tx, box, uids, mailbox.FlagChange{Op: mailbox.Add, Flags: []string{`\Seen`}, May: mayFlag(r)})
		}
		return err
	})
}

// A fetcher carries out one FETCH.
type fetcher struct {
	*session
	imapwire.FetchArgs
	cold    bool         // the index row is needed
	part    mailbox.Part // and how much of it
	row     mailbox.Cold
	bodies  bool      // every message itself is needed
	buf     []byte    // one response
	section []byte    // one section's text
	waiting []fetched // messages to be read, in this batch
}

// A fetched message waits for its body.
type fetched struct {
	msg   mailbox.Message
	seq   uint32
	flags []string
	cold  mailbox.Cold
}

// plan decides where the answers come from.
func (f *fetcher) plan() {
	f.cold = f.Envelope || f.BodyStructure || f.Body || len(f.Sections) > 0
	f.bodies = f.Body
	for _, sec := range f.Sections {
		if sec.Spec != "HEADER.FIELDS" || len(sec.Part) > 0 || !mailbox.Keeps(sec.Fields) {
			f.bodies = true
		}
	}
	parts := slices.ContainsFunc(f.Sections, func(s imapwire.Section) bool { return len(s.Part) > 0 })
	switch {
	case f.BodyStructure || parts:
		f.part = mailbox.Everything
	case f.Envelope || !f.bodies:
		f.part = mailbox.Headers
	}
}

const bodyBatch = 32 // messages noted in one view and then read

func (f *fetcher) run(todo []storage.Range) error {
	for len(todo) > 0 {
		f.waiting = f.waiting[:0]
		err := f.view(func(tx *storage.Tx) error {
			box, err := mailbox.ByID(tx, f.sel.id)
			if err != nil {
				return err
			}
			if f.Flags {
				f.tellKeywords(box)
			}
			todo, err = f.batch(tx, box, todo)
			return err
		})
		if errors.Is(err, storage.ErrNotFound) {
			return nil // the mailbox is gone; the refresh says so
		}
		if err != nil {
			return err
		}
		for i := range f.waiting {
			if err := f.whole(&f.waiting[i]); err != nil {
				return err
			}
		}
		if f.conn.broken != nil {
			return f.conn.broken
		}
	}
	return nil
}

// batch answers from the index until the view has said enough, and returns what
// is left.
func (f *fetcher) batch(tx *storage.Tx, box *mailbox.Mailbox, todo []storage.Range) (rest []storage.Range, err error) {
	v := f.sel.view
	for i, r := range todo {
		var stopped storage.ItemID
		mailbox.Scan(tx, box, r.From, r.To, func(m mailbox.Message) bool {
			if f.held() >= viewBatch || len(f.waiting) >= bodyBatch {
				stopped = m.UID
				return false
			}
			seq := v.Seq(m.UID)
			if seq == 0 || f.HasChangedSince && m.ModSeq <= storage.ModSeq(f.ChangedSince) {
				return true
			}
			err = f.one(tx, box, seq, m)
			return err == nil
		})
		if err != nil {
			return nil, err
		}
		if stopped != 0 {
			return append([]storage.Range{{From: stopped, To: r.To}}, todo[i+1:]...), nil
		}
	}
	return nil, nil
}

// one answers for a message from the index, or notes it for reading.
func (f *fetcher) one(tx *storage.Tx, box *mailbox.Mailbox, seq uint32, m mailbox.Message) error {
	c := &f.row
	if f.cold {
		if err := c.Read(tx, m.Body, f.part); err != nil {
			return err
		}
	}
	if !f.bodies {
		f.start(seq, m, func(b []byte) []byte { return box.AppendFlags(b, m.Flags) })
		if f.Envelope {
			f.buf = c.AppendEnvelope(append(f.buf, " ENVELOPE "...))
		}
		if f.BodyStructure {
			f.buf = append(append(f.buf, " BODYSTRUCTURE "...), c.Structure()...)
		}
		known := true
		for i := range f.Sections {
			if f.section, known = c.AppendFields(f.section[:0], f.Sections[i].Fields); !known {
				break
			}
			f.text(&f.Sections[i], f.section)
		}
		if known {
			f.finish()
			return nil
		}
	}
	f.waiting = append(f.waiting, fetched{msg: m, seq: seq, flags: box.FlagNames(m.Flags), cold: *c})
	f.row = mailbox.Cold{} // its buffer is taken
	return nil
}

const internalDate = "_2-Jan-2006 15:04:05 -0700"

// start begins a response with what the hot row has.
func (f *fetcher) start(seq uint32, m mailbox.Message, flags func([]byte) []byte) {
	b := append(f.buf[:0], "* "...)
	b = appendUint(b, uint64(seq))
	b = append(b, " FETCH ("...)
	if f.UID {
		b = appendUint(append(b, " UID "...), uint64(m.UID))
	}
	if f.Flags || f.seenToo() {
		b = append(flags(append(b, " FLAGS ("...)), ')')
	}
	if f.InternalDate {
		b = append(b, ` INTERNALDATE "`...)
		b = append(time.Unix(m.Internal, 0).UTC().AppendFormat(b, internalDate), '"')
	}
	if f.SaveDate { // RFC 8514
		b = append(b, ` SAVEDATE "`...)
		b = append(time.Unix(int64(m.Saved), 0).UTC().AppendFormat(b, internalDate), '"')
	}
	if f.Size {
		b = appendUint(append(b, " RFC822.SIZE "...), uint64(m.Size))
	}
	if f.ModSeq || f.condstore && f.Flags {
		b = append(appendUint(append(b, " MODSEQ ("...), uint64(m.ModSeq)), ')')
	}
	f.buf = b
}

// seenToo reports whether flags are owed because a body is marked as read.
func (f *fetcher) seenToo() bool {
	for i := range f.Sections {
		if !f.Sections[i].Peek && !f.sel.readOnly {
			return true
		}
	}
	return false
}

// text adds a section whose whole text is at hand.
func (f *fetcher) text(sec *imapwire.Section, text []byte) {
	f.buf = appendSection(f.buf, sec, int64(len(text)))
	from, n := sec.Cut(int64(len(text)))
	f.buf = append(f.buf, text[from:from+n]...)
}

// finish ends a response. The first item is not preceded by a space.
func (f *fetcher) finish() {
	f.enc.Bytes(trimFirst(f.buf)).Raw(")").CRLF()
}
