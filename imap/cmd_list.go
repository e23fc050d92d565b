package imap

import (
	"slices"
	"sort"
	"strings"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A listed name is a mailbox, or a name that only has mailboxes below it.
type listed struct {
	name       string
	box        *mailbox.Mailbox // nil: \NonExistent
	own        bool             // special uses are told
	rights     storage.Rights
	children   bool
	subscribed bool // itself
	below      bool // something below it is subscribed
}

// cmdList is LIST (RFC 9051 §6.3.9) with LIST-EXTENDED (RFC 5258), LIST-STATUS
// (RFC 5819), LIST-MYRIGHTS (RFC 8440), SPECIAL-USE (RFC 6154) and CHILDREN (RFC 3348).
func (s *session) cmdList(*command) error {
	a, err := s.dec.List(s.utf8Names())
	if err != nil {
		return err
	}
	if len(a.Patterns) == 1 && a.Patterns[0] == "" && !a.Extended { // asks for the delimiter
		s.untagged(`LIST (\Noselect) "/" ""`)
		return nil
	}
	if a.SelectRecursiveMatch && !a.SelectSubscribed {
		return bad("RECURSIVEMATCH needs another selection option") // RFC 5258 §3
	}
	return s.view(func(tx *storage.Tx) error {
		names, err := s.names(tx)
		if err != nil {
			return err
		}
		for _, n := range names {
			if info, ok := selects(a, n); ok && matchAny(a.Reference, a.Patterns, n.name) {
				s.listLine(a, n, info)
				if a.ReturnMyRights && n.box != nil { // RFC 8440
					s.myRights(n.name, n.rights)
				}
				if a.ReturnStatus != nil && n.box != nil && n.rights.Has(storage.RightRead) {
					s.statusLine(n.name, n.box, *a.ReturnStatus)
				}
			}
		}
		return nil
	})
}

// cmdLsub is LSUB (RFC 3501 §6.3.9): with % in the pattern, a name that is not
// subscribed stands for its subscribed children, with \Noselect.
func (s *session) cmdLsub(*command) error {
	a, err := s.dec.Lsub(s.utf8Names())
	if err != nil {
		return err
	}
	if len(a.Patterns) == 1 && a.Patterns[0] == "" {
		s.untagged(`LSUB (\Noselect) "/" ""`)
		return nil
	}
	return s.view(func(tx *storage.Tx) error {
		names, err := s.names(tx)
		if err != nil {
			return err
		}
		percent := strings.HasSuffix(strings.Join(a.Patterns, ""), "%")
		for _, n := range names {
			if !matchAny(a.Reference, a.Patterns, n.name) || !n.subscribed && !(percent && n.below) {
				continue
			}
			attr := ""
			if !n.subscribed {
				attr = `\Noselect`
			}
			s.enc.Raw("* LSUB (").Raw(attr).Raw(`) "/" `).Mailbox(n.name, s.utf8Names()).CRLF()
		}
		return nil
	})
}

// names are all names the account sees, with what LIST says about them, sorted,
// INBOX first: its own mailboxes, those of others it may look up, and what it is
// subscribed to.
func (s *session) names(tx *storage.Tx) ([]*listed, error) {
	t := nameTree{}
	boxes, err := mailbox.List(tx, s.account())
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		n := t.add(b.Name)
		n.box, n.own, n.rights = b, true, storage.OwnerRights
	}
	if err := s.othersNames(tx, t); err != nil {
		return nil, err
	}
	for _, name := range mailbox.Subscriptions(tx, s.account()) {
		t.at(name).subscribed = true
		for up := parent(name); up != ""; up = parent(up) {
			t.at(up).below = true
		}
	}
	out := make([]*listed, 0, len(t))
	for _, n := range t {
		out = append(out, n)
	}
	sort.Slice(out, func(i, k int) bool {
		if a, b := out[i].name == "INBOX", out[k].name == "INBOX"; a != b {
			return a
		}
		return out[i].name < out[k].name
	})
	return out, nil
}

// othersNames adds the mailboxes of others: all of a group's, and elsewhere
// those with an entry.
func (s *session) othersNames(tx *storage.Tx, t nameTree) error {
	places, shared := s.others(tx)
	for _, p := range places {
		boxes, err := mailbox.List(tx, p.account)
		if err != nil {
			return err
		}
		group := strings.HasPrefix(p.prefix, mailbox.Shared)
		for _, b := range boxes {
			if !group && !slices.Contains(shared, b.ID) {
				continue
			}
			if r := s.rights(tx, b); r.Has(storage.RightLookup) {
				n := t.add(p.prefix + b.Name)
				n.box, n.rights = b, r
			}
		}
	}
	return nil
}

// A nameTree is the names of a LIST.
type nameTree map[string]*listed

func (t nameTree) at(name string) *listed {
	if t[name] == nil {
		t[name] = &listed{name: name}
	}
	return t[name]
}

// add makes a name of a mailbox that is there, and those over it.
func (t nameTree) add(name string) *listed {
	for up := parent(name); up != ""; up = parent(up) {
		t.at(up).children = true
	}
	return t.at(name)
}

// parent is the name one level up, or empty.
func parent(name string) string {
	i := strings.LastIndexByte(name, delimiter)
	return name[:max(i, 0)]
}

// selects applies the selection options. info says that the name is there only
// for its subscribed children (RECURSIVEMATCH's CHILDINFO).
func selects(a *imapwire.ListArgs, n *listed) (info, ok bool) {
	special := !a.SelectSpecialUse || n.own && n.box.SpecialUse != ""
	switch {
	case a.SelectSubscribed && n.subscribed:
		return a.SelectRecursiveMatch && n.below, special
	case a.SelectSubscribed:
		return true, special && a.SelectRecursiveMatch && n.below
	}
	return false, special && (n.box != nil || n.children) // not what is there by subscription alone
}

// listLine writes one LIST response. Special use is always told (clients ask
// for it rarely and want it badly), and so is whether there are children.
func (s *session) listLine(a *imapwire.ListArgs, n *listed, info bool) {
	var attrs []string
	switch {
	case n.box == nil && a.Extended:
		attrs = append(attrs, `\NonExistent`)
	case n.box == nil:
		attrs = append(attrs, `\Noselect`)
	}
	if n.children {
		attrs = append(attrs, `\HasChildren`)
	} else {
		attrs = append(attrs, `\HasNoChildren`)
	}
	if n.subscribed && (a.SelectSubscribed || a.ReturnSubscribed) {
		attrs = append(attrs, `\Subscribed`)
	}
	if n.own && n.box.SpecialUse != "" {
		attrs = append(attrs, n.box.SpecialUse)
	}
	e := s.enc
	e.Raw("* LIST (").Raw(strings.Join(attrs, " ")).Raw(`) "/" `).Mailbox(n.name, s.utf8Names())
	if info {
		e.Raw(` ("CHILDINFO" ("SUBSCRIBED"))`)
	}
	e.CRLF()
}

// matchAny reports whether the name matches one of the patterns. The reference
// is put in front, as the RFC's examples do.
func matchAny(ref string, patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(ref+p, name) })
}

// match compares a name with a pattern, in time proportional to their product:
// * is anything, % anything on one level; INBOX is known in any case.
func match(pattern, name string) bool {
	if len(pattern) >= 5 && strings.EqualFold(pattern[:5], "INBOX") && (len(pattern) == 5 || strings.IndexByte("/%*", pattern[5]) >= 0) {
		pattern = "INBOX" + pattern[5:]
	}
	at := make([]bool, len(name)+1) // prefixes of name the pattern so far matches
	at[0] = true
	for i := 0; i < len(pattern); i++ {
		switch p := pattern[i]; p {
		case '*', '%':
			for k := 0; k < len(name); k++ {
				if at[k] && (p == '*' || name[k] != delimiter) {
					at[k+1] = true
				}
			}
		default:
			for k := len(name); k > 0; k-- {
				at[k] = at[k-1] && name[k-1] == p
			}
			at[0] = false
		}
	}
	return at[len(name)]
}
