package imap

import (
	"slices"
	"strings"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// The names a client sees. Its own mailboxes have none in front; those of its
// groups are Shared/address/name, and what else somebody has shared with it is
// Other Users/address/name, where address is the owner's primary one (RFC 2342).
// Of what the account has no rights on, nothing tells that it is there.

// A place is where a name is: whose mailbox, what it is called there, and what
// stands in front of that for this client.
type place struct {
	account storage.AccountID
	name    string
	prefix  string
}

// own reports whether a name is among the client's own.
func own(name string) bool {
	first, _, _ := strings.Cut(name, string(delimiter))
	return !strings.EqualFold(first, mailbox.Shared) && !strings.EqualFold(first, mailbox.OtherUsers)
}

// locate finds what a client's name stands for. ErrNotFound for the name of
// somebody who shares nothing, like that of nobody.
func (s *session) locate(tx *storage.Tx, name string) (place, error) {
	if own(name) {
		return place{account: s.account(), name: mailbox.Spell(name)}, nil
	}
	others, _ := s.others(tx)
	for _, o := range others {
		if rest, ok := strings.CutPrefix(name, o.prefix); ok {
			o.name = mailbox.Spell(rest)
			return o, nil
		}
	}
	return place{}, storage.ErrNotFound
}

// others are the accounts that have mailboxes for the session's, and the
// mailboxes of those that are not its groups.
func (s *session) others(tx *storage.Tx) ([]place, []storage.CollectionID) {
	var out []place
	identities := accounts.Identities(tx, s.account())
	for _, g := range identities[1:] {
		out = s.addPlace(tx, out, g)
	}
	var shared []storage.CollectionID
	for _, o := range accounts.SharedWith(tx, identities) {
		c, err := tx.Collection(o.Collection)
		if err != nil || c.Kind != storage.KindMailbox || o.Item != 0 {
			continue
		}
		shared = append(shared, c.ID)
		if !slices.ContainsFunc(out, func(p place) bool { return p.account == c.Account }) {
			out = s.addPlace(tx, out, c.Account)
		}
	}
	return out, shared
}

func (s *session) addPlace(tx *storage.Tx, places []place, a storage.AccountID) []place {
	acct, err := accounts.Get(tx, a)
	if err != nil {
		return places
	}
	ns := mailbox.OtherUsers
	if acct.Group {
		ns = mailbox.Shared
	}
	label := strings.ReplaceAll(acct.Address, string(delimiter), "_") // no level of its own
	return append(places, place{account: a, prefix: ns + string(delimiter) + label + string(delimiter)})
}

// open finds a mailbox by the name a client gave, if it has the rights wanted.
func (s *session) open(tx *storage.Tx, name string, want storage.Rights) (*mailbox.Mailbox, error) {
	box, _, err := s.openAt(tx, name, want)
	return box, err
}

func (s *session) openAt(tx *storage.Tx, name string, want storage.Rights) (*mailbox.Mailbox, place, error) {
	p, err := s.locate(tx, name)
	if err != nil {
		return nil, p, err
	}
	box, err := mailbox.Open(tx, p.account, p.name)
	if err != nil {
		return nil, p, err
	}
	if r := s.rights(tx, box); !r.Has(want) {
		return nil, p, lacks(r)
	}
	return box, p, nil
}

// delimiter separates the levels of a mailbox name.
const delimiter = mailbox.Delimiter
