package imap

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// An answer may need more than is at hand.
type answer uint8

const (
	noMatch answer = iota
	yes
	maybe
)

func is(b bool) answer {
	if b {
		return yes
	}
	return noMatch
}

// A candidate is a message under test, with as much of it as has been read.
type candidate struct {
	msg      mailbox.Message
	sig      []byte // its signature, in the transaction
	unsigned bool   // it has none
	cold     mailbox.Cold
	indexed  bool // cold is at hand

	header []byte // the whole header, once read
	found  map[*imapwire.SearchKey]bool
}

// match evaluates a key as far as possible.
func (m *matcher) match(k *imapwire.SearchKey, c *candidate) answer {
	switch k.Op {
	case "AND":
		out := yes
		for i := range k.Keys {
			switch m.match(&k.Keys[i], c) {
			case noMatch:
				return noMatch
			case maybe:
				out = maybe
			}
		}
		return out
	case "OR":
		a, b := m.match(&k.Keys[0], c), noMatch
		if a != yes {
			b = m.match(&k.Keys[1], c)
		}
		switch {
		case a == yes || b == yes:
			return yes
		case a == maybe || b == maybe:
			return maybe
		}
		return noMatch
	case "NOT":
		switch m.match(&k.Keys[0], c) {
		case yes:
			return noMatch
		case noMatch:
			return yes
		}
		return maybe
	}
	if a, ok := m.matchHot(k, &c.msg); ok {
		return a
	}
	return m.matchText(k, c)
}

// matchHot evaluates what the hot row decides.
func (m *matcher) matchHot(k *imapwire.SearchKey, msg *mailbox.Message) (answer, bool) {
	flag := func(f mailbox.Flags) bool { return msg.Flags&f != 0 }
	switch k.Op {
	case "ALL", "OLD":
		return yes, true
	case "NEW", "RECENT":
		return noMatch, true // \Recent is not kept, as RFC 9051 has it no more
	case "ANSWERED":
		return is(flag(mailbox.Answered)), true
	case "UNANSWERED":
		return is(!flag(mailbox.Answered)), true
	case "DELETED":
		return is(flag(mailbox.Deleted)), true
	case "UNDELETED":
		return is(!flag(mailbox.Deleted)), true
	case "DRAFT":
		return is(flag(mailbox.Draft)), true
	case "UNDRAFT":
		return is(!flag(mailbox.Draft)), true
	case "FLAGGED":
		return is(flag(mailbox.Flagged)), true
	case "UNFLAGGED":
		return is(!flag(mailbox.Flagged)), true
	case "SEEN":
		return is(flag(mailbox.Seen)), true
	case "UNSEEN":
		return is(!flag(mailbox.Seen)), true
	case "KEYWORD":
		return is(flag(m.box.Bits([]string{k.Text}))), true
	case "UNKEYWORD":
		return is(!flag(m.box.Bits([]string{k.Text}))), true
	case "LARGER":
		return is(uint64(msg.Size) > k.N), true
	case "SMALLER":
		return is(uint64(msg.Size) < k.N), true
	case "MODSEQ":
		return is(uint64(msg.ModSeq) >= k.N), true
	case "SET", "UID":
		return is(inRanges(m.sets[k], msg.UID)), true
	case "BEFORE", "ON", "SINCE":
		return is(onDay(k.Op, time.Unix(msg.Internal, 0).UTC(), k.Date)), true
	case "OLDER": // RFC 5032 §3
		return is(m.now.Unix()-msg.Internal >= int64(k.N)), true
	case "YOUNGER":
		return is(m.now.Unix()-msg.Internal <= int64(k.N)), true
	case "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE": // RFC 8514 §4.3
		return is(onDay(strings.TrimPrefix(k.Op, "SAVED"), time.Unix(int64(msg.Saved), 0).UTC(), k.Date)), true
	case "SAVEDATESUPPORTED":
		return yes, true
	}
	return noMatch, false
}

func inRanges(rs []storage.Range, id storage.ItemID) bool {
	_, ok := slices.BinarySearchFunc(rs, id, func(r storage.Range, id storage.ItemID) int {
		switch {
		case r.To < id:
			return -1
		case r.From > id:
			return 1
		}
		return 0
	})
	return ok
}

// onDay compares dates without time and zone (RFC 9051 §6.4.4).
func onDay(op string, t, day time.Time) bool {
	t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch op {
	case "BEFORE":
		return t.Before(day)
	case "ON":
		return t.Equal(day)
	}
	return !t.Before(day)
}

// matchText evaluates what the header or the body decides.
func (m *matcher) matchText(k *imapwire.SearchKey, c *candidate) answer {
	if n := m.texts[k]; n != nil && c.sig != nil && !n.tri.MayBeIn(c.sig) {
		return noMatch
	}
	switch k.Op {
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		return m.field(c, strings.ToLower(k.Op), m.texts[k].text)
	case "HEADER":
		return m.field(c, strings.ToLower(k.Field), m.texts[k].text)
	case "SENTBEFORE", "SENTON", "SENTSINCE":
		return c.sent(k)
	case "BODY", "TEXT":
		if c.found == nil {
			return maybe
		}
		return is(c.found[k])
	}
	return noMatch
}

// headerWith returns header fields among which all of that name are.
func (c *candidate) headerWith(name string) (h []byte, ok bool) {
	switch {
	case c.header != nil:
		return c.header, true
	case c.indexed && c.cold.Knows(name):
		return c.cold.Kept(), true
	}
	return nil, false
}

// field looks for text in the decoded values of a header field; any value will
// do for an empty text.
func (m *matcher) field(c *candidate, name string, text []byte) answer {
	h, ok := c.headerWith(name)
	if !ok {
		return maybe
	}
	for len(h) > 0 {
		var field, value []byte
		if field, value, h = message.Cut(h); len(field) != len(name) || !strings.EqualFold(string(field), name) {
			continue
		}
		m.folded = mailbox.FoldHeader(m.folded[:0], value)
		if bytes.Contains(m.folded, text) {
			return yes
		}
	}
	return noMatch
}

func (c *candidate) sent(k *imapwire.SearchKey) answer {
	h, ok := c.headerWith("date")
	if !ok {
		return maybe
	}
	v, ok := message.Get(message.ParseHeader(h), "Date")
	t, err := message.ParseDate(string(v))
	if !ok || err != nil {
		t = time.Unix(c.msg.Internal, 0).UTC()
	}
	return is(onDay(strings.TrimPrefix(k.Op, "SENT"), t, k.Date))
}
