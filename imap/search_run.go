package imap

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A matcher decides which messages a search finds. It looks at what is cheap
// first: the hot rows, then the signatures of the texts, then the index row,
// and only then at the messages themselves. Those that have no signature yet
// get one on the way.
type matcher struct {
	*session
	key     *imapwire.SearchKey
	now     time.Time
	modseq  bool
	sets    map[*imapwire.SearchKey][]storage.Range
	texts   map[*imapwire.SearchKey]*needle
	longest int  // of the texts
	bodies  bool // BODY or TEXT is asked: a message without signature is read

	found   []storage.Range
	highest storage.ModSeq

	box     *mailbox.Mailbox
	row     mailbox.Cold
	folded  []byte
	signer  *mailbox.Signer
	signed  []signature // not kept yet
	waiting int         // bytes of them
}

// A needle is a text that is looked for, folded.
type needle struct {
	text []byte
	tri  mailbox.Trigrams
}

// A signature waits to be kept.
type signature struct {
	id   mailbox.MsgID
	bits []byte
}

func (s *session) newMatcher(key *imapwire.SearchKey, now time.Time) (*matcher, error) {
	m := &matcher{session: s, key: key, now: now,
		sets: map[*imapwire.SearchKey][]storage.Range{}, texts: map[*imapwire.SearchKey]*needle{}}
	return m, m.prepare(key)
}

// prepare folds texts and resolves sets, once.
func (m *matcher) prepare(k *imapwire.SearchKey) error {
	switch k.Op {
	case "SET", "UID":
		r, err := m.sel.resolve(k.Set, k.Op == "UID")
		if err != nil {
			return err
		}
		m.sets[k] = r
	case "MODSEQ":
		m.modseq = true
	case "BCC", "CC", "FROM", "SUBJECT", "TO", "HEADER", "BODY", "TEXT":
		n := &needle{text: mailbox.Fold(nil, []byte(k.Text))}
		n.tri = mailbox.TrigramsOf(n.text)
		m.texts[k] = n
		m.longest = max(m.longest, len(n.text))
		m.bodies = m.bodies || k.Op == "BODY" || k.Op == "TEXT"
	}
	for i := range k.Keys {
		if err := m.prepare(&k.Keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// search goes through the view of the mailbox. What has to be read is read
// between two views of the store.
func (m *matcher) search() (found []storage.Range, highest storage.ModSeq, err error) {
	todo := m.sel.view.Ranges()
	for told := m.now; len(todo) > 0; {
		if now := time.Now(); now.Sub(told) >= searchSilence {
			told = now
			m.untagged("OK still searching")
			if err := m.conn.flush(); err != nil {
				return nil, 0, err
			}
		}
		var unsure []candidate
		err := m.srv.DB.View(func(tx *storage.Tx) (err error) {
			if m.box, err = mailbox.ByID(tx, m.sel.id); err != nil {
				return err
			}
			unsure, todo, err = m.batch(tx, todo)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		for i := range unsure {
			if m.srv.closing.Load() {
				return nil, 0, storage.ErrTemporary
			}
			if err := m.read(&unsure[i]); err != nil {
				return nil, 0, err
			}
		}
	}
	m.keepSignatures(0)
	return union(m.found), m.highest, nil
}

// searchSilence is how long a search says nothing: a client that hears nothing
// gives up, and one that has gone need not be searched for.
var searchSilence = 10 * time.Second

// hit notes a message that is found.
func (m *matcher) hit(msg mailbox.Message) {
	m.highest = max(m.highest, msg.ModSeq)
	if n := len(m.found); n > 0 && m.found[n-1].To+1 == msg.UID {
		m.found[n-1].To = msg.UID
		return
	}
	m.found = append(m.found, storage.Range{From: msg.UID, To: msg.UID})
}

// How much of a mailbox one view goes through.
const (
	searchRows   = 4000 // whose texts have to be looked at
	searchUnsure = 200  // that have to be read
)

// batch decides about messages by what the index has. rest is what it did not
// come to.
func (m *matcher) batch(tx *storage.Tx, todo []storage.Range) (unsure []candidate, rest []storage.Range, err error) {
	var texts []mailbox.Message
	for i, r := range todo {
		var stopped storage.ItemID
		mailbox.Scan(tx, m.box, r.From, r.To, func(msg mailbox.Message) bool {
			if len(texts) >= searchRows {
				stopped = msg.UID
				return false
			}
			switch m.match(m.key, &candidate{msg: msg}) {
			case yes:
				m.hit(msg)
			case maybe:
				texts = append(texts, msg)
			}
			return true
		})
		if stopped != 0 {
			rest = append([]storage.Range{{From: stopped, To: r.To}}, todo[i+1:]...)
			break
		}
	}
	unsure, left, err := m.bySignature(tx, texts)
	if len(left) > 0 {
		rest = union(append(left, rest...))
	}
	return unsure, rest, err
}

// bySignature decides about messages by their signatures and index rows. left
// are those it did not come to.
func (m *matcher) bySignature(tx *storage.Tx, msgs []mailbox.Message) (unsure []candidate, left []storage.Range, err error) {
	slices.SortFunc(msgs, func(a, b mailbox.Message) int { return cmp.Compare(a.Body, b.Body) })
	look := func(msg mailbox.Message, sig []byte) {
		switch {
		case err != nil:
			return
		case len(unsure) >= searchUnsure:
			left = append(left, storage.Range{From: msg.UID, To: msg.UID})
			return
		}
		c := candidate{msg: msg, sig: sig}
		a := m.match(m.key, &c)
		if a == maybe {
			c.cold = m.row
			if err = c.cold.Read(tx, msg.Body, mailbox.Headers); err != nil {
				return
			}
			c.indexed = true
			m.row = c.cold // its buffer is used again
			a = m.match(m.key, &c)
		}
		switch a {
		case yes:
			m.hit(msg)
		case maybe:
			c.indexed, c.sig, c.unsigned = false, nil, sig == nil
			unsure = append(unsure, c)
			m.row = mailbox.Cold{}
		}
	}
	if len(m.texts) == 0 { // only dates of header fields
		for _, msg := range msgs {
			look(msg, nil)
		}
		return unsure, left, err
	}
	var ids []mailbox.MsgID
	var at []int
	for i, msg := range msgs {
		if i == 0 || msg.Body != msgs[i-1].Body {
			ids, at = append(ids, msg.Body), append(at, i)
		}
	}
	mailbox.Signatures(tx, ids, func(i int, sig []byte) {
		for k := at[i]; k < len(msgs) && msgs[k].Body == ids[i]; k++ {
			look(msgs[k], sig)
		}
	})
	return unsure, left, err
}

// read decides an unsure candidate by reading the message.
func (m *matcher) read(c *candidate) error {
	body, err := mailbox.OpenBody(m.srv.DB, c.cold.Prefix(), c.cold.Blob)
	if errors.Is(err, storage.ErrNotFound) {
		return nil // expunged meanwhile
	}
	if err != nil {
		return err
	}
	defer body.Close()
	m.srv.Counters.SearchReads.Add(1)
	c.header = make([]byte, c.cold.Header)
	if _, err := body.ReadAt(c.header, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if m.bodies {
		if err := m.readText(c, body); err != nil {
			return err
		}
	}
	if m.match(m.key, c) == yes {
		m.hit(c.msg)
	}
	return nil
}

// readText looks for all texts at once, and makes the signature if there is
// none.
func (m *matcher) readText(c *candidate, body *mailbox.Body) error {
	c.found = map[*imapwire.SearchKey]bool{}
	missing := 0
	for k, n := range m.texts {
		if k.Op == "BODY" || k.Op == "TEXT" {
			c.found[k] = len(n.text) == 0
			missing++
		}
	}
	if c.unsigned {
		if m.signer == nil {
			m.signer = new(mailbox.Signer)
		}
		m.signer.Reset()
	}
	err := body.Text(max(m.longest, 2), func(piece []byte, header bool) bool {
		if c.unsigned {
			m.signer.Add(piece)
		}
		for k, had := range c.found {
			if !had && (k.Op == "TEXT" || !header) && bytes.Contains(piece, m.texts[k].text) {
				c.found[k] = true
				missing--
			}
		}
		return c.unsigned || missing > 0
	})
	if err == nil && c.unsigned {
		m.signed = append(m.signed, signature{c.msg.Body, m.signer.Append(nil)})
		m.waiting += len(m.signed[len(m.signed)-1].bits)
		m.keepSignatures(256 << 10)
	}
	return err
}

// keepSignatures writes what waits, if it is more than most bytes. A store that
// takes nothing, because it is full or only to be read, is searched all the same.
func (m *matcher) keepSignatures(most int) {
	if m.waiting <= most {
		return
	}
	err := m.srv.DB.Update(func(tx *storage.Tx) error {
		for _, s := range m.signed {
			mailbox.PutSignature(tx, s.id, s.bits)
		}
		return nil
	})
	if err != nil {
		m.log.Debug("imap search: signatures", "trace", m.id, "error", err)
	}
	m.signed, m.waiting = nil, 0
}
