package imap

import (
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
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
