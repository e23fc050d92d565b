package imap

import (
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// ACL (RFC 4314). Identifiers are primary addresses, of people or of groups; there are no
// negative rights and no "anyone". The owner's rights are told, and stay.

// cmdSetACL is SETACL (RFC 4314 §3.1).
func (s *session) cmdSetACL(*command) error {
	a, err := s.dec.SetACL(s.utf8Names())
	if err != nil {
		return err
	}
	text := a.Rights
	mod := byte(0)
	if text != "" && (text[0] == '+' || text[0] == '-') {
		mod, text = text[0], text[1:]
	}
	rights, err := storage.ParseRights(text)
	if err != nil {
		return bad("rights are letters of lrswipkxtea")
	}
	return s.changeACL(a.Mailbox, a.Identifier, func(had storage.Rights) storage.Rights {
		switch mod {
		case '+':
			return had | rights
		case '-':
			return had &^ rights
		}
		return rights
	})
}

// cmdDeleteACL is DELETEACL (RFC 4314 §3.2).
func (s *session) cmdDeleteACL(*command) error {
	a, err := s.dec.MailboxIdentifier(s.utf8Names())
	if err != nil {
		return err
	}
	return s.changeACL(a.Mailbox, a.Identifier, func(storage.Rights) storage.Rights { return 0 })
}

func (s *session) changeACL(name, identifier string, change func(had storage.Rights) storage.Rights) error {
	return s.update(func(tx *storage.Tx) error {
		box, err := s.open(tx, name, storage.RightAdminister)
		if err != nil {
			return err
		}
		who, err := identify(tx, identifier)
		if err != nil {
			return err
		}
		if who == box.Account {
			return no("CANNOT", "the owner's rights stay")
		}
		return tx.SetACL(box.ID.Object(), who, change(tx.RightsOf(box.ID.Object(), who)))
	})
}

// identify finds the account of an identifier.
func identify(tx *storage.Tx, identifier string) (storage.AccountID, error) {
	a, err := accounts.Lookup(tx, identifier)
	if err != nil {
		return 0, no("CANNOT", "no member or group has this address")
	}
	return a.ID, nil
}

// cmdGetACL is GETACL (RFC 4314 §3.3).
func (s *session) cmdGetACL(*command) error {
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	return s.view(func(tx *storage.Tx) error {
		box, p, err := s.openAt(tx, name, storage.RightAdminister)
		if err != nil {
			return err
		}
		s.enc.Raw("* ACL ").Mailbox(p.prefix+box.Name, s.utf8Names())
		entry := func(id storage.AccountID, r storage.Rights) {
			if a, err := accounts.Get(tx, id); err == nil {
				s.enc.SP().AString(a.Address, s.utf8Names()).SP().Raw(wireRights(r))
			}
		}
		entry(box.Account, ownersRights(tx, box))
		for _, e := range tx.ACL(box.ID.Object()) {
			entry(e.Account, e.Rights)
		}
		s.enc.CRLF()
		return nil
	})
}

// ownersRights are those of a mailbox's account: a group stands for its
// members.
func ownersRights(tx *storage.Tx, box *mailbox.Mailbox) storage.Rights {
	if a, err := accounts.Get(tx, box.Account); err == nil && a.Group {
		return storage.GroupRights
	}
	return storage.OwnerRights
}

// cmdListRights is LISTRIGHTS (RFC 4314 §3.4): any right can be given to anybody
// but the owner, who has them all.
func (s *session) cmdListRights(*command) error {
	a, err := s.dec.MailboxIdentifier(s.utf8Names())
	if err != nil {
		return err
	}
	return s.view(func(tx *storage.Tx) error {
		box, p, err := s.openAt(tx, a.Mailbox, storage.RightAdminister)
		if err != nil {
			return err
		}
		who, err := identify(tx, a.Identifier)
		if err != nil {
			return err
		}
		s.enc.Raw("* LISTRIGHTS ").Mailbox(p.prefix+box.Name, s.utf8Names()).SP().AString(a.Identifier, s.utf8Names()).SP()
		if who == box.Account {
			s.enc.Raw(wireRights(ownersRights(tx, box))).CRLF()
			return nil
		}
		s.enc.Raw(`""`)
		for _, r := range wireRights(storage.OwnerRights) {
			s.enc.SP().Raw(string(r))
		}
		s.enc.CRLF()
		return nil
	})
}

// cmdMyRights is MYRIGHTS (RFC 4314 §3.5).
func (s *session) cmdMyRights(*command) error {
	const any = storage.RightLookup | storage.RightRead | storage.RightInsert | storage.RightCreate | storage.RightDeleteCollection | storage.RightAdminister
	name, err := s.dec.MailboxOnly(s.utf8Names())
	if err != nil {
		return err
	}
	return s.view(func(tx *storage.Tx) error {
		box, p, err := s.openAt(tx, name, 0)
		if err != nil {
			return err
		}
		r := s.rights(tx, box)
		if r&any == 0 {
			return storage.ErrNotFound
		}
		s.enc.Raw("* MYRIGHTS ").Mailbox(p.prefix+box.Name, s.utf8Names()).SP().Raw(wireRights(r)).CRLF()
		return nil
	})
}

// wireRights writes rights with the two letters that older clients know: c for
// k or x, d for t or e (RFC 4314 §2.1.1).
func wireRights(r storage.Rights) string {
	text := r.String()
	if r&(storage.RightCreate|storage.RightDeleteCollection) != 0 {
		text += "c"
	}
	if r&(storage.RightDeleteItems|storage.RightExpunge) != 0 {
		text += "d"
	}
	if text == "" {
		return `""`
	}
	return text
}
