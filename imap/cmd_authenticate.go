package imap

import (
	"bytes"
	"encoding/base64"
	"strings"

	"essaim.coop/essaim/internal/sasl"
)

// maxSASL bounds one line of a SASL exchange, in base64.
const maxSASL = 8 << 10

// mechanisms are the SASL mechanisms offered on this connection. Channel
// binding needs TLS; PLAIN and LOGIN need TLS or the operator's permission.
func (s *session) mechanisms() []string {
	var m []string
	if s.conn.secure() {
		m = append(m, "SCRAM-SHA-256-PLUS")
	}
	m = append(m, "SCRAM-SHA-256")
	if s.mayLogin() {
		m = append(m, "PLAIN", "LOGIN")
	}
	return m
}

// offered reports whether the client may use the mechanism here.
func (s *session) offered(name string) bool {
	for _, m := range s.mechanisms() {
		if m == name {
			return true
		}
	}
	return false
}

// cmdAuthenticate is AUTHENTICATE (RFC 9051 §6.2.2), with an initial response
// (RFC 4959): "=" is an empty one.
func (s *session) cmdAuthenticate(c *command) error {
	name, initial, hasInitial, err := s.dec.Authenticate()
	if err != nil {
		return err
	}
	name = strings.ToUpper(name)
	if !s.offered(name) {
		if !s.mayLogin() && (name == "PLAIN" || name == "LOGIN") {
			return no("PRIVACYREQUIRED", "use TLS first")
		}
		return no("CANNOT", "no such mechanism here")
	}
	mech, err := sasl.NewServer(name, s.srv.Auth, s.conn.tlsState())
	if err != nil {
		return err
	}
	return s.finishLogin(c, mech, s.exchange(mech, name == "LOGIN", initial, hasInitial))
}

// exchange carries a SASL exchange to its end. A server that speaks last has
// its final words acknowledged with an empty line.
func (s *session) exchange(mech sasl.Server, serverFirst bool, initial string, hasInitial bool) error {
	var response []byte
	if hasInitial && initial != "=" {
		var err error
		if response, err = base64.StdEncoding.DecodeString(initial); err != nil {
			return bad("not base64")
		}
	}
	if !hasInitial && !serverFirst {
		var err error
		if response, err = s.challenge(nil); err != nil {
			return err
		}
	}
	for {
		ch, done, err := mech.Next(response)
		if err != nil {
			return err
		}
		if done && len(ch) == 0 {
			return nil
		}
		if response, err = s.challenge(ch); err != nil {
			return err
		}
		if done {
			return nil
		}
	}
}

// challenge sends one challenge and reads the answer; "*" gives up.
func (s *session) challenge(ch []byte) ([]byte, error) {
	s.enc.Raw("+ ").Raw(base64.StdEncoding.EncodeToString(ch)).CRLF()
	var line []byte
	for {
		part, err := s.conn.br.ReadSlice('\n')
		if len(line)+len(part) > maxSASL {
			return nil, s.conn.broken
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if len(part) < readBuffer {
			return nil, err
		}
	}
	line = bytes.TrimRight(line, "\r\n")
	if string(line) == "*" {
		return nil, bad("authentication given up")
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Decode(out, line)
	if err != nil {
		return nil, bad("not base64")
	}
	return out[:n], nil
}
