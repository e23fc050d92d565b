package imap

import (
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
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
