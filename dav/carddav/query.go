package carddav

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

// batch is how many cards a query looks for in one transaction, and at most
// opens before it answers with them.
const batch = 64

// query answers CARDDAV:addressbook-query (RFC 6352 §8.6).
func query(x *dav.Exchange, body *davxml.Element) error {
	want, err := parseWant(body)
	if err != nil {
		return err
	}
	filter, err := parseFilter(body.Child(davxml.CardDAV("filter")))
	if err != nil {
		return err
	}
	limit, err := parseLimit(body.Child(davxml.CardDAV("limit")))
	if err != nil {
		return err
	}
	f, err := finderFor(x)
	if err != nil {
		return err
	}
	m := x.Multistatus(want)
	return m.Finish(answer(x, m, f, filter, limit))
}

// answer writes what matches, up to limit, and that there was more (§8.6.2).
func answer(x *dav.Exchange, m *dav.Multistatus, f finder, filter *vcard.Filter, limit int) error {
	for more := true; more; {
		found, err := f.next(x, filter)
		if err != nil {
			return err
		}
		more = len(found) > 0
		truncated := limit >= 0 && m.Count()+len(found) > limit
		if truncated {
			found, more = found[:limit-m.Count()], false
		}
		if err := f.write(x, m, found); err != nil {
			return err
		}
		if truncated {
			e := dav.Status(http.StatusInsufficientStorage)
			e.Condition = davxml.DAV("number-of-matches-within-limits")
			m.Status(x.Href(true), e)
		}
		if err := m.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// parseLimit reads CARDDAV:limit (§10.6); -1 is none.
func parseLimit(e *davxml.Element) (int, error) {
	if e == nil {
		return -1, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(e.Child(davxml.CardDAV("nresults")).Text()), 10, 31)
	if err != nil {
		return 0, dav.Status(http.StatusBadRequest)
	}
	return int(n), nil
}

// A finder looks through what a query is asked of, a batch at a time.
type finder interface {
	// next returns the next matches, none at the end.
	next(x *dav.Exchange, filter *vcard.Filter) ([]match, error)
	// write writes them into the answer, unless they are gone since.
	write(x *dav.Exchange, m *dav.Multistatus, found []match) error
}

// A match is a card a finder has found: an item of a book, or the resource.
type match struct {
	item storage.ItemID
	r    dav.Resource
}

// finderFor says what a query of this exchange looks through: with Depth 0 of a
// book nothing, as a book is no card (§8.6).
func finderFor(x *dav.Exchange) (f finder, err error) {
	err = x.View(func(s *dav.Scope) error {
		r, err := readable(x, s)
		if err != nil {
			return err
		}
		deep := x.Request.Header.Get("Depth") != "0"
		switch r := r.(type) {
		case *book:
			f = &bookFinder{done: !deep}
		case *directory:
			l := &listFinder{done: !deep, href: x.Href(true)}
			l.cards, err = r.cards(s)
			f = l
		case source:
			f = &listFinder{cards: []source{r}}
		default:
			err = dav.Status(http.StatusForbidden)
		}
		return err
	})
	return f, err
}

// A bookFinder looks through a book in order of items, so that what is changed
// meanwhile is neither missed nor given twice.
type bookFinder struct {
	after storage.ItemID
	done  bool
}

func (f *bookFinder) next(x *dav.Exchange, filter *vcard.Filter) (found []match, err error) {
	for len(found) == 0 && !f.done && err == nil {
		found, err = f.batch(x, filter)
	}
	return found, err
}

// batch takes candidates in a transaction, and outside of it opens those that
// the index cannot decide.
func (f *bookFinder) batch(x *dav.Exchange, filter *vcard.Filter) (found []match, err error) {
	type candidate struct {
		contacts.Card
		sure bool
	}
	var all []candidate
	err = x.View(func(s *dav.Scope) error {
		b, err := targetBook(x, s)
		if err != nil {
			return err
		}
		f.done = true
		return contacts.Query(s.Tx, b.ID, filter, f.after, func(c contacts.Card, sure bool) bool {
			if f.done = len(all) < batch; f.done {
				all = append(all, candidate{c, sure})
				f.after = c.Item
			}
			return f.done
		})
	})
	for _, c := range all {
		ok := c.sure
		if !ok && err == nil {
			ok, err = matches(x.DB(), &c.Card, filter)
		}
		if ok {
			found = append(found, match{item: c.Item})
		}
	}
	return found, err
}

// matches opens a card. One that is gone since does not match.
func matches(db *storage.DB, c *contacts.Card, filter *vcard.Filter) (bool, error) {
	raw, err := c.Read(db)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k, err := vcard.Parse(raw)
	return err == nil && filter.Match(k), err
}

func (f *bookFinder) write(x *dav.Exchange, m *dav.Multistatus, found []match) error {
	return x.View(func(s *dav.Scope) error {
		b, err := targetBook(x, s)
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(x.Href(true), "/")
		for _, found := range found {
			c, err := contacts.ByItem(s.Tx, b.ID, found.item)
			if errors.Is(err, storage.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			m.Resource(s, base+dav.Path(c.Name), &card{b.Collection, c})
		}
		return nil
	})
}

// readable is the target of a report. Who may only see that it is there must
// not learn by questions what is in it.
func readable(x *dav.Exchange, s *dav.Scope) (dav.Resource, error) {
	r, err := x.Target(s)
	if err == nil && !r.Allowed(s).Has(dav.PrivRead) {
		return nil, dav.Forbidden(davxml.DAV("need-privileges"))
	}
	return r, err
}

func targetBook(x *dav.Exchange, s *dav.Scope) (*book, error) {
	r, err := readable(x, s)
	if err != nil {
		return nil, err
	}
	b, ok := r.(*book)
	if !ok {
		return nil, storage.ErrNotFound
	}
	return b, nil
}

// A listFinder looks through cards that are at hand: the directory's, or the
// one that the request names.
type listFinder struct {
	done  bool
	cards []source
	href  string // of the collection they are in; "" for the target itself
}

func (f *listFinder) next(x *dav.Exchange, filter *vcard.Filter) (found []match, err error) {
	for !f.done && len(found) < batch {
		if len(f.cards) == 0 {
			f.done = true
			break
		}
		c := f.cards[0]
		f.cards = f.cards[1:]
		raw, err := c.bytes(x.DB())
		if err != nil {
			return nil, err
		}
		k, err := vcard.Parse(raw)
		if err != nil {
			return nil, err
		}
		if filter.Match(k) {
			found = append(found, match{r: c})
		}
	}
	return found, nil
}

func (f *listFinder) write(x *dav.Exchange, m *dav.Multistatus, found []match) error {
	return x.View(func(s *dav.Scope) error {
		for _, found := range found {
			href := x.Href(false)
			if p, ok := found.r.(*person); ok && f.href != "" {
				href = strings.TrimSuffix(f.href, "/") + dav.Path(p.name())
			}
			m.Resource(s, href, found.r)
		}
		return nil
	})
}
