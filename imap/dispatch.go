package imap

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/imap/imapwire"
)

// step reads and answers one command. It reports whether the session goes on.
func (s *session) step() bool {
	if s.state != notAuth {
		s.conn.limit = time.Now().Add(s.srv.limits.Command)
		defer func() { s.conn.limit = time.Time{} }()
	}
	c, err := s.readCommand()
	if err == nil {
		err = s.dispatch(c)
	}
	s.srv.Counters.Commands.Add(1)
	if fatal(err) {
		s.trace.Event("broken", "error", err.Error())
		if s.conn.broken == nil {
			s.farewell(err)
		}
		return false
	}
	if s.answered {
		s.answered = false
		return s.conn.broken == nil
	}
	s.answer(c, err)
	if s.state == logout {
		s.conn.flush()
		return false
	}
	return s.conn.broken == nil
}

// readCommand reads the tag and the name of a command, UID included.
func (s *session) readCommand() (*command, error) {
	s.dec.Begin(s.state == notAuth)
	c := &command{tag: "*"}
	tag, err := s.dec.Tag()
	if err != nil {
		return c, err
	}
	c.tag = tag
	name, err := s.dec.CommandName()
	if err != nil {
		return c, err
	}
	c.name = strings.ToUpper(name)
	if c.name == "UID" {
		if err := s.dec.SP(); err != nil {
			return c, err
		}
		if name, err = s.dec.CommandName(); err != nil {
			return c, err
		}
		c.uid, c.name = true, "UID "+strings.ToUpper(name)
	}
	return c, nil
}

// dispatch looks the command up, checks the state and runs it.
func (s *session) dispatch(c *command) error {
	r, ok := table[c.name]
	if !ok {
		return &refusal{status: "BAD", text: "unknown command"}
	}
	if r.states&s.state == 0 {
		return wrongState(s.state)
	}
	c.after = r.after
	if c.name != "LOGIN" && c.name != "AUTHENTICATE" {
		s.trace.Event("command", "name", c.name)
	}
	return r.run(s, c)
}

// wrongState is the answer to a command that the session's state forbids.
func wrongState(st state) error {
	switch st {
	case notAuth:
		return &refusal{status: "BAD", text: "log in first"}
	case authed:
		return &refusal{status: "BAD", text: "no mailbox selected"}
	}
	return &refusal{status: "BAD", text: "not in this state"}
}

// answer writes what may follow the command and then its tagged line.
func (s *session) answer(c *command, err error) {
	r := refusalOf(err)
	if r == nil && s.idle != nil {
		return // IDLE answers when it ends
	}
	if err != nil && !c.parsed {
		if e := s.dec.Skip(); e != nil {
			s.lost(c, r, e)
			return
		}
	}
	before := s.sel.newest()
	e := s.refresh(c.after)
	if c.name == "UID FETCH" && s.sel.newest() != before {
		s.sel.unheard = true
	}
	if e != nil && r == nil {
		r = refusalOf(e)
	}
	status, code, text := "OK", c.code, c.text
	if r != nil {
		status, code, text = r.status, r.code, r.text
		if r.status == "BAD" {
			s.misbehaved(c)
		}
		if r.internal != nil {
			s.srv.Counters.Internal.Add(1)
			s.log.Error("imap internal error", "trace", s.id, "command", c.name, "error", r.internal)
			text = fmt.Sprintf("internal error, quote %s", s.id)
		}
		s.trace.Event("refused", "command", c.name, "status", status, "code", code, "text", text)
	}
	if text == "" {
		text = c.name + " completed"
	}
	s.status(c.tag, status, code, text)
}

// lost ends a session that cannot find the start of the next command, because
// the client has gone or because too much stands before it.
func (s *session) lost(c *command, r *refusal, err error) {
	if !errors.Is(err, imapwire.ErrTooLong) {
		s.farewell(err)
		s.conn.fail(err)
		return
	}
	s.status(c.tag, r.status, r.code, r.text)
	s.bye("too much for one command")
}

// status writes one status response; tag "*" makes it untagged.
func (s *session) status(tag, status, code, text string) {
	e := s.enc
	e.Raw(tag).SP().Raw(status).SP()
	if code != "" {
		e.Raw("[").Raw(code).Raw("] ")
	}
	e.Raw(text).CRLF()
}

// untagged writes one untagged line, already in wire form.
func (s *session) untagged(format string, args ...any) {
	s.enc.Raw("* ").Raw(fmt.Sprintf(format, args...)).CRLF()
}

// misbehaved counts malformed and unknown commands before login, and ends the
// session after a few: what speaks like that is not a mail program.
func (s *session) misbehaved(c *command) {
	if s.state != notAuth {
		return
	}
	if s.unknown++; s.unknown >= s.srv.limits.BadCommands {
		s.bye("too many bad commands")
	}
}

// bye announces the end of the session.
func (s *session) bye(text string) {
	s.status("*", "BYE", "", text)
	s.state = logout
}
