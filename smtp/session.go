package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/sasl"

	gosasl "github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// A session answers the library for one connection.
type session struct {
	srv    *Server
	conn   *gosmtp.Conn
	trace  Trace
	info   Session
	env    *Envelope
	tries  int
	ctx    context.Context
	cancel context.CancelFunc
}

var sessions atomic.Uint64

func (s *Server) newSession(c *gosmtp.Conn) (gosmtp.Session, error) {
	x := &session{srv: s, conn: c, trace: noTrace{}}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.info = Session{ID: fmt.Sprintf("s%x-%x", time.Now().Unix()&0xffffff, sessions.Add(1)), Addr: c.Conn().RemoteAddr(), LMTP: s.Kind == LMTP}
	if s.NewTrace != nil {
		x.trace = s.NewTrace(x.info.Addr.String())
	}
	return x, nil
}

// Reset forgets the message under way; Logout ends the session.
func (s *session) Reset() { s.env = nil }

func (s *session) Logout() error {
	s.cancel()
	s.trace.Event("closed")
	return nil
}

// Mail begins a message.
func (s *session) Mail(from string, opts *gosmtp.MailOptions) error {
	if s.srv.Kind == Submission && s.info.Login == nil {
		return s.reply(&Error{530, "5.7.0", "Authentication required"})
	}
	s.info.HELO = s.conn.Hostname()
	if st, ok := s.conn.TLSConnectionState(); ok {
		s.info.TLS = &st
	}
	e := &Envelope{Session: s.info, From: from}
	if opts != nil {
		e.Size, e.Ret, e.EnvID = opts.Size, string(opts.Return), opts.EnvelopeID
		e.EightBit, e.UTF8 = opts.Body == gosmtp.Body8BitMIME, opts.UTF8
	}
	if e.Size > s.srv.Limits.Message {
		return s.reply(s.tooLarge())
	}
	if err := s.srv.Backend.Sender(s.ctx, e); err != nil {
		return s.reply(err)
	}
	s.env = e
	s.trace.Event("from", "address", from)
	return nil
}

func (s *session) tooLarge() *Error {
	return &Error{552, "5.3.4", fmt.Sprintf("Messages have at most %d bytes", s.srv.Limits.Message)}
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, opts *gosmtp.RcptOptions) error {
	r := Rcpt{Addr: to}
	if opts != nil {
		for _, n := range opts.Notify {
			r.Notify = append(r.Notify, string(n))
		}
		if opts.OriginalRecipient != "" {
			r.ORCPT = strings.ToLower(string(opts.OriginalRecipientType)) + ";" + opts.OriginalRecipient
		}
	}
	if err := s.srv.Backend.Recipient(s.ctx, s.env, r); err != nil {
		s.trace.Event("recipient refused", "address", to, "error", err)
		return s.reply(err)
	}
	s.env.To = append(s.env.To, r)
	s.trace.Event("to", "address", to)
	return nil
}

// Data takes the message.
func (s *session) Data(r io.Reader) error {
	if c := below(s.conn.Conn()); c != nil {
		c.message(true)
		defer c.message(false)
	}
	body := &lines{r: r, limit: s.srv.Limits.Message}
	err := s.srv.Backend.Deliver(s.ctx, s.env, body)
	if body.err != nil { // the client is told what was wrong with what it sent
		err = body.err
	}
	if errors.Is(err, errTooLarge) {
		err = s.tooLarge()
	}
	if err != nil {
		s.drain(r)
		s.srv.Counters.Rejected.Add(1)
		s.trace.Event("rejected", "error", err)
		return s.reply(err)
	}
	s.srv.Counters.Delivered.Add(1)
	s.trace.Event("accepted", "bytes", body.n)
	return nil
}

// drain reads the rest of a refused message, so that the client hears why; one
// that goes on and on is cut.
func (s *session) drain(r io.Reader) {
	cut := time.AfterFunc(2*s.srv.Limits.Read, func() { s.conn.Conn().Close() })
	defer cut.Stop()
	if _, err := io.CopyN(io.Discard, r, s.srv.Limits.Message); err == nil {
		s.conn.Conn().Close()
	}
}

// LMTPData gives every recipient the same answer: they share one transaction.
func (s *session) LMTPData(r io.Reader, status gosmtp.StatusCollector) error {
	err := s.Data(r)
	for _, to := range s.env.To {
		status.SetStatus(to.Addr, err)
	}
	return err
}

// reply turns an error into the library's. What nobody foresaw is logged with
// the session's number, and the client is only told that.
func (s *session) reply(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		s.srv.Counters.Internal.Add(1)
		s.srv.Logger.Error("smtp internal error", "trace", s.info.ID, "error", err)
		e = &Error{451, "4.3.0", "Internal error, quote " + s.info.ID}
	}
	out := &gosmtp.SMTPError{Code: e.Code, Message: e.Text, EnhancedCode: gosmtp.NoEnhancedCode}
	if p := strings.Split(e.Enhanced, "."); len(p) == 3 {
		for i := range p {
			out.EnhancedCode[i], _ = strconv.Atoi(p[i])
		}
	}
	return out
}

// AuthMechanisms is what AUTH offers: nothing without TLS, or but to members.
func (s *session) AuthMechanisms() []string {
	if s.srv.Kind != Submission || s.srv.Auth == nil {
		return nil
	}
	if _, secure := s.conn.TLSConnectionState(); !secure {
		return nil
	}
	return []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}
}

// Auth starts a SASL exchange.
func (s *session) Auth(mech string) (gosasl.Server, error) {
	st, ok := s.conn.TLSConnectionState()
	if !ok || len(s.AuthMechanisms()) == 0 {
		return nil, gosmtp.ErrAuthUnsupported
	}
	srv, err := sasl.NewServer(mech, s.srv.Auth, &st)
	if err != nil {
		return nil, gosmtp.ErrAuthUnknownMechanism
	}
	return &exchange{session: s, srv: srv, serverFirst: strings.EqualFold(mech, "LOGIN")}, nil
}

// An exchange fits our SASL to the library's, which sends no challenge with
// success.
type exchange struct {
	*session
	srv         sasl.Server
	serverFirst bool
	begun, done bool
}

func (x *exchange) Next(response []byte) ([]byte, bool, error) {
	if x.done {
		return nil, true, x.welcome()
	}
	if !x.begun && response == nil && !x.serverFirst {
		x.begun = true
		return []byte{}, false, nil
	}
	x.begun = true
	challenge, done, err := x.srv.Next(response)
	switch {
	case err != nil:
		return nil, false, x.refused(err)
	case done && len(challenge) > 0:
		x.done = true
		return challenge, false, nil
	case done:
		return nil, true, x.welcome()
	}
	return challenge, false, nil
}

func (x *exchange) welcome() error {
	l := x.srv.Login()
	x.info.Login = &l
	x.session.srv.Counters.Logins.Add(1)
	x.trace.Event("login", "address", l.Address)
	return nil
}

// refused slows guessing down and ends sessions that only guess.
func (x *exchange) refused(err error) error {
	if !errors.Is(err, sasl.ErrCredentials) && !errors.Is(err, sasl.ErrSyntax) {
		return x.reply(&Error{454, "4.7.0", "Cannot check the password now"})
	}
	srv := x.session.srv
	srv.Counters.LoginFailures.Add(1)
	x.trace.Event("login failed", "error", err)
	srv.Logger.Info("rejected", "what", "smtp login", "trace", x.info.ID, "remote", x.info.Addr.String())
	x.tries++
	time.Sleep(time.Duration(x.tries) * 250 * time.Millisecond)
	if x.tries >= srv.Limits.AuthTries {
		defer x.conn.Close()
	}
	return gosmtp.ErrAuthFailed
}
