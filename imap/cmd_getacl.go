package imap

import (
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

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
