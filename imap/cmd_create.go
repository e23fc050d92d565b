package imap

import (
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdCreate is CREATE (RFC 9051 §6.3.4), with USE (RFC 6154 §3). A trailing
// delimiter only announces children.
func (s *session) cmdCreate(*command) error {
	a, err := s.dec.Create(s.utf8Names())
	if err != nil {
		return err
	}
	name := mailbox.Spell(strings.TrimSuffix(a.Mailbox, string(delimiter)))
	if name == "INBOX" {
		return no("ALREADYEXISTS", "INBOX is always there")
	}
	use := ""
	if len(a.Use) > 1 {
		return no("USEATTR", "one special use at most")
	}
	if len(a.Use) == 1 {
		if use = specialUse(a.Use[0]); use == "" {
			return no("USEATTR", "not a special use of this server")
		}
	}
	now := time.Now()
	return s.update(func(tx *storage.Tx) error { return s.create(tx, name, use, now) })
}

// create makes a mailbox with the entries of the nearest one above it that is
// there (RFC 4314 §4). That one must allow it; in an account of its own, or of
// a group, a client may also begin at the top.
func (s *session) create(tx *storage.Tx, name, use string, now time.Time) error {
	p, err := s.locate(tx, name)
	if err != nil {
		return err
	}
	if use != "" && p.prefix != "" {
		return no("USEATTR", "only one's own mailboxes have special uses")
	}
	above, err := s.above(tx, p)
	if err != nil {
		return err
	}
	box, err := mailbox.Create(tx, p.account, p.name, use, now)
	if err != nil || above == nil {
		return err
	}
	for name := box.Name; name != above.Name; name = parent(name) {
		b, err := mailbox.Open(tx, p.account, name)
		if err != nil {
			return err
		}
		for _, e := range tx.ACL(above.ID.Object()) {
			if err := tx.SetACL(b.ID.Object(), e.Account, e.Rights); err != nil {
				return err
			}
		}
	}
	return nil
}

// above finds the nearest mailbox over a place, nil when there is none, if a
// mailbox may be made there. Who may not learns no more than about a name that
// is nobody's.
func (s *session) above(tx *storage.Tx, p place) (*mailbox.Mailbox, error) {
	for name := parent(p.name); name != ""; name = parent(name) {
		if box, err := mailbox.Open(tx, p.account, name); err == nil {
			if r := s.rights(tx, box); !r.Has(storage.RightCreate) {
				return nil, lacks(r)
			}
			return box, nil
		}
	}
	if !slices.Contains(accounts.Identities(tx, s.account()), p.account) {
		return nil, storage.ErrNotFound
	}
	return nil, nil
}

// specialUse is the attribute in the spelling of RFC 6154, or empty.
func specialUse(a string) string {
	for _, u := range []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`} {
		if strings.EqualFold(a, u) {
			return u
		}
	}
	return ""
}

// cmdDelete is DELETE (RFC 9051 §6.3.5).
func (s *session) cmdDelete(*command) error {
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	if mailbox.Spell(name) == "INBOX" {
		return no("CANNOT", "INBOX stays")
	}
	var id storage.CollectionID
	err = s.update(func(tx *storage.Tx) error {
		box, err := s.open(tx, name, storage.RightDeleteCollection)
		if err != nil {
			return err
		}
		id = box.ID
		return mailbox.Delete(tx, box)
	})
	if err == nil && s.sel != nil && s.sel.id == id {
		s.unselect()
		s.untagged("OK [CLOSED] it was the selected mailbox")
	}
	return err
}

// cmdRename is RENAME (RFC 9051 §6.3.6): children move along, and INBOX is
// emptied into the new name. Entries stay with their mailboxes (RFC 4314 §4).
func (s *session) cmdRename(*command) error {
	from, to, err := s.dec.Rename(s.utf8Names())
	if err != nil {
		return err
	}
	if mailbox.Spell(to) == "INBOX" {
		return no("ALREADYEXISTS", "INBOX is always there")
	}
	now := time.Now()
	return s.update(func(tx *storage.Tx) error {
		box, src, err := s.openAt(tx, from, storage.RightDeleteCollection)
		if err != nil {
			return err
		}
		dst, err := s.locate(tx, to)
		if err != nil {
			return err
		}
		if _, err := s.above(tx, dst); err != nil {
			return err
		}
		if src.account != dst.account {
			return no("CANNOT", "a mailbox stays with its owner; its messages can be moved")
		}
		return mailbox.Rename(tx, src.account, box.Name, dst.name, now)
	})
}

// cmdSubscribe is SUBSCRIBE.
func (s *session) cmdSubscribe(*command) error {
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	return s.update(func(tx *storage.Tx) error {
		box, p, err := s.openAt(tx, name, storage.RightLookup)
		if err != nil {
			return err
		}
		return mailbox.Subscribe(tx, s.account(), p.prefix+box.Name, true)
	})
}

// cmdUnsubscribe is UNSUBSCRIBE, of any name.
func (s *session) cmdUnsubscribe(*command) error {
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	return s.update(func(tx *storage.Tx) error {
		if p, err := s.locate(tx, name); err == nil {
			name = p.prefix + p.name
		}
		return mailbox.Subscribe(tx, s.account(), name, false)
	})
}
