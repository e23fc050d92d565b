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

// rights are what the session's account may do with a mailbox.
func (s *session) rights(tx *storage.Tx, box *mailbox.Mailbox) storage.Rights {
	if box.Account == s.account() {
		return storage.OwnerRights
	}
	return accounts.Rights(tx, accounts.Identities(tx, s.account()), box.ID.Object())
}

// lacks is the refusal of what rights do not allow. Who may not look up a
// mailbox does not learn that it is there (RFC 4314 §6).
func lacks(have storage.Rights) error {
	if have.Has(storage.RightLookup) {
		return storage.ErrPermission
	}
	return storage.ErrNotFound
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

// current opens the selected mailbox anew, if the session still has the rights
// wanted: they may have been taken away since it was selected.
func (s *session) current(tx *storage.Tx, want storage.Rights) (*mailbox.Mailbox, storage.Rights, error) {
	box, err := mailbox.ByID(tx, s.sel.id)
	if err != nil {
		return nil, 0, err
	}
	r := s.rights(tx, box)
	if !r.Has(want) {
		return nil, r, storage.ErrPermission
	}
	return box, r, nil
}

// mayFlag are the flags that rights allow to change (RFC 4314 §4).
func mayFlag(r storage.Rights) (f mailbox.Flags) {
	if r.Has(storage.RightSeen) {
		f |= mailbox.Seen
	}
	if r.Has(storage.RightDeleteItems) {
		f |= mailbox.Deleted
	}
	if r.Has(storage.RightWrite) {
		f |= mailbox.AllFlags &^ (mailbox.Seen | mailbox.Deleted)
	}
	return f
}

// mayBeFlagged picks the flags that may be changed.
func mayBeFlagged(r storage.Rights, names []string) []string {
	may := mayFlag(r)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		switch {
		case strings.EqualFold(n, `\Seen`):
			return may&mailbox.Seen == 0
		case strings.EqualFold(n, `\Deleted`):
			return may&mailbox.Deleted == 0
		}
		return may&mailbox.AllKeywords == 0
	})
}

// changes are the rights without any of which a mailbox is read-only (RFC 4314
// §5.2). Flags are kept once for all who look at a mailbox, \Seen too: what one
// of those who answer info@ has read nobody else need read again, and a mailbox
// has one state, one count of the unseen and one change log.
const changes = storage.RightSeen | storage.RightWrite | storage.RightInsert | storage.RightDeleteItems | storage.RightExpunge

// cmdNamespace is NAMESPACE (RFC 2342).
func (s *session) cmdNamespace(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.untagged(`NAMESPACE (("" "/")) (("` + mailbox.OtherUsers + `/" "/")) (("` + mailbox.Shared + `/" "/"))`)
	return nil
}

// delimiter separates the levels of a mailbox name.
const delimiter = mailbox.Delimiter
