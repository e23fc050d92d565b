package imap

import (
	"errors"
	"os"
	"strings"
	"time"
)

// How a session waits. Between commands, and in IDLE (RFC 2177), a session
// parks: it gives its buffers back and leaves its goroutine, whose stack has
// grown with its work, for a fresh one that blocks in Read. While it is parked,
// mu guards it: a nudge from the store starts a short-lived goroutine that takes
// mu, refreshes and writes; the wake-up takes mu and ends the parking. Nothing
// else runs: an idling session costs no timer but its read deadline, and those
// of all sessions fall on the same instant, so that they are one wake-up.

// keepalive is how often an idling client hears something, so that NATs and
// phones keep the connection.
var keepalive = 2 * time.Minute

// grace is how long a session that is not idling keeps its buffers.
var grace = 5 * time.Second

// idling is what IDLE remembers until DONE.
type idling struct{ cmd *command }

// What await found.
type awaited uint8

const (
	awaitCommand awaited = iota
	awaitPark
	awaitEnd
)

// await flushes and waits for the first byte of a command.
func (s *session) await() awaited {
	if s.state == logout || s.conn.broken != nil {
		return awaitEnd
	}
	if s.conn.buffered() > 0 {
		return awaitCommand
	}
	s.conn.read = grace
	_, err := s.conn.br.Peek(1)
	s.conn.read = s.srv.limits.Read
	switch {
	case err == nil:
		return awaitCommand
	case errors.Is(err, os.ErrDeadlineExceeded) && !s.srv.closing.Load():
		return awaitPark
	}
	s.farewell(err)
	return awaitEnd
}

// farewell says BYE when it is the server who ends the session.
func (s *session) farewell(err error) {
	text := ""
	switch {
	case s.srv.closing.Load():
		text = "server is going down, come back soon"
	case errors.Is(err, os.ErrDeadlineExceeded):
		text = "idle for too long"
	default:
		return
	}
	s.conn.broken = nil
	s.bye(text)
	s.conn.flush()
}

// park gives the buffers back and hands the session to a fresh goroutine. The
// caller must return at once.
func (s *session) park() {
	if s.conn.flush() != nil {
		s.close()
		return
	}
	s.releaseCodec()
	s.mu.Lock()
	s.parked = true
	s.mu.Unlock()
	s.pushable.Store(s.idle != nil)
	if s.idle != nil {
		s.srv.Counters.Idle.Add(1)
		if s.sel != nil && s.sel.dirty.Load() {
			s.nudged() // what came between the last refresh and pushable
		}
	}
	if s.admitted && !s.srv.Auth.Holds(s.login) {
		go s.expel() // what was taken away before the session was parked
	}
	go s.wait()
}

// wait blocks until the client speaks, and then goes on as the session.
func (s *session) wait() {
	defer s.recover()
	err := s.sleep()
	s.mu.Lock()
	s.parked = false
	s.mu.Unlock()
	s.pushable.Store(false)
	if s.idle != nil {
		s.srv.Counters.Idle.Add(-1)
	}
	s.borrowCodec()
	if err != nil {
		s.farewell(err)
		s.close()
		return
	}
	if s.idle != nil && !s.endIdle() {
		s.close()
		return
	}
	s.run()
}

// sleep reads the first bytes of what the client says next into conn.pre.
func (s *session) sleep() error {
	end := time.Now().Add(s.srv.limits.Idle)
	for {
		deadline := end
		if s.idle != nil {
			if k := time.Now().Truncate(keepalive).Add(keepalive); k.Before(end) {
				deadline = k
			}
		}
		n, err := s.conn.readParked(s.small[:], deadline)
		if n > 0 {
			s.conn.pre = s.small[:n]
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || s.srv.closing.Load() || !time.Now().Before(end) || s.conn.expired() {
			return err
		}
		s.stillHere()
	}
}

// stillHere is the keep-alive of IDLE.
func (s *session) stillHere() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.srv.Counters.Wakeups.Add(1)
	s.conn.writeOut([]byte("* OK Still here\r\n"))
}

// nudged is called by the store after a commit that changed the account of the
// selected mailbox. It does not block.
func (s *session) nudged() {
	if s.pushable.Load() && s.pushing.CompareAndSwap(false, true) {
		go s.push()
	}
}

// push tells an idling client what is new.
func (s *session) push() {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p)
			s.conn.raw.Close() // the parked goroutine ends the session
		}
	}()
	s.pushing.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.parked || s.idle == nil || s.sel == nil || s.conn.broken != nil {
		return
	}
	s.srv.Counters.Pushes.Add(1)
	s.borrowWriter()
	err := s.refresh(refreshAll)
	if e := s.conn.flush(); err == nil {
		err = e
	}
	s.releaseCodec()
	if err != nil || s.state == logout {
		s.log.Debug("imap push", "trace", s.id, "error", err)
		s.conn.raw.Close() // wakes the parked reader, which ends the session
	}
}

// cmdIdle is IDLE (RFC 2177). It only agrees; run parks the session.
func (s *session) cmdIdle(c *command) error {
	if err := s.dec.CRLF(); err != nil {
		return err
	}
	if err := s.refresh(refreshForced); err != nil {
		return err
	}
	s.enc.Raw("+ idling").CRLF()
	s.idle = &idling{cmd: c}
	return nil
}

// endIdle reads DONE and answers the IDLE command. What follows DONE in the
// same packet stays in the buffer.
func (s *session) endIdle() bool {
	c := s.idle.cmd
	s.idle = nil
	line, err := s.conn.br.ReadSlice('\n')
	if err != nil {
		s.farewell(err)
		return false
	}
	c.text, c.parsed = "IDLE terminated", true
	var refused error
	if !strings.EqualFold(strings.TrimRight(string(line), "\r\n"), "DONE") {
		refused = bad("expected DONE")
	}
	s.answer(c, refused)
	return s.state != logout && s.conn.broken == nil
}
