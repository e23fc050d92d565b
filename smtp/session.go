package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// A session is the conversation with one client.
type session struct {
	srv    *Server
	conn   *conn
	ctx    context.Context
	cancel context.CancelFunc
	trace  Trace

	info    Session
	env     *Envelope // of the message under way, nil between messages
	pending []byte    // a command that ended a message of chunks, still to be done
	lost    error     // the connection has failed
	quit    bool      // the last reply was said
	cut     bool      // the client may still be sending

	mails, commands, errors, tries int // what the limits count
}

var sessions atomic.Uint64

func (s *Server) newSession(c *conn) *session {
	x := &session{srv: s, conn: c, trace: noTrace{}}
	x.ctx, x.cancel = context.WithCancel(s.ctx)
	x.info = Session{ID: fmt.Sprintf("s%x-%x", time.Now().Unix()&0xffffff, sessions.Add(1)), Addr: c.raw.RemoteAddr(), LMTP: s.Kind == LMTP}
	if s.NewTrace != nil {
		x.trace = s.NewTrace(x.info.Addr.String())
		x.trace.Event("connected", "session", x.info.ID)
	}
	return x
}

// Command lines are longer than RFC 5321 §4.5.3.1.4 says by what extensions add
// (RFC 3461 §4, RFC 6531 §3.4); RFC 4954 §4 has its own limit.
const (
	maxLine     = 2048
	maxAuthLine = 12288
)

// run has the conversation. A panic ends this session and no other.
func (x *session) run() {
	defer x.end()
	defer func() {
		if p := recover(); p != nil {
			x.srv.Counters.Internal.Add(1)
			x.srv.Logger.Error("smtp panic", "trace", x.info.ID, "panic", p, "stack", string(debug.Stack()))
			x.say(421, "4.3.0", "Internal error, quote "+x.info.ID)
		}
	}()
	if x.srv.ImplicitTLS && !x.handshake() {
		return
	}
	x.greet()
	for !x.quit {
		x.next()
	}
}

func (x *session) end() {
	x.cancel()
	x.conn.close(x.cut)
	x.trace.Event("closed")
}

func (x *session) greet() {
	proto := "ESMTP"
	if x.info.LMTP {
		proto = "LMTP"
	}
	x.conn.put("220 ", x.srv.Hostname, " ", proto, " essaim\r\n")
}

// next does one command.
func (x *session) next() {
	line := x.pending
	if x.pending = nil; line == nil {
		if line = x.command(); line == nil {
			return
		}
	}
	verb, arg := split(line)
	do, ok := commands[verb]
	switch {
	case !ok && x.info.HELO == "" && foreign[verb]:
		x.quit, x.cut = true, true // a web page that makes a browser speak to us, or a scanner
		x.say(421, "4.7.0", "This is a mail server")
		return
	case !ok:
		x.refuse(&Error{500, "5.5.2", "Unknown command"})
		return
	}
	if x.info.Login != nil && !x.srv.Auth.Holds(*x.info.Login) {
		x.goodbye("4.7.0", "This login has been taken away")
		return
	}
	if x.commands++; x.commands > x.srv.Limits.Commands {
		x.goodbye("4.7.0", "Too many commands without a message")
		return
	}
	if err := do(x, arg); err != nil {
		x.refuse(err)
	}
}

// command reads the next command line; nil when there is none to do.
func (x *session) command() []byte {
	switch {
	case x.lost != nil:
		x.leave(x.lost)
		return nil
	case x.env == nil && x.srv.stopping(): // what is pipelined is not begun any more
		x.leave(errStopping)
		return nil
	}
	line, err := x.conn.line(maxLine, time.Now().Add(x.srv.Limits.Read))
	switch {
	case err == nil && bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 127 }) >= 0:
		x.refuse(&Error{500, "5.5.2", "A command has no control characters"})
	case err == nil:
		return line
	case errors.Is(err, errLong):
		x.refuse(&Error{500, "5.5.6", "A line this long is no command"})
	case errors.Is(err, errEnding):
		x.refuse(&Error{500, "5.5.2", "A command line ends in CR LF"})
	default:
		x.leave(err)
	}
	return nil
}

// leave ends a session whose connection has, and says why where it can.
func (x *session) leave(err error) {
	x.quit = true
	switch {
	case errors.Is(err, errStopping):
		x.say(421, "4.3.2", "The server is stopping, come back in a moment")
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.say(421, "4.4.2", "Nothing heard for too long")
	case errors.Is(err, errEndless):
		x.goodbye("4.7.0", "A line without an end is no command")
	default:
		x.trace.Event("lost", "error", err)
	}
}

// goodbye ends a session that takes too much.
func (x *session) goodbye(enhanced, why string) {
	x.quit, x.cut = true, true
	x.trace.Event("sent away", "why", why)
	x.say(421, enhanced, why)
}

// split takes a command line apart into the verb, in capitals, and the rest.
func split(line []byte) (verb, arg string) {
	v, rest, _ := bytes.Cut(line, []byte(" "))
	return strings.ToUpper(string(v)), strings.TrimRight(string(rest), " ")
}

// commands is every command there is; its error is the reply.
var commands map[string]func(x *session, arg string) error

func init() { // the table refers to itself by way of BDAT
	commands = map[string]func(x *session, arg string) error{
		"EHLO": (*session).ehlo, "HELO": (*session).helo, "LHLO": (*session).lhlo,
		"STARTTLS": (*session).starttls, "AUTH": (*session).auth,
		"MAIL": (*session).mail, "RCPT": (*session).rcpt, "DATA": (*session).data, "BDAT": (*session).bdat,
		"RSET": (*session).rset, "NOOP": (*session).noop, "QUIT": (*session).bye, "VRFY": (*session).vrfy, "HELP": (*session).help,
		"EXPN": notHere, "ETRN": notHere, "TURN": notHere,
	}
}

// foreign are first words of other protocols.
var foreign = map[string]bool{"GET": true, "POST": true, "PUT": true, "HEAD": true, "OPTIONS": true, "CONNECT": true, "HOST:": true}
