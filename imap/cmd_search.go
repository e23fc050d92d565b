package imap

import (
	"strings"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdSearch is SEARCH and UID SEARCH (RFC 9051 §6.4.4), ESEARCH (RFC 4731),
// SEARCHRES (RFC 5182) and MODSEQ (RFC 7162 §3.1.5).
func (s *session) cmdSearch(c *command) error {
	a, err := s.dec.Search()
	if err != nil {
		if a.Save {
			s.sel.saved = nil // RFC 5182 §2.1: a failed search empties $
		}
		return err
	}
	m, err := s.newMatcher(&a.Key, time.Now())
	if err != nil {
		return err
	}
	if m.modseq {
		s.enableCondstore()
	}
	found, highest, err := m.search()
	if err != nil {
		return err
	}
	if a.Save {
		s.sel.saved = savedBy(a, found)
	}
	if a.Extended || s.rev2 {
		s.esearch(c, a, found, highest, m.modseq)
		return nil
	}
	s.enc.Raw("* SEARCH")
	for _, r := range found {
		for uid := r.From; uid <= r.To && uid != 0; uid++ {
			n := uint64(uid)
			if !c.uid {
				n = uint64(s.sel.view.Seq(uid))
			}
			s.enc.SP().Uint(n)
		}
	}
	if m.modseq && len(found) > 0 {
		s.enc.Raw(" (MODSEQ ").Uint(uint64(highest)).Raw(")")
	}
	s.enc.CRLF()
	return nil
}

// savedBy is what $ becomes: with MIN or MAX alone, just those (RFC 5182 §2.4).
func savedBy(a imapwire.SearchArgs, found []storage.Range) []storage.Range {
	if a.All || a.Count || len(found) == 0 || !a.Min && !a.Max {
		return found
	}
	var out []storage.Range
	first, last := found[0].From, found[len(found)-1].To
	if a.Min {
		out = append(out, storage.Range{From: first, To: first})
	}
	if a.Max && (!a.Min || last != first) {
		out = append(out, storage.Range{From: last, To: last})
	}
	return out
}

// esearch writes the ESEARCH response. The tag is a string, and quoted.
func (s *session) esearch(c *command, a imapwire.SearchArgs, found []storage.Range, highest storage.ModSeq, modseq bool) {
	if !a.Extended {
		a.All = true
	}
	if a.Save && !a.Min && !a.Max && !a.All && !a.Count {
		return // only saved
	}
	e := s.enc
	e.Raw("* ESEARCH (TAG ").String(c.tag, false).Raw(")")
	if c.uid {
		e.Raw(" UID")
	}
	number := func(uid storage.ItemID) uint64 {
		if c.uid {
			return uint64(uid)
		}
		return uint64(s.sel.view.Seq(uid))
	}
	if len(found) > 0 {
		if a.Min {
			e.Raw(" MIN ").Uint(number(found[0].From))
		}
		if a.Max {
			e.Raw(" MAX ").Uint(number(found[len(found)-1].To))
		}
		if a.All {
			e.Raw(" ALL ").Raw(s.numbers(found, c.uid))
		}
	}
	if a.Count {
		e.Raw(" COUNT ").Uint(uint64(count(found)))
	}
	if modseq && len(found) > 0 {
		e.Raw(" MODSEQ ").Uint(uint64(highest))
	}
	e.CRLF()
}

// A matcher decides which messages a search finds. It looks at what is cheap
// first: the hot row, then the index row, then the message itself.
type matcher struct {
	*session
	key    *imapwire.SearchKey
	now    time.Time
	modseq bool
	cold   bool
	sets   map[*imapwire.SearchKey][]storage.Range

	box *mailbox.Mailbox
	row mailbox.Cold
}

func (s *session) newMatcher(key *imapwire.SearchKey, now time.Time) (*matcher, error) {
	m := &matcher{session: s, key: key, now: now, sets: map[*imapwire.SearchKey][]storage.Range{}}
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
	case "BCC", "CC", "FROM", "SUBJECT", "TO", "HEADER", "SENTBEFORE", "SENTON", "SENTSINCE", "BODY", "TEXT":
		m.cold = true
		k.Text = fold(k.Text)
	}
	for i := range k.Keys {
		if err := m.prepare(&k.Keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// search goes through the view. Messages that have to be read are read between
// two views of the store.
func (m *matcher) search() (found []storage.Range, highest storage.ModSeq, err error) {
	const batch = 500
	todo := m.sel.view.Ranges()
	for len(todo) > 0 {
		var unsure []candidate
		var hits []mailbox.Message
		err := m.srv.DB.View(func(tx *storage.Tx) (err error) {
			if m.box, err = mailbox.ByID(tx, m.sel.id); err != nil {
				return err
			}
			hits, unsure, todo, err = m.batch(tx, todo, batch)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		if m.srv.closing.Load() {
			return nil, 0, storage.ErrTemporary
		}
		for _, c := range unsure {
			ok, err := m.read(&c)
			if err != nil {
				return nil, 0, err
			}
			if ok {
				hits = append(hits, c.msg)
			}
		}
		for _, h := range hits {
			highest = max(highest, h.ModSeq)
			found = append(found, storage.Range{From: h.UID, To: h.UID})
		}
	}
	return union(found), highest, nil
}

func (m *matcher) batch(tx *storage.Tx, todo []storage.Range, most int) (hits []mailbox.Message, unsure []candidate, rest []storage.Range, err error) {
	for i, r := range todo {
		var stopped storage.ItemID
		mailbox.Scan(tx, m.box, r.From, r.To, func(msg mailbox.Message) bool {
			if len(unsure) >= 16 || len(hits) >= most*20 {
				stopped = msg.UID
				return false
			}
			c := candidate{msg: msg, cold: m.row}
			if m.cold {
				if err = c.cold.Read(tx, msg.Body, mailbox.Headers); err != nil {
					return false
				}
				c.indexed = true
			}
			m.row = c.cold // its buffer is used again
			switch m.match(m.key, &c) {
			case yes:
				hits = append(hits, msg)
			case maybe:
				unsure = append(unsure, c)
				m.row = mailbox.Cold{}
			}
			return true
		})
		if err != nil {
			return nil, nil, nil, err
		}
		if stopped != 0 {
			return hits, unsure, append([]storage.Range{{From: stopped, To: r.To}}, todo[i+1:]...), nil
		}
	}
	return hits, unsure, nil, nil
}

// fold makes text comparable: the case of letters does not count (RFC 9051
// §6.4.4, i;unicode-casemap in spirit).
func fold(s string) string { return strings.ToLower(s) }
