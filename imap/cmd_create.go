package imap

import (
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// cmdCreate is CREATE (RFC 9051 §6.3.4), with USE (RFC 6154 §3). A trailing
// delimiter only announces children.
func (s *session) cmdCreate(*command) error {
	a, err := s.dec.Create(s.utf8Names())
	if err != nil {
		return err
	}
	name := canonical(strings.TrimSuffix(a.Mailbox, string(delimiter)))
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
	return s.update(func(tx *storage.Tx) error {
		_, err := mailbox.Create(tx, s.account(), name, use, now)
		return err
	})
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
	if name = canonical(name); name == "INBOX" {
		return no("CANNOT", "INBOX stays")
	}
	var id storage.CollectionID
	err = s.update(func(tx *storage.Tx) error {
		box, err := s.open(tx, name)
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
// emptied into the new name.
func (s *session) cmdRename(*command) error {
	from, to, err := s.dec.Rename(s.utf8Names())
	if err != nil {
		return err
	}
	if to = canonical(to); to == "INBOX" {
		return no("ALREADYEXISTS", "INBOX is always there")
	}
	now := time.Now()
	return s.update(func(tx *storage.Tx) error {
		return mailbox.Rename(tx, s.account(), canonical(from), to, now)
	})
}

// cmdSubscribe is SUBSCRIBE.
func (s *session) cmdSubscribe(*command) error { return s.subscribe(true) }

// cmdUnsubscribe is UNSUBSCRIBE.
func (s *session) cmdUnsubscribe(*command) error { return s.subscribe(false) }

func (s *session) subscribe(on bool) error {
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	return s.update(func(tx *storage.Tx) error {
		box, err := s.open(tx, name)
		if err != nil {
			return err
		}
		return mailbox.Subscribe(tx, box, on)
	})
}

// open finds a mailbox by the name a client gave.
func (s *session) open(tx *storage.Tx, name string) (*mailbox.Mailbox, error) {
	return mailbox.Open(tx, s.account(), canonical(name))
}

// canonical spells INBOX in capitals, at the top level (RFC 9051 §5.1).
func canonical(name string) string {
	if first, rest, more := strings.Cut(name, string(delimiter)); strings.EqualFold(first, "INBOX") {
		if more {
			return "INBOX" + string(delimiter) + rest
		}
		return "INBOX"
	}
	return name
}
