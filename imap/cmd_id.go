package imap

// serverName is what ID and the greeting say of the server. Its version is told
// to members only.
const serverName = "essaim"

// cmdID is ID (RFC 2971), also before login. What the client says of itself
// goes into the trace.
func (s *session) cmdID(*command) error {
	fields, err := s.dec.ID()
	if err != nil {
		return err
	}
	for k, v := range fields {
		s.trace.Event("client", k, v)
	}
	if s.srv.Version == "" || s.state == notAuth {
		s.untagged(`ID ("name" "%s")`, serverName)
		return nil
	}
	s.untagged(`ID ("name" "%s" "version" "%s")`, serverName, s.srv.Version)
	return nil
}
