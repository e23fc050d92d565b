package imap

import "essaim.coop/essaim/storage/mailbox"

// cmdNamespace is NAMESPACE (RFC 2342).
func (s *session) cmdNamespace(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.untagged(`NAMESPACE (("" "/")) (("` + mailbox.OtherUsers + `/" "/")) (("` + mailbox.Shared + `/" "/"))`)
	return nil
}
