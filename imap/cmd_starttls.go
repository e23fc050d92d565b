package imap

import (
	"context"
	"crypto/tls"
	"time"
)

// handshakeWithin bounds a TLS handshake.
const handshakeWithin = 30 * time.Second

// canStartTLS reports whether STARTTLS would work now.
func (s *session) canStartTLS() bool { return s.srv.tls != nil && !s.conn.secure() }

// cmdStartTLS is STARTTLS (RFC 9051 §6.2.1). Bytes that came with the command
// in the clear are an attack (CVE-2011-0411): the connection ends.
func (s *session) cmdStartTLS(c *command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	if !s.canStartTLS() {
		return bad("no TLS to start")
	}
	if s.conn.buffered() > 0 {
		s.trace.Event("starttls injection")
		s.log.Warn("rejected", "what", "imap commands sent in the clear behind STARTTLS", "trace", s.id)
		s.bye("nothing may follow STARTTLS in the clear")
		return bad("nothing may follow STARTTLS")
	}
	s.status(c.tag, "OK", "", "begin TLS")
	if err := s.conn.flush(); err != nil {
		return err
	}
	s.answered = true
	return s.handshake()
}

// handshake puts TLS over the connection.
func (s *session) handshake() error {
	t := tls.Server(s.conn.raw, s.srv.tls)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeWithin)
	defer cancel()
	s.conn.raw.SetDeadline(time.Now().Add(handshakeWithin))
	if err := t.HandshakeContext(ctx); err != nil {
		s.conn.fail(err)
		return s.conn.broken
	}
	s.conn.raw.SetDeadline(time.Time{})
	s.conn.nc = t
	s.conn.tls = t
	return nil
}
