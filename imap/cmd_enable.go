package imap

// cmdEnable is ENABLE (RFC 5161). What the server does not know is passed over.
func (s *session) cmdEnable(c *command) error {
	names, err := s.dec.Enable()
	if err != nil {
		return err
	}
	on := ""
	for _, n := range names {
		switch n {
		case "IMAP4REV2":
			s.rev2 = true
			on += " IMAP4rev2"
		case "CONDSTORE":
			s.enableCondstore()
			on += " CONDSTORE"
		}
	}
	s.untagged("ENABLED%s", on)
	return nil
}

// enableCondstore turns MODSEQ on in every FETCH from now on (RFC 7162 §3.1).
// The first time with a mailbox selected, the client is told where it stands.
func (s *session) enableCondstore() {
	if s.condstore {
		return
	}
	s.condstore = true
	if s.sel != nil {
		s.untagged("OK [HIGHESTMODSEQ %d] now with CONDSTORE", s.sel.seen)
	}
}
