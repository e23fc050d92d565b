package imap

import (
	"strconv"
	"strings"
)

// capabilities is what is true now, in this state (RFC 9051 §6.1.1).
func (s *session) capabilities() string {
	var b strings.Builder
	b.WriteString("IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR")
	if s.state == notAuth {
		if s.canStartTLS() {
			b.WriteString(" STARTTLS")
		}
		mechs := s.mechanisms()
		for _, m := range mechs {
			b.WriteString(" AUTH=" + m)
		}
		if !s.mayLogin() {
			b.WriteString(" LOGINDISABLED")
		}
	}
	b.WriteString(" IDLE NAMESPACE UIDPLUS MOVE UNSELECT ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS" +
		" SPECIAL-USE CREATE-SPECIAL-USE CHILDREN STATUS=SIZE CONDSTORE ACL RIGHTS=kxte LIST-MYRIGHTS BINARY WITHIN SAVEDATE APPENDLIMIT=")
	b.WriteString(strconv.FormatInt(s.srv.limits.Message, 10))
	return b.String()
}

// cmdCapability is CAPABILITY.
func (s *session) cmdCapability(*command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	s.untagged("CAPABILITY %s", s.capabilities())
	return nil
}
