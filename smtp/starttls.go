package smtp

// starttls goes on in TLS (RFC 3207). What was said in the clear is forgotten.
func (x *session) starttls(arg string) error {
	switch {
	case arg != "":
		return &Error{501, "5.5.4", "STARTTLS has no arguments"}
	case x.info.TLS != nil:
		return &Error{503, "5.5.1", "This is TLS already"}
	case x.srv.tls == nil:
		return &Error{502, "5.5.1", "Not offered here"}
	}
	x.say(220, "2.0.0", "Go ahead")
	if x.handshake() {
		x.env, x.info.HELO = nil, ""
	}
	return nil
}

func (x *session) handshake() bool {
	state, err := x.conn.startTLS(x.ctx, x.srv.tls)
	if err != nil { // nothing that could be said would be understood
		x.quit = true
		x.trace.Event("TLS failed", "error", err)
		return false
	}
	x.info.TLS = state
	x.trace.Event("TLS", "with", x.info.TLSInfo())
	return true
}
