// Package sasl is the server side of the SASL mechanisms that the mail doors
// offer (RFC 4422): PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and
// SCRAM-SHA-256-PLUS (RFC 5802, 7677) with tls-exporter (RFC 9266) and
// tls-server-end-point (RFC 5929) channel binding.
//
// What it promises: secrets are compared in constant time, a name that does not
// exist takes the same course as one that does, and what a client sends is
// bounded by the caller's line limit. A Server is one exchange and not safe for
// concurrent use.
package sasl

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
)

// ErrCredentials says that name and password do not fit, and no more.
var ErrCredentials = errors.New("sasl: wrong name or password")

// ErrSyntax says that the client does not follow the mechanism.
var ErrSyntax = errors.New("sasl: malformed message")

// A Login is who has authenticated.
type Login struct {
	Account     uint32
	Address     string // primary address
	AppPassword uint32 // which one was used
	Scope       uint32 // what it is good for, in the bits of who keeps it
}

// Credentials are what SCRAM needs of a name: several keys, one for each of
// its passwords, made with one salt.
type Credentials struct {
	Salt       []byte
	Iterations int
	Keys       []Key
	Login      Login
}

// A Key is one password's, by RFC 5802 §3.
type Key struct {
	AppPassword          uint32
	StoredKey, ServerKey [sha256.Size]byte
}

// An Authenticator knows the names and passwords. Its errors are
// ErrCredentials, or why it cannot tell now.
type Authenticator interface {
	Password(name, password string) (Login, error)
	// SCRAM returns believable credentials without keys for unknown names.
	SCRAM(name string) (Credentials, error)
	// Holds reports whether a login still does: not once the password it was
	// made with was taken away, or the account deleted.
	Holds(Login) bool
	// Watch calls nudge, which must not block, after every change that may have
	// ended a login.
	Watch(nudge func()) (stop func())
}

// A Server is one authentication exchange.
type Server interface {
	// Next takes the client's response and returns the next challenge. When
	// done, the client has authenticated; a challenge that comes with it must
	// still be sent.
	Next(response []byte) (challenge []byte, done bool, err error)
	// Login returns who it is, when done.
	Login() Login
}

// NewServer starts an exchange. state is the connection's TLS, or nil.
func NewServer(mechanism string, auth Authenticator, state *tls.ConnectionState) (Server, error) {
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		return &plain{auth: auth}, nil
	case "LOGIN":
		return &login{auth: auth}, nil
	case "SCRAM-SHA-256":
		return newSCRAM(auth, state, false), nil
	case "SCRAM-SHA-256-PLUS":
		if state == nil {
			break
		}
		return newSCRAM(auth, state, true), nil
	}
	return nil, fmt.Errorf("%w: no mechanism %q", ErrSyntax, mechanism)
}

type plain struct {
	auth  Authenticator
	login Login
}

func (p *plain) Login() Login { return p.login }

// Next reads authzid NUL authcid NUL password. Acting for somebody else is not
// offered.
func (p *plain) Next(response []byte) ([]byte, bool, error) {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return nil, false, ErrSyntax
	}
	if len(parts[0]) > 0 && !bytes.EqualFold(parts[0], parts[1]) {
		return nil, false, ErrCredentials
	}
	var err error
	p.login, err = p.auth.Password(string(parts[1]), string(parts[2]))
	return nil, err == nil, err
}

// login is the mechanism that was never standardised. Its prompts are exactly
// these: Microsoft's clients compare them.
type login struct {
	auth  Authenticator
	step  int
	name  string
	login Login
}

func (l *login) Login() Login { return l.login }

func (l *login) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch {
	case l.step == 1 && len(response) == 0:
		return []byte("Username:"), false, nil
	case l.step == 1: // the name came as an initial response
		l.step++
		fallthrough
	case l.step == 2:
		l.name = string(response)
		return []byte("Password:"), false, nil
	case l.step == 3:
		var err error
		l.login, err = l.auth.Password(l.name, string(response))
		return nil, err == nil, err
	}
	return nil, false, ErrSyntax
}
