package smtp

import (
	"errors"
	"io"
	"time"
)

var (
	errTooLarge = errors.New("smtp: message too large")
	errAborted  = errors.New("smtp: the client gave the message up")
	errBusy     = &Error{452, "4.3.2", "Too much is coming in at once, try again later"}
)

// An incoming is the message a client is sending, for the Backend to read. What
// is not acceptable fails the reading, and stays in err.
type incoming struct {
	x      *session
	source source
	lines  lines
	by     time.Time // when it must have come in
	n      int64
	held   int64  // of it counted as in memory
	rest   []byte // of the last piece
	end    bool   // the end of the message was read
	err    error
}

// A source gives the bytes of a message out: as DATA or as BDAT transfer them.
type source interface {
	// piece returns the next bytes, valid until the next call; io.EOF at the
	// end of the message. After any other error there is no more.
	piece(m *incoming) ([]byte, error)
	// unit returns how many bytes, at least, are still to come of what the
	// client is to be answered for next, and whether the message ends there.
	unit() (left int64, last bool)
}

// What a message holds in memory at most, as the store puts larger ones into
// files while they come in.
const maxHeld = 1 << 20

// next returns the next piece of an acceptable message.
func (m *incoming) next() ([]byte, error) {
	switch {
	case m.err != nil:
		return nil, m.err
	case m.end:
		return nil, io.EOF
	}
	p, err := m.source.piece(m)
	if errors.Is(err, io.EOF) {
		m.end = true
		if m.err = m.lines.end(); m.err == nil {
			return nil, io.EOF
		}
		return nil, m.err
	}
	if err != nil {
		m.err = err
		return nil, err
	}
	m.n += int64(len(p))
	switch {
	case m.n > m.x.srv.Limits.Message:
		m.err = errTooLarge
	case !m.hold(int64(len(p))):
		m.err = errBusy
	default:
		m.err = m.lines.check(p)
	}
	return p, m.err
}

// hold counts bytes as in memory, unless there are too many.
func (m *incoming) hold(n int64) bool {
	n = min(n, maxHeld-m.held)
	if m.held += n; m.x.srv.inFlight.Add(n) > m.x.srv.Limits.InFlight {
		return false
	}
	return true
}

func (m *incoming) release() { m.x.srv.inFlight.Add(-m.held) }

// Read is io.Reader.
func (m *incoming) Read(p []byte) (n int, err error) {
	for len(m.rest) == 0 {
		if m.rest, err = m.next(); err != nil {
			m.rest = nil
			return 0, err
		}
	}
	n = copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// WriteTo hands pieces on without copying them.
func (m *incoming) WriteTo(w io.Writer) (total int64, err error) {
	for {
		p := m.rest
		if m.rest = nil; len(p) == 0 {
			if p, err = m.next(); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				return total, err
			}
		}
		n, err := w.Write(p)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// fill waits for more from the client.
func (m *incoming) fill() error {
	by := time.Now().Add(m.x.srv.Limits.Read)
	if by.After(m.by) {
		by = m.by
	}
	err := m.x.conn.fill(by)
	if err != nil {
		m.x.lost = err
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // an io.EOF would be the end of the message
		}
	}
	return err
}

// skip reads what is left of a message that is not taken, so that the client
// hears why; it reports whether the client came to an end.
func (m *incoming) skip() bool {
	for budget := m.x.srv.Limits.Message; ; {
		left, last := m.source.unit()
		if m.end = m.end || left == 0 && last; left == 0 {
			return true
		}
		if left > budget {
			return false
		}
		p, err := m.source.piece(m)
		if budget -= int64(len(p)); err != nil && !errors.Is(err, io.EOF) {
			return false
		}
	}
}

// take gives the message to the Backend and answers for it: the end of the path
// from the wire.
func (x *session) take(source source) {
	x.conn.message(true)
	defer x.conn.message(false)
	m := &incoming{x: x, source: source, lines: lines{limit: x.srv.Limits.Line}, by: time.Now().Add(x.srv.Limits.Transfer)}
	defer m.release()
	env := x.env
	err := x.srv.Backend.Deliver(x.ctx, env, m)
	x.env = nil
	switch {
	case m.err != nil: // the client is told what was wrong with what it sent
		err = m.err
	case err == nil && !m.end:
		err = errors.New("a message was taken before its end")
	}
	if errors.Is(err, errTooLarge) {
		err = x.tooLarge()
	}
	if err == nil {
		x.accepted(env, m)
		return
	}
	x.srv.Counters.Rejected.Add(1)
	x.trace.Event("rejected", "error", err, "bytes", m.n)
	if errors.Is(err, errAborted) || x.lost != nil {
		return
	}
	if !m.skip() {
		if x.lost != nil {
			return
		}
		x.quit, x.cut = true, true
	}
	x.rejected(env, m, err)
}

// accepted says that a message is on stable storage.
func (x *session) accepted(env *Envelope, m *incoming) {
	x.srv.Counters.Delivered.Add(1)
	x.commands, x.errors = 0, 0
	x.trace.Event("accepted", "bytes", m.n)
	if !x.info.LMTP {
		x.say(250, "2.0.0", "Accepted as "+x.info.ID)
		return
	}
	for _, to := range env.To { // RFC 2033 §4.2: a reply for each
		x.say(250, "2.0.0", "<"+to.Addr+"> has it")
	}
}

func (x *session) rejected(env *Envelope, m *incoming, err error) {
	e := x.reply(err)
	if !x.info.LMTP || !m.end {
		x.refuse(e)
		return
	}
	for range env.To {
		x.say(e.Code, e.Enhanced, e.Text)
	}
}
