package home

import (
	"errors"
	"hash/fnv"
	"strconv"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// SyncCollection is dav.Syncer.
func (c *Collection) SyncCollection() storage.CollectionID { return c.ID }

// Sync is dav.Syncer. A collection holds no others, so infinite or not is the
// same.
func (c *Collection) Sync(s *dav.Scope, t storage.SyncToken, limit int, _ bool, fn func(path []string, r dav.Resource)) (storage.SyncToken, bool, error) {
	page, err := s.Tx.Sync(t, limit)
	if err != nil {
		return t, false, err
	}
	if page.Initial {
		return page.Next, page.More, c.run(s, page.Changed, fn)
	}
	door := c.Home.Tree.Door
	told := map[string]bool{}
	for _, id := range page.Changed {
		name, r, err := door.Item(s, c, id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return t, false, err
		}
		told[name] = true
		fn([]string{name}, r)
	}
	// A name that was left and has a new card by now is told by that one, on
	// this page or another.
	for _, ids := range [][]storage.ItemID{page.Changed, page.Removed} {
		for _, id := range ids {
			for _, name := range s.Tx.VacatedNames(c.ID, id, page.Since) {
				if told[name] {
					continue
				}
				told[name] = true
				if _, err := door.Named(s, c, name); errors.Is(err, storage.ErrNotFound) {
					fn([]string{name}, nil)
				} else if err != nil {
					return t, false, err
				}
			}
		}
	}
	return page.Next, page.More, nil
}

// run gives the items of a page on which no name was left: all there are from its
// first to its last.
func (c *Collection) run(s *dav.Scope, page []storage.ItemID, fn func([]string, dav.Resource)) error {
	if len(page) == 0 {
		return nil
	}
	path := make([]string, 1)
	return c.Home.Tree.Door.Run(s, c, page[0], page[len(page)-1], func(name string, r dav.Resource) {
		path[0] = name
		fn(path, r)
	})
}

// homeTag is CS:getctag of a home: it changes with anything that a listing of
// the home would tell.
func homeTag() dav.Property {
	return dav.Property{Name: davxml.CalendarServer("getctag"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		sum := fnv.New64a()
		var b []byte
		for _, c := range r.(*Home).collections(s) {
			b = strconv.AppendUint(b[:0], uint64(c.ID), 10)
			b = strconv.AppendUint(append(b, '-'), uint64(c.Highest), 10)
			b = strconv.AppendUint(append(b, '-'), uint64(c.allowed), 10)
			for _, owner := range []storage.AccountID{0, s.User} {
				s.Tx.Properties(c.Object(), owner, func(name string, v []byte) bool {
					b = append(append(append(b, name...), 0), v...)
					return true
				})
			}
			_, _ = sum.Write(b)
		}
		w.Text(strconv.FormatUint(sum.Sum64(), 16))
		return nil
	}}
}
