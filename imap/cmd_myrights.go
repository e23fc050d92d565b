package imap

import "essaim.coop/essaim/storage"

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
		s.myRights(p.prefix+box.Name, r)
		return nil
	})
}

func (s *session) myRights(name string, r storage.Rights) {
	s.enc.Raw("* MYRIGHTS ").Mailbox(name, s.utf8Names()).SP().Raw(wireRights(r)).CRLF()
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
