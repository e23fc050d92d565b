package dav

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// principalReports are the reports of RFC 3744 §9.
var principalReports = []*Report{
	{Name: davxml.DAV("principal-match"), Needs: PrivReadOwn, Run: principalMatch},
	{Name: davxml.DAV("principal-property-search"), Needs: PrivReadOwn, Run: principalSearch},
	{Name: davxml.DAV("principal-search-property-set"), Needs: PrivReadOwn, Run: searchableProperties},
	{Name: davxml.DAV("acl-principal-prop-set"), Needs: PrivReadOwn, Run: aclPrincipals},
}

// searchMost is how many principals one search finds.
const searchMost = 200

// searchable are the properties of principals that can be searched (RFC 3744
// §9.5).
var searchable = []struct {
	name davxml.Name
	what string
	text func(s *Scope, p *Principal) []string
}{
	{davxml.DAV("displayname"), "Name", func(_ *Scope, p *Principal) []string { return []string{p.Account.Name} }},
	{davxml.CalendarServer("email-address-set"), "Address", func(s *Scope, p *Principal) []string { return p.addresses(s) }},
	{davxml.CalDAV("calendar-user-address-set"), "Address", func(s *Scope, p *Principal) []string { return p.addresses(s) }},
}

func searchableProperties(x *Exchange, _ *davxml.Element) error {
	if _, err := x.depth(0, 0); err != nil {
		return err
	}
	var w davxml.Writer
	w.Root(davxml.DAV("principal-search-property-set"))
	for _, row := range searchable {
		w.Raw("<D:principal-search-property><D:prop>")
		w.Empty(row.name)
		w.Raw("</D:prop>")
		w.Open(davxml.DAV("description"), "xml:lang", "en")
		w.Text(row.what)
		w.Close(davxml.DAV("description"))
		w.Raw("</D:principal-search-property>")
	}
	w.Close(davxml.DAV("principal-search-property-set"))
	x.xml(http.StatusOK, &w)
	return nil
}

// principalMatch answers DAV:principal-match (RFC 3744 §9.3): which principals
// the user is, or which members of the collection name the user in a property.
func principalMatch(x *Exchange, body *davxml.Element) error {
	if _, err := x.depth(0, 0); err != nil {
		return err
	}
	prop := body.Child(davxml.DAV("principal-property"))
	if (prop == nil) == (body.Child(davxml.DAV("self")) == nil) || prop != nil && len(prop.Children()) != 1 {
		return Status(http.StatusBadRequest)
	}
	want := &Want{}
	if p := body.Child(davxml.DAV("prop")); p != nil {
		want.ask(p)
	}
	m := x.Multistatus(want)
	err := x.View(func(s *Scope) error {
		if prop != nil {
			return x.matchProperty(s, m, prop.Children()[0].Name)
		}
		return x.each(s, m, s.Identities, func(h string) bool { return strings.HasPrefix(h, x.at.href(true)) })
	})
	return m.Finish(err)
}

// each writes a response for the accounts whose URL fits.
func (x *Exchange) each(s *Scope, m *Multistatus, ids []storage.AccountID, fits func(href string) bool) error {
	for _, id := range ids {
		a, err := accounts.Get(s.Tx, id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if h := principalHref(a); fits(h) {
			m.Resource(s, h, &Principal{x.engine.Principal, a})
		}
	}
	return nil
}

// matchProperty writes the members of which a property refers to the user.
func (x *Exchange) matchProperty(s *Scope, m *Multistatus, name davxml.Name) error {
	r, err := x.Target(s)
	if err != nil {
		return err
	}
	c, ok := r.(Collection)
	if !ok {
		return nil
	}
	if err := s.require(r, x.at.raw, PrivRead); err != nil {
		return err
	}
	var failed error
	err = c.Members(s, "", func(member string, r Resource) bool {
		var mine bool
		if mine, failed = s.namesUser(r, name); mine {
			m.resource(s, memberHref(x.at.href(true), member, r), r)
		}
		if failed == nil && m.Count() >= expandMost {
			failed = Forbidden(davxml.DAV("number-of-matches-within-limits"))
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// namesUser reports whether a property refers to the user or to one of their
// groups.
func (s *Scope) namesUser(r Resource, name davxml.Name) (bool, error) {
	v, err := s.valueOf(r, name)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a, err := s.FindPrincipal(v.Child(davxml.DAV("href")).Text())
	return err == nil && slices.Contains(s.Identities, a.ID), nil
}

// memberHref is the path of a member of the collection at base.
func memberHref(base, name string, r Resource) []byte {
	b := appendSegment([]byte(base), name)
	if r.Kind().Collection {
		b = append(b, '/')
	}
	return b
}

// A term is a DAV:property-search: any of the properties holds the text.
type term struct {
	rows []int // in searchable
	text string
}

// principalSearch answers DAV:principal-property-search (RFC 3744 §9.4).
func principalSearch(x *Exchange, body *davxml.Element) error {
	if _, err := x.depth(0, 0); err != nil {
		return err
	}
	terms, err := searchTerms(body)
	if err != nil {
		return err
	}
	want := &Want{}
	if p := body.Child(davxml.DAV("prop")); p != nil {
		want.ask(p)
	}
	anyOf := body.Attr("test") == "anyof"
	everywhere := body.Child(davxml.DAV("apply-to-principal-collection-set")) != nil
	m := x.Multistatus(want)
	err = x.View(func(s *Scope) error {
		people, err := x.engine.visible(s, func(a accounts.Account) bool {
			return (everywhere || strings.HasPrefix(principalHref(a), x.at.href(true))) && matchTerms(s, &Principal{nil, a}, terms, anyOf)
		})
		for i, a := range people {
			if i == searchMost {
				m.Status(x.at.href(true), &StatusError{Status: http.StatusInsufficientStorage, Condition: davxml.DAV("number-of-matches-within-limits")})
				break
			}
			m.Resource(s, principalHref(a), &Principal{x.engine.Principal, a})
		}
		return err
	})
	return m.Finish(err)
}

func searchTerms(body *davxml.Element) (out []term, err error) {
	for _, c := range body.Children() {
		if c.Name != davxml.DAV("property-search") {
			continue
		}
		t := term{text: strings.ToLower(strings.TrimSpace(c.Child(davxml.DAV("match")).Text()))}
		if t.text == "" {
			return nil, Status(http.StatusBadRequest)
		}
		for _, p := range c.Child(davxml.DAV("prop")).Children() {
			for i, row := range searchable {
				if row.name == p.Name {
					t.rows = append(t.rows, i)
				}
			}
		}
		out = append(out, t)
	}
	if len(out) == 0 || len(out) > 20 {
		return nil, Status(http.StatusBadRequest)
	}
	return out, nil
}

func matchTerms(s *Scope, p *Principal, terms []term, anyOf bool) bool {
	for _, t := range terms {
		is := slices.ContainsFunc(t.rows, func(i int) bool {
			return slices.ContainsFunc(searchable[i].text(s, p), func(v string) bool { return strings.Contains(strings.ToLower(v), t.text) })
		})
		if is == anyOf {
			return is
		}
	}
	return !anyOf
}

// aclPrincipals answers DAV:acl-principal-prop-set (RFC 3744 §9.2).
func aclPrincipals(x *Exchange, body *davxml.Element) error {
	if _, err := x.depth(0, 0); err != nil {
		return err
	}
	want := &Want{}
	if p := body.Child(davxml.DAV("prop")); p != nil {
		want.ask(p)
	}
	m := x.Multistatus(want)
	err := x.View(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		if err := s.require(r, x.at.raw, PrivReadACL); err != nil {
			return err
		}
		ids := []storage.AccountID{r.Owner()}
		if sh, ok := r.(Sharer); ok {
			for _, e := range sh.ACL(s) {
				ids = append(ids, e.Account)
			}
		}
		return x.each(s, m, ids, func(string) bool { return true })
	})
	return m.Finish(err)
}
