package imap

import (
	"bytes"
	"context"
	"errors"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

// mayLogin reports whether a password may travel on this connection.
func (s *session) mayLogin() bool { return s.conn.secure() || s.srv.Insecure }

// cmdLogin is LOGIN (RFC 9051 §6.2.3).
func (s *session) cmdLogin(c *command) error {
	user, pass, err := s.dec.Login()
	if err != nil {
		return err
	}
	if !s.mayLogin() {
		return no("PRIVACYREQUIRED", "use TLS first")
	}
	mech, err := sasl.NewServer("PLAIN", s.srv.Auth, s.conn.tlsState())
	if err != nil {
		return err
	}
	_, _, err = mech.Next(bytes.Join([][]byte{nil, []byte(user), []byte(pass)}, []byte{0}))
	return s.finishLogin(c, mech, err)
}

// finishLogin turns the outcome of an authentication into the session's state.
func (s *session) finishLogin(c *command, mech sasl.Server, err error) error {
	if err != nil {
		return s.refuseLogin(err)
	}
	s.login = mech.Login()
	if err := s.srv.admit(s); err != nil {
		return err
	}
	s.srv.Counters.Logins.Add(1)
	s.state = authed
	s.conn.limit = time.Time{}
	s.trace.Event("login", "account", s.account(), "address", s.login.Address)
	s.log.Debug("imap login", "trace", s.id, "account", s.account(), "app_password", s.login.AppPassword, "remote", s.conn.raw.RemoteAddr().String())
	c.code, c.text = "CAPABILITY "+s.capabilities(), "welcome"
	return nil
}

// refuseLogin slows guessing down and ends sessions that only guess.
func (s *session) refuseLogin(err error) error {
	if r := loginRefusal(err); r != nil {
		return r // not the client's fault
	}
	s.srv.Counters.LoginFailures.Add(1)
	s.trace.Event("login failed", "error", err.Error())
	s.log.Info("rejected", "what", "imap login", "trace", s.id, "remote", s.conn.raw.RemoteAddr().String())
	time.Sleep(s.srv.failedLogin(s.addr, time.Now()))
	if s.failures++; s.failures >= s.srv.limits.Failures {
		s.bye("too many failed logins")
	}
	return no("AUTHENTICATIONFAILED", "wrong name or password")
}

// loginRefusal is the answer to a failure that says nothing about the password:
// the client made a mistake or gave up, or the server cannot tell now.
func loginRefusal(err error) error {
	switch {
	case errors.Is(err, sasl.ErrCredentials):
		return nil
	case errors.Is(err, sasl.ErrSyntax):
		return bad("malformed authentication")
	case errors.Is(err, context.DeadlineExceeded):
		return no("UNAVAILABLE", "cannot check the password now, try again later")
	}
	return err
}
