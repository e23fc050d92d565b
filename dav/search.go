package dav

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav/davxml"
)

// A Query is what a basicsearch asks for (RFC 5323 §5). What is selected is the
// engine's to write.
type Query struct {
	Infinite bool   // everything below the collection; else its members only
	Where    *Where // nil: everything
	Order    []Order
}

// A Where is a comparison, or others joined.
type Where struct {
	// Op is the element's name: and, or, not; eq, lt, gt, lte, gte, like,
	// contains, is-collection, is-defined.
	Op   string
	Args []*Where // of and, or, not
	Prop davxml.Name
	// Value is the literal, a pattern for like: % is any characters, _ is one,
	// \\ takes the next as it is.
	Value    string
	Caseless bool
}

// An Order is a property to sort by.
type Order struct {
	Prop       davxml.Name
	Descending bool
}

const (
	whereDeep   = 16
	searchLimit = 1000 // answers to one SEARCH
)

// search answers SEARCH with a DAV:basicsearch (RFC 5323 §2, 5).
func search(x *Exchange) error {
	body, err := x.document(davxml.DAV("searchrequest"))
	if err != nil {
		return err
	}
	basic := body.Child(davxml.DAV("basicsearch"))
	if basic == nil {
		return Forbidden(davxml.DAV("search-grammar-supported"))
	}
	q, ref, limit, err := parseBasic(basic)
	if err != nil {
		return err
	}
	want, err := ParseWant(basic.Child(davxml.DAV("select")))
	if err != nil {
		return err
	}
	if ref != "" {
		if x.at, err = x.scopeOf(ref); err != nil {
			return err
		}
	}
	return x.runSearch(q, want, limit)
}

// scopeOf reads the DAV:href of a scope: a path, absolute or from the request's.
func (x *Exchange) scopeOf(ref string) (location, error) {
	if !strings.HasPrefix(ref, "/") && !strings.Contains(ref, "://") {
		ref = x.at.href(true) + ref
	}
	l, err := parseRef(ref, x.engine.ours(x.Request))
	if err != nil {
		return l, &StatusError{Status: http.StatusConflict, Condition: davxml.DAV("search-scope-valid"), Err: err}
	}
	return l, nil
}

func (x *Exchange) runSearch(q *Query, want *Want, limit int) error {
	done, err := x.turn()
	if err != nil {
		return err
	}
	defer done()
	m := x.Multistatus(want)
	base, taken, truncated := strings.TrimSuffix(x.at.href(true), "/"), 0, false
	var next any
	for first := true; first || next != nil; first = false {
		step := time.Now()
		err := x.View(func(s *Scope) error {
			r, err := x.Target(s)
			if err != nil {
				return err
			}
			c, ok := r.(Searcher)
			if !ok {
				return Forbidden(davxml.DAV("search-scope-valid"))
			}
			if err := s.require(r, x.at.raw, PrivRead); err != nil {
				return err
			}
			next, err = c.Search(s, q, next, func(path []string, r Resource) bool {
				if truncated = taken == limit; truncated {
					return false
				}
				taken++
				m.resource(s, []byte(base+href(path, r.Kind().Collection)), r)
				return !m.Full()
			})
			return err
		})
		if err == nil && truncated { // RFC 5323 §5.17
			m.Status(x.at.href(true), &StatusError{Status: http.StatusInsufficientStorage, Condition: davxml.DAV("number-of-matches-within-limits")})
			next = nil
		}
		if err == nil {
			err = m.Flush()
		}
		if err == nil && next != nil {
			err = x.Pause(step)
		}
		if err != nil {
			return m.Finish(err)
		}
	}
	return m.Finish(nil)
}

// parseBasic reads the parts of a DAV:basicsearch.
func parseBasic(basic *davxml.Element) (q *Query, ref string, limit int, err error) {
	bad := Status(http.StatusUnprocessableEntity)
	q, limit = &Query{Infinite: true}, searchLimit
	if basic.Child(davxml.DAV("select")) == nil {
		return nil, "", 0, bad
	}
	from := basic.Child(davxml.DAV("from")).Child(davxml.DAV("scope"))
	ref = strings.TrimSpace(from.Child(davxml.DAV("href")).Text())
	switch strings.TrimSpace(from.Child(davxml.DAV("depth")).Text()) {
	case "", "infinity":
	case "1":
		q.Infinite = false
	default:
		return nil, "", 0, bad
	}
	if w := basic.Child(davxml.DAV("where")).Children(); len(w) == 1 {
		if q.Where, err = parseWhere(w[0], 0); err != nil {
			return nil, "", 0, err
		}
	} else if len(w) > 1 {
		return nil, "", 0, bad
	}
	for _, o := range basic.Child(davxml.DAV("orderby")).Children() {
		p := o.Child(davxml.DAV("prop")).Children()
		if len(p) != 1 {
			return nil, "", 0, bad
		}
		q.Order = append(q.Order, Order{p[0].Name, o.Child(davxml.DAV("descending")) != nil})
	}
	if l := basic.Child(davxml.DAV("limit")); l != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(l.Child(davxml.DAV("nresults")).Text()), 10, 31)
		if err != nil {
			return nil, "", 0, bad
		}
		limit = min(limit, int(n))
	}
	return q, ref, limit, nil
}

func parseWhere(e *davxml.Element, deep int) (*Where, error) {
	bad := Status(http.StatusUnprocessableEntity)
	if deep > whereDeep || e.Name.Space != davxml.NS {
		return nil, bad
	}
	w := &Where{Op: e.Name.Local}
	switch w.Op {
	case "and", "or", "not":
		for _, c := range e.Children() {
			a, err := parseWhere(c, deep+1)
			if err != nil {
				return nil, err
			}
			w.Args = append(w.Args, a)
		}
		if len(w.Args) == 0 || w.Op == "not" && len(w.Args) != 1 {
			return nil, bad
		}
	case "is-collection":
	case "contains":
		w.Value = e.Text()
	case "eq", "lt", "gt", "lte", "gte", "like", "is-defined":
		p := e.Child(davxml.DAV("prop")).Children()
		literal := e.Child(davxml.DAV("literal"))
		if literal == nil {
			literal = e.Child(davxml.DAV("typed-literal"))
		}
		if len(p) != 1 || w.Op != "is-defined" && literal == nil {
			return nil, bad
		}
		w.Prop, w.Value, w.Caseless = p[0].Name, literal.Text(), e.Attr("caseless") != "no"
	default:
		return nil, bad
	}
	return w, nil
}
