package imap

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	msg     mailbox.Message
	cold    mailbox.Cold
	indexed bool

	header []byte // the whole header, once read
	body   *opened
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
	switch k.Op {
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		return c.field(strings.ToLower(k.Op), k.Text)
	case "HEADER":
		return c.field(strings.ToLower(k.Field), k.Text)
	case "SENTBEFORE", "SENTON", "SENTSINCE":
		return c.sent(k)
	case "BODY", "TEXT":
		if c.body == nil {
			return maybe
		}
		return is(c.body.contains(k.Text, k.Op == "TEXT"))
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
func (c *candidate) field(name, text string) answer {
	h, ok := c.headerWith(name)
	if !ok {
		return maybe
	}
	for b := h; len(b) > 0; {
		f := message.FirstField(b)
		b = b[len(f.Raw):]
		if f.Is(name) && contains(message.DecodeHeader(string(f.Value)), text) {
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

// read decides an unsure candidate by reading the message.
func (m *matcher) read(c *candidate) (bool, error) {
	body, err := mailbox.OpenBody(m.srv.DB, c.cold.Prefix(), c.cold.Blob)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	c.body = &opened{Body: body, header: c.cold.Header}
	c.header = make([]byte, c.cold.Header)
	if _, err := body.ReadAt(c.header, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return m.match(m.key, c) == yes, c.body.failed
}

// contains looks for text in the decoded text parts, and with header in the
// header, too.
func (o *opened) contains(text string, header bool) bool {
	root, err := o.parts()
	if err != nil {
		o.failed = err
		return false
	}
	if header && o.headerContains(root, text) {
		return true
	}
	return o.partContains(root, text)
}

func (o *opened) headerContains(p *message.Part, text string) bool {
	h := make([]byte, p.BodyStart-p.HeaderStart)
	if _, err := o.ReadAt(h, p.HeaderStart); err != nil && !errors.Is(err, io.EOF) {
		o.failed = err
		return false
	}
	return contains(message.DecodeHeader(string(h)), text)
}

func (o *opened) partContains(p *message.Part, text string) bool {
	for _, c := range p.Children {
		if o.partContains(c, text) {
			return true
		}
	}
	switch {
	case len(p.Children) > 0:
		return false
	case p.Message != nil:
		return o.headerContains(p.Message, text) || o.partContains(p.Message, text)
	case p.Type != "text" && p.Type != "message":
		return false
	}
	r := p.TextReader(io.NewSectionReader(o, p.BodyStart, p.End-p.BodyStart))
	return readerContains(r, text)
}

// readerContains looks through a text piece by piece, with an overlap so that
// no find is cut in two.
func readerContains(r io.Reader, text string) bool {
	if text == "" {
		return true
	}
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if (err != nil || len(buf) == cap(buf)) && containsBytes(buf, text) {
			return true
		}
		if err != nil {
			return false // what could not be decoded is not found
		}
		if len(buf) == cap(buf) {
			keep := min(4*len(text)+utf8.UTFMax, len(buf)/2)
			buf = buf[:copy(buf, buf[len(buf)-keep:])]
		}
	}
}

// contains compares without regard to case; text is folded.
func contains(s, text string) bool { return text == "" || strings.Contains(fold(s), text) }

// containsBytes is contains without a copy where the text is ASCII.
func containsBytes(b []byte, text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return contains(string(b), text)
		}
	}
	lower, upper := text[0], text[0]
	if lower >= 'a' && lower <= 'z' {
		upper -= 'a' - 'A'
	}
	for len(b) >= len(text) {
		i := bytes.IndexByte(b, lower)
		if upper != lower {
			limit := b
			if i >= 0 {
				limit = b[:i]
			}
			if j := bytes.IndexByte(limit, upper); j >= 0 {
				i = j
			}
		}
		if i < 0 || len(b)-i < len(text) {
			return false
		}
		if strings.EqualFold(string(b[i:i+len(text)]), text) {
			return true
		}
		b = b[i+1:]
	}
	return false
}
