// Package smtpclient hands messages to another host.
//
// What it promises: every recipient of a message gets one Result that says what
// is known of it: the host has it, will not have it now, will never have it, or
// may have it, because the connection broke between the end of the message and
// the answer. Only in that last case can sending again make a duplicate. Only
// CR LF line ends go out, dots are stuffed, replies are bounded in lines and
// bytes, and no phase lasts longer than its timeout.
//
// STARTTLS is used whenever it is offered, and done without where it turns out
// broken, as opportunistic encryption is (RFC 7435), unless Security asks for
// more; a password is only sent to a host whose certificate verifies. A host's
// address is given by the caller: looking hosts up is the queue's work.
//
// The way of a message: Client.Dial (dial.go), Conn.Send and one transaction
// (send.go), its body (body.go); reply.go reads what the other side says.
//
// Done: RFC 5321, 3207, 2920 (pipelined envelope), 3030 (CHUNKING), 1870, 6152,
// 6531, 3461 and 6533 (parameters passed on), 9422 (RCPTMAX), 4954 (AUTH PLAIN
// and LOGIN, for relays), 8314 (implicit TLS to a relay).
// Partial: 6152 §3: a host that does not offer 8BITMIME gets eight-bit messages
// as they are. Rewriting them would break their signatures, returning them
// would help nobody, and hosts that mind have died out.
package smtpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"time"
)

// A Message is what to hand over.
type Message struct {
	From       string
	To         []Rcpt
	Body       io.ReaderAt
	Size       int64
	EightBit   bool
	UTF8       bool // needs SMTPUTF8
	Ret, EnvID string
}

// A Rcpt is a recipient with its DSN parameters (RFC 3461); ORCPT is
// type;address, decoded.
type Rcpt struct {
	Addr, ORCPT string
	Notify      []string
}

// A Status is what is known of a recipient.
type Status uint8

const (
	Temporary Status = iota // the host does not have the message; try again
	Sent                    // it has
	Permanent               // it never will
	Unknown                 // it may have it
)

func (s Status) String() string {
	return [...]string{"temporary", "sent", "permanent", "unknown"}[s]
}

// A Result is the answer for one recipient. Code is 0 when it is not a reply
// that decided but something that happened to the connection.
type Result struct {
	Status         Status
	Code           int
	Enhanced, Text string
	DSN            bool // the host has taken over what Notify asks for
}

// Elsewhere reports whether another host of the domain could do better.
func (r Result) Elsewhere() bool {
	return r.Status == Temporary && (r.Code == 0 || r.Code == 421)
}

// A Security is what encryption a host must have; the zero value takes what
// there is. DANE and MTA-STS have their place here.
type Security struct {
	Required bool
	Verify   func(tls.ConnectionState) error // nil: any certificate
}

// Timeouts bound the phases (RFC 5321 §4.5.3.2); zero is the default in
// parentheses.
type Timeouts struct {
	Connect  time.Duration // one address (30 s)
	TLS      time.Duration // handshake (1 min)
	Reply    time.Duration // greeting, MAIL, RCPT and others (5 min)
	DataInit time.Duration // reply to DATA (2 min)
	Block    time.Duration // writing a piece of the message (3 min)
	Final    time.Duration // reply to the end of the message (10 min)
}

func (t *Timeouts) defaults() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Connect, 30*time.Second)
	set(&t.TLS, time.Minute)
	set(&t.Reply, 5*time.Minute)
	set(&t.DataInit, 2*time.Minute)
	set(&t.Block, 3*time.Minute)
	set(&t.Final, 10*time.Minute)
}

// A Client says how to connect to one host.
type Client struct {
	Hostname       string // ours, for EHLO
	Host           string // the other's, for SNI
	Addr           string // ip:port
	Implicit       bool   // TLS from the first byte
	Timeouts       Timeouts
	Security       Security
	User, Password string         // AUTH, only over TLS with a certificate that verifies
	RootCAs        *x509.CertPool // for that; nil is the system's
	Dialer         func(ctx context.Context, network, addr string) (net.Conn, error)
}

// An Error is why there is no conversation with a host. It is Permanent only
// when the host says that it never takes mail (RFC 7504 §2).
type Error struct {
	Step string
	Result
	Err error // nil: Result is the host's reply
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Step + ": " + e.Err.Error()
	}
	return e.Step + ": " + e.Result.String()
}

func (e *Error) Unwrap() error { return e.Err }
