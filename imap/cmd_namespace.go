package imap

// delimiter separates the levels of a mailbox name.
const delimiter = '/'

// cmdNamespace is NAMESPACE (RFC 2342): the account's own mailboxes, without
// a prefix; there are no others.
func (s *session) cmdNamespace(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.untagged(`NAMESPACE (("" "/")) NIL NIL`)
	return nil
}
