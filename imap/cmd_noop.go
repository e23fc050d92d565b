package imap

// cmdNoop is NOOP and CHECK: the refresh that follows is the point of it.
func (s *session) cmdNoop(*command) error { return s.dec.CRLF() }

// cmdLogout is LOGOUT.
func (s *session) cmdLogout(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.bye("see you")
	return nil
}
