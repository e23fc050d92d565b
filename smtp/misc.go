package smtp

func (x *session) rset(string) error {
	x.env = nil
	x.say(250, "2.0.0", "Forgotten")
	return nil
}

func (x *session) noop(string) error {
	x.say(250, "2.0.0", "OK")
	return nil
}

func (x *session) bye(string) error {
	x.quit = true
	x.say(221, "2.0.0", "Goodbye")
	return nil
}

// vrfy tells nothing: whether an address exists is not for whoever asks
// (RFC 5321 §7.3).
func (x *session) vrfy(arg string) error {
	if arg == "" {
		return &Error{501, "5.5.4", "Whom?"}
	}
	x.say(252, "2.1.5", "Send a message, and see")
	return nil
}

func (x *session) help(string) error {
	x.say(214, "2.0.0", "This is RFC 5321; postmaster@ and your domain is a person")
	return nil
}

func notHere(*session, string) error { return &Error{502, "5.5.1", "Not offered here"} }
