package imap

// Name and Version are what ID says of the server; cmd may set them.
var (
	Name    = "essaim"
	Version = ""
)

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
	if Version == "" || s.state == notAuth {
		s.untagged(`ID ("name" "%s")`, Name)
		return nil
	}
	s.untagged(`ID ("name" "%s" "version" "%s")`, Name, Version)
	return nil
}
