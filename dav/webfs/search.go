package webfs

import (
	"slices"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

var _ dav.Searcher = (*folder)(nil)

const (
	maxSorted  = 10_000 // matches that can be put in order
	searchRows = 2000   // looked at in one transaction
	searchPage = 200    // of a single folder
)

// A searching is how far a search has come.
type searching struct {
	grounds []ground // those still to be looked through are from at on
	at      int
	after   storage.ItemID // the last one looked at there
	name    string         // or its name, where only members are looked at

	found  []match // in the order asked for, once all are
	sorted bool
	given  int
}

// A ground is a folder to search: that of the request, and what others share
// below it.
type ground struct {
	path  []string
	mount storage.ItemID // 0 is the folder of the request
}

// A match is a node that was found, and what to sort it by.
type match struct {
	ground int
	id     storage.ItemID
	keys   []any
}

// Search finds by name, size, dates, media type and ID (RFC 5323). Contents are
// not looked into.
func (f *folder) Search(s *dav.Scope, q *dav.Query, from any, fn func([]string, dav.Resource) bool) (any, error) {
	k, _ := from.(*searching)
	if k == nil {
		if err := searchable(q.Where); err != nil {
			return nil, err
		}
		k = &searching{grounds: []ground{{}}}
	}
	switch {
	case k.sorted:
		return k.give(s, f, fn), nil
	case len(q.Order) == 0:
		return k.look(s, f, q, fn)
	}
	next, err := k.look(s, f, q, func(path []string, r dav.Resource) bool {
		m := match{ground: k.at, id: nodeOf(r).listed()}
		for _, o := range q.Order {
			v, _ := valueOf(r, o.Prop)
			m.keys = append(m.keys, v)
		}
		k.found = append(k.found, m)
		return len(k.found) <= maxSorted
	})
	if err == nil && len(k.found) > maxSorted {
		err = dav.Forbidden(davxml.DAV("number-of-matches-within-limits"))
	}
	if err != nil || next != nil {
		return next, err
	}
	k.sort(q.Order)
	return k, nil
}

func (k *searching) sort(order []dav.Order) {
	k.sorted = true
	slices.SortStableFunc(k.found, func(a, b match) int {
		for i, o := range order {
			if c := compare(a.keys[i], b.keys[i]); c != 0 {
				if o.Descending {
					c = -c
				}
				return c
			}
		}
		return 0
	})
}

// give gives what was found, as it is now.
func (k *searching) give(s *dav.Scope, f *folder, fn func([]string, dav.Resource) bool) any {
	folders := map[int]*folder{}
	for more := true; k.given < len(k.found) && more; k.given++ {
		m := k.found[k.given]
		in, ok := folders[m.ground]
		if !ok {
			in = k.grounds[m.ground].folder(s, f)
			folders[m.ground] = in
		}
		if in == nil {
			continue
		}
		n, err := files.Get(s.Tx, in.place.Tree, m.id)
		path, below := files.Path(s.Tx, in.place.Tree, in.place.Node.ID, m.id)
		if err != nil || !below || len(path) == 0 {
			continue
		}
		if r := in.below(s, n, path[:len(path)-1]); r != nil {
			more = fn(append(slices.Clip(k.grounds[m.ground].path), path...), r)
		}
	}
	if k.given == len(k.found) {
		return nil
	}
	return k
}

// folder is the folder of a ground as it is now, nil when it is gone.
func (g ground) folder(s *dav.Scope, f *folder) *folder {
	if g.mount == 0 {
		return f
	}
	if n, err := files.Get(s.Tx, f.place.Tree, g.mount); err == nil {
		shared, _ := f.child(s, n).(*folder)
		return shared
	}
	return nil
}

// look calls fn with what matches of the next rows.
func (k *searching) look(s *dav.Scope, f *folder, q *dav.Query, fn func([]string, dav.Resource) bool) (any, error) {
	g := k.grounds[k.at]
	in := g.folder(s, f)
	more := false
	match := func(n files.Node, path []string) bool {
		r := in.below(s, n, path[:len(path)-1])
		if r == nil {
			return true
		}
		path = append(slices.Clip(g.path), path...)
		if n.Kind == files.Mount && q.Infinite {
			k.grounds = append(k.grounds, ground{path, n.ID})
		}
		return evaluate(q.Where, r) != yes || fn(path, r)
	}
	switch {
	case in == nil:
	case q.Infinite:
		k.after, more = files.Below(s.Tx, in.place.Tree, in.place.Node.ID, k.after, searchRows, func(path []string, n files.Node) bool {
			return match(n, path)
		})
	default:
		page, err := files.List(s.Tx, in.place.Tree, in.place.Node.ID, k.name, searchPage)
		if err != nil {
			return nil, err
		}
		more = len(page) == searchPage
		for _, n := range page {
			k.name = n.Name
			if !match(n, []string{n.Name}) {
				more = true
				break
			}
		}
	}
	if !more {
		k.at, k.after = k.at+1, 0
	}
	if k.at == len(k.grounds) {
		return nil, nil
	}
	return k, nil
}

// listed is the node's place in the list of the folder it was found in: for
// what others share that of the mount.
func (n *node) listed() storage.ItemID {
	if n.place.Mount != nil {
		return n.place.Mount.ID
	}
	return n.place.Node.ID
}
