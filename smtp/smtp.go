// Package smtp is the SMTP door: mail from other hosts (MX), from members
// (Submission) and from a mail server in front (LMTP).
//
// What it promises: 250 to the end of data is sent only after the Backend has
// returned nil; a message has CRLF line ends and nothing else that could be
// taken for one; what a client sends is bounded in lines, recipients, bytes and
// time, and no client's mistakes cost another one anything.
//
// The way of a message: Server.accept (server.go), session.run and its command
// table (session.go), one file for each command, incoming.take (incoming.go),
// Backend.Deliver. conn.go has the bytes on the wire, limits.go what a client
// may take.
//
// Done: RFC 5321, 6409, 4954 (AUTH PLAIN, LOGIN, SCRAM-SHA-256, -PLUS), 3207,
// 8314, 2920, 1870, 6152, 6531, 3030 (CHUNKING), 2034, 3461 (DSN), 9422
// (MAILMAX, RCPTMAX), 2033 (LMTP).
// Refused: 3030 BINARYMIME (a message that cannot be passed on), VRFY, EXPN,
// ETRN; 8689 REQUIRETLS, until the next host's certificate can be verified.
package smtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"essaim.coop/essaim/internal/sasl"
)

// An Error is a reply that the Backend chose.
type Error struct {
	Code     int    // three digits
	Enhanced string // RFC 3463: "5.1.1"
	Text     string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text) }

// A Session is what is known of the client.
type Session struct {
	ID    string // names the session in traces and Received fields
	Addr  net.Addr
	HELO  string
	Plain bool // greeted with HELO: no extensions
	TLS   *tls.ConnectionState
	Login *sasl.Login // who has authenticated
	LMTP  bool
}

// IP returns the client's address without the port.
func (s *Session) IP() string {
	if a, ok := s.Addr.(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("").String()
	}
	return s.Addr.String()
}

// Protocol is the word for Received fields (RFC 3848; RFC 6531 §3.7.3 for a
// message sent with SMTPUTF8).
func (s *Session) Protocol(utf8 bool) string {
	p := "ESMTP"
	switch {
	case s.LMTP && utf8:
		p = "UTF8LMTP"
	case s.LMTP:
		p = "LMTP"
	case s.Plain:
		p = "SMTP"
	case utf8:
		p = "UTF8SMTP"
	}
	if s.TLS != nil {
		p += "S"
	}
	if s.Login != nil {
		p += "A"
	}
	return p
}

// TLSInfo describes the connection's encryption, "" without.
func (s *Session) TLSInfo() string {
	if s.TLS == nil {
		return ""
	}
	return tls.VersionName(s.TLS.Version) + " " + tls.CipherSuiteName(s.TLS.CipherSuite)
}

// A Rcpt is a recipient with its DSN parameters (RFC 3461).
type Rcpt struct {
	Addr   string
	ORCPT  string // type;address, as given
	Notify []string
}

// An Envelope is what surrounds one message.
type Envelope struct {
	Session    Session
	From       string // "" is the null reverse-path
	To         []Rcpt
	Size       int64  // announced, or 0
	Ret, EnvID string // RFC 3461
	EightBit   bool
	UTF8       bool
}

// A Backend decides. Its errors are *Error, or become 451 with a number to
// quote. Methods are called from many goroutines.
type Backend interface {
	// Sender accepts or refuses MAIL FROM.
	Sender(ctx context.Context, e *Envelope) error
	// Recipient accepts or refuses RCPT TO; e has the recipients accepted.
	Recipient(ctx context.Context, e *Envelope, r Rcpt) error
	// Deliver takes the message for all recipients or for none. body ends at
	// the end of data; it fails when the data are not acceptable.
	Deliver(ctx context.Context, e *Envelope, body io.Reader) error
}

// A Trace records what happened on a connection.
type Trace interface{ Event(word string, kv ...any) }

type noTrace struct{}

func (noTrace) Event(string, ...any) {}
