package imap

// delimiter separates the levels of a mailbox name.
const delimiter = '/'

// cmdNamespace is NAMESPACE (RFC 2342): members' own mailboxes without a prefix,
// and those shared with them below Shared.
func (s *session) cmdNamespace(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.untagged(`NAMESPACE (("" "/")) NIL NIL`)
	return nil
}
