package imap

import (
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
)

// A state of RFC 9051 §3, as a bit, so that a row of the table can name several.
type state uint8

const (
	notAuth state = 1 << iota
	authed
	selectedState
	logout

	anyState = notAuth | authed | selectedState
	loggedIn = authed | selectedState
)

// A refresh says what a command may be followed by before its tagged answer.
type refresh uint8

const (
	refreshNone   refresh = iota // nothing: the command answers everything itself
	refreshFlags                 // FETCH and EXISTS, no EXPUNGE (RFC 9051 §7.5.1: FETCH, STORE, SEARCH)
	refreshAll                   // everything, when a nudge has come
	refreshForced                // everything, nudge or not: what the client sends to ask for news
)

// A row is one command: its name, the states it is allowed in, what may follow
// it, and the method that parses its arguments and does its work.
type row struct {
	name   string
	states state
	after  refresh
	run    func(*session, *command) error
}

// A command is the one being carried out. A handler that returns nil is
// answered with OK; it may set code (without brackets) and text before.
type command struct {
	tag, name string
	uid       bool // a UID command: numbers are UIDs, EXPUNGE may follow
	code      string
	text      string
	after     refresh
	parsed    bool // its last line has been read: nothing to skip after a mistake
}

// A session is one client's conversation. Everything in it belongs to the
// goroutine that carries out commands; while the session is parked, to whoever
// holds mu. The two never overlap: see idle.go.
type session struct {
	srv   *Server
	conn  *conn
	dec   *imapwire.Decoder
	enc   *imapwire.Encoder
	id    string // names the session in logs and answers
	trace Trace
	log   *slog.Logger

	state    state
	login    sasl.Login
	addr     netip.Addr
	admitted bool // counted among the account's sessions; set once, under srv.mu, with login
	sel      *selected

	rev2      bool // ENABLE IMAP4rev2
	utf8      bool // ENABLE UTF8=ACCEPT
	condstore bool // RFC 7162 §3.1: some command has enabled it

	unknown  int  // unknown or malformed commands before login
	failures int  // failed logins
	answered bool // the command has written its tagged line itself

	mu       sync.Mutex
	parked   bool
	pushable atomic.Bool // parked in IDLE
	pushing  atomic.Bool // a push is about to run
	idle     *idling     // while IDLE runs
	small    [32]byte    // the first bytes after parking
}

// start greets the client and serves it. With implicit TLS the handshake comes
// first, in the session's own goroutine and time.
func (s *session) start(implicitTLS bool) {
	defer s.recover()
	if implicitTLS {
		if err := s.handshake(); err != nil {
			s.trace.Event("handshake failed", "error", err.Error())
			s.close()
			return
		}
	}
	s.borrowCodec()
	s.status("*", "OK", "CAPABILITY "+s.capabilities(), serverName+" ready")
	s.run()
}

// borrowCodec takes what a working session needs from the pools.
func (s *session) borrowCodec() {
	s.conn.borrow()
	s.dec = imapwire.NewDecoder(s.conn.br)
	s.enc = imapwire.NewEncoder(s.conn.bw)
	s.dec.Continue = s.goAhead
}

// goAhead asks for a literal. The space is for clients that insist on it.
func (s *session) goAhead() error {
	s.enc.Raw("+ ").CRLF()
	return s.conn.flush()
}

// borrowWriter is borrowCodec for a push, which reads nothing.
func (s *session) borrowWriter() {
	s.conn.borrow()
	s.enc = imapwire.NewEncoder(s.conn.bw)
}

// releaseCodec gives it back; the write buffer must have been flushed.
func (s *session) releaseCodec() {
	s.conn.giveBack()
	s.dec, s.enc = nil, nil
}

// account is whose session it is, after login.
func (s *session) account() storage.AccountID { return storage.AccountID(s.login.Account) }

// utf8Names reports whether mailbox names travel as UTF-8, rather than in
// modified UTF-7 (RFC 9051 §5.1, RFC 6855 §3).
func (s *session) utf8Names() bool { return s.rev2 || s.utf8 }

// view runs fn in a read transaction. What fn writes to s.enc is kept in memory
// and goes to the network only after the transaction has ended: a slow client
// never holds a View. A handler with much to say cuts its work into several
// views, each up to about viewBatch bytes: s.held() tells how many wait.
func (s *session) view(fn func(*storage.Tx) error) error {
	s.conn.hold()
	err := s.srv.DB.View(fn)
	if e := s.conn.release(); err == nil {
		err = e
	}
	return err
}

// held is the number of bytes written inside the present view.
func (s *session) held() int { return s.conn.heldBytes() }

// viewBatch is what one view should write at most before it ends.
const viewBatch = 256 << 10

// update runs fn in a write transaction and makes sure that the next refresh
// sees what it did, whether or not the nudge has arrived by then. fn may run
// twice and must not write to s.enc.
func (s *session) update(fn func(*storage.Tx) error) error {
	if s.srv.DB.ReadOnly() != "" {
		return storage.ErrReadOnly
	}
	err := s.srv.DB.Update(fn)
	if s.sel != nil {
		s.sel.dirty.Store(true)
	}
	return err
}

// run carries out commands until the client or the server ends, or the session
// parks itself. The goroutine that calls it must return right after it.
func (s *session) run() {
	defer s.recover()
	for {
		switch s.await() {
		case awaitPark:
			s.park()
			return
		case awaitEnd:
			s.close()
			return
		}
		if s.expelled() || !s.step() {
			s.close()
			return
		}
		if s.idle == nil {
			continue
		}
		if s.conn.buffered() == 0 {
			s.park()
			return
		}
		if !s.endIdle() { // DONE came along with IDLE
			s.close()
			return
		}
	}
}

// recover ends a session whose handler panicked; the process lives on.
func (s *session) recover() {
	if p := recover(); p != nil {
		s.panicked(p)
		s.close()
	}
}

func (s *session) panicked(p any) {
	s.srv.Counters.Panics.Add(1)
	s.log.Error("imap panic", "trace", s.id, "panic", p, "stack", string(debug.Stack()))
}

// close gives everything back. It runs once, on the session's last goroutine.
func (s *session) close() {
	s.unselect()
	s.conn.close()
	s.srv.leave(s)
	s.trace.Event("closed", "after", time.Since(s.conn.since).Round(time.Millisecond))
}
