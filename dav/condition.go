package dav

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage/locks"
)

// Conditions are all preconditions of a request: RFC 9110 §13.1 and the If
// header of RFC 4918 §10.4. They are read once and evaluated inside the
// transaction of the method.
type conditions struct {
	match, noneMatch  tags
	since, unmodified time.Time // zero: none
	lists             []ifList
	submitted         []string // the lock tokens in the If header
	reading           bool     // GET or HEAD: 304 where others get 412
}

// tags are the entity tags of If-Match or If-None-Match.
type tags struct {
	set, any bool
	list     []string // opaque parts; weak ones have W/ before the quote
}

// parseTags reads a list of entity tags. What is none is passed over, as it can
// match nothing: some clients send such.
func parseTags(lines []string) (t tags) {
	t.set = len(lines) > 0
	s := strings.Join(lines, ",")
	for s != "" {
		s = strings.TrimLeft(s, " \t,")
		switch {
		case s == "*" || strings.HasPrefix(s, "*,"):
			t.any = true
			return t
		case strings.HasPrefix(s, `"`), strings.HasPrefix(s, `W/"`):
			open := strings.IndexByte(s, '"')
			n := strings.IndexByte(s[open+1:], '"')
			if n < 0 {
				return t
			}
			t.list = append(t.list, s[:open+n+2])
			s = s[open+n+2:]
		default:
			n := strings.IndexByte(s, ',')
			if n < 0 {
				return t
			}
			s = s[n:]
		}
	}
	return t
}

// matches compares with what is there; weakly it also matches a weak tag (RFC
// 9110 §8.8.3.2).
func (t tags) matches(etag string, exists, weak bool) bool {
	if t.any {
		return exists
	}
	if !exists || etag == "" {
		return false
	}
	etag = `"` + etag + `"`
	return slices.Contains(t.list, etag) || weak && slices.Contains(t.list, "W/"+etag)
}

// conditions reads the header. A malformed If is 400; a malformed date is
// ignored (RFC 9110 §13.1.3).
func (x *Exchange) conditions() (*conditions, error) {
	h := x.Request.Header
	c := &conditions{
		match: parseTags(h.Values("If-Match")), noneMatch: parseTags(h.Values("If-None-Match")),
		reading: x.Request.Method == http.MethodGet || x.Request.Method == http.MethodHead,
	}
	if v := h.Get("If-Unmodified-Since"); v != "" && !c.match.set {
		c.unmodified, _ = http.ParseTime(v)
	}
	if v := h.Get("If-Modified-Since"); v != "" && !c.noneMatch.set && c.reading {
		c.since, _ = http.ParseTime(v)
	}
	var err error
	if v := h.Values("If"); len(v) > 0 {
		if c.lists, err = parseIf(strings.Join(v, " ")); err != nil {
			return nil, err
		}
	}
	for _, l := range c.lists {
		for _, t := range l.terms {
			if t.token != "" {
				c.submitted = append(c.submitted, t.token)
			}
		}
	}
	return c, nil
}

// check evaluates the conditions on the resource of the request, nil when there
// is none, in the order of RFC 9110 §13.2.2.
func (c *conditions) check(s *Scope, r Resource, path string) error {
	var st Stat
	if r != nil {
		st = r.Stat()
	}
	failed := Status(http.StatusPreconditionFailed)
	if c.match.set && !c.match.matches(st.ETag, r != nil, false) {
		return failed
	}
	if !c.unmodified.IsZero() && (st.Modified.IsZero() || st.Modified.Truncate(time.Second).After(c.unmodified)) {
		return failed
	}
	if own, ok := r.(Conditional); ok {
		if err := own.Condition(s.Header); err != nil {
			return err
		}
	}
	if c.noneMatch.set && c.noneMatch.matches(st.ETag, r != nil, true) {
		if c.reading {
			return Status(http.StatusNotModified)
		}
		return failed
	}
	if !c.since.IsZero() && !st.Modified.IsZero() && !st.Modified.Truncate(time.Second).After(c.since) {
		return Status(http.StatusNotModified)
	}
	if len(c.lists) > 0 && !c.ifHolds(s, r, path) {
		return failed
	}
	return nil
}

// ifHolds reports whether one list of the If header is true (RFC 4918 §10.4.3).
func (c *conditions) ifHolds(s *Scope, r Resource, path string) bool {
	for i := range c.lists {
		l := &c.lists[i]
		lr, lpath := r, path
		if l.resource != "" {
			lr, lpath = s.tagged(l.resource)
		}
		if l.holds(s, lr, lpath) {
			return true
		}
	}
	return false
}

// tagged finds the resource a list is about. What cannot be found has no state,
// so nothing but Not is true of it.
func (s *Scope) tagged(ref string) (Resource, string) {
	l, err := parseRef(ref, s.x.engine.ours(s.x.Request))
	if err != nil {
		return nil, ""
	}
	r, err := s.find(l)
	if err == nil {
		return r, lockPath(l, r, nil)
	}
	parent, _, err := s.parent(l)
	if err != nil {
		return nil, ""
	}
	return nil, lockPath(l, nil, parent)
}

func (l *ifList) holds(s *Scope, r Resource, path string) bool {
	var held []locks.Lock
	looked := false
	for _, t := range l.terms {
		var is bool
		if t.token != "" {
			if !looked && path != "" {
				held, looked = locks.Covering(s.Tx, path, s.Now), true
			}
			is = slices.ContainsFunc(held, func(k locks.Lock) bool { return k.Token == t.token }) || t.token == syncToken(s, r)
		} else if r != nil {
			etag := r.Stat().ETag
			is = etag != "" && t.etag == `"`+etag+`"`
		}
		if is == t.not {
			return false
		}
	}
	return true
}

// An ifList is one List of an If header; all its terms must be true.
type ifList struct {
	resource string // "": that of the request
	terms    []ifTerm
}

// An ifTerm is a state token or an entity tag, of which one is "".
type ifTerm struct {
	not         bool
	token, etag string
}

const maxTerms = 200 // in one If header

// parseIf reads an If header (RFC 4918 §10.4.2).
func parseIf(s string) (lists []ifList, err error) {
	bad := Status(http.StatusBadRequest)
	if len(s) > 32<<10 {
		return nil, Status(http.StatusRequestHeaderFieldsTooLarge)
	}
	resource, tagged, fresh, terms := "", false, false, 0
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		switch s[0] {
		case '<':
			// Lists are tagged all or none, and a tag has at least one.
			if fresh || len(lists) > 0 && !tagged {
				return nil, bad
			}
			var ok bool
			if resource, s, ok = cutCoded(s, '>'); !ok {
				return nil, bad
			}
			tagged, fresh = true, true
		case '(':
			inner, rest, ok := cutList(s)
			if !ok {
				return nil, bad
			}
			ts, ok := parseTerms(inner)
			if terms += len(ts); !ok || terms > maxTerms {
				return nil, bad
			}
			lists = append(lists, ifList{resource, ts})
			s, fresh = rest, false
		default:
			return nil, bad
		}
	}
	if len(lists) == 0 || fresh {
		return nil, bad
	}
	return lists, nil
}

// cutCoded cuts what stands between the first byte of s and end.
func cutCoded(s string, end byte) (inner, rest string, ok bool) {
	n := strings.IndexByte(s, end)
	if n < 2 {
		return "", "", false
	}
	return s[1:n], s[n+1:], true
}

// cutList cuts a list in parentheses, which may stand in its tokens, too.
func cutList(s string) (inner, rest string, ok bool) {
	var closer byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case closer != 0:
			if c == closer {
				closer = 0
			}
		case c == '<':
			closer = '>'
		case c == '"':
			closer = '"'
		case c == ')':
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

func parseTerms(s string) (out []ifTerm, ok bool) {
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		var t ifTerm
		if len(s) > 3 && strings.EqualFold(s[:3], "not") {
			t.not = true
			s = strings.TrimLeft(s[3:], " \t")
		}
		switch {
		case strings.HasPrefix(s, "<"):
			t.token, s, ok = cutCoded(s, '>')
		case strings.HasPrefix(s, "["):
			t.etag, s, ok = cutTag(s)
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
		out = append(out, t)
	}
	return out, len(out) > 0
}

// cutTag cuts an entity tag in brackets; a bracket may stand in its quotes.
func cutTag(s string) (tag, rest string, ok bool) {
	open := strings.IndexByte(s, '"')
	if open < 0 {
		return cutCoded(s, ']') // no entity tag: it matches nothing
	}
	n := strings.IndexByte(s[open+1:], '"')
	if n < 0 {
		return "", "", false
	}
	end := open + 1 + n + 1
	rest, ok = strings.CutPrefix(strings.TrimLeft(s[end:], " "), "]")
	return strings.TrimSpace(s[1:end]), rest, ok
}

// lockedBy returns the 423 for a change to what locks protect, nil when the
// request has submitted a token for it: that of any one lock there, as its
// creator (RFC 4918 §6.4, 7.5).
func (c *conditions) lockedBy(s *Scope, held []locks.Lock) error {
	for _, l := range held {
		if l.Creator == s.User && slices.Contains(c.submitted, l.Token) {
			return nil
		}
	}
	if len(held) == 0 {
		return nil
	}
	e := &StatusError{Status: http.StatusLocked, Condition: lockTokenSubmitted}
	return e.WithHref(held[0].Root)
}

// free is nil when locks let the request change the resource at path.
func (c *conditions) free(s *Scope, path string) error {
	return c.lockedBy(s, locks.Covering(s.Tx, path, s.Now))
}

// freeBelow is free for everything below path.
func (c *conditions) freeBelow(s *Scope, path string) (err error) {
	locks.Below(s.Tx, path, s.Now, func(l locks.Lock) bool {
		err = c.lockedBy(s, locks.Covering(s.Tx, l.Root, s.Now))
		return err == nil
	})
	return err
}
