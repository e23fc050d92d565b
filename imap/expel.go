package imap

// How a login ends that was taken away, by revoking its app password or by
// deleting the account. A session at work finds out before its next command; one
// that is parked is told at once, since it may be waiting in IDLE for news that
// are none of its business any more.

const takenAway = "this login has been taken away"

// expelled says BYE to a client whose login no longer holds.
func (s *session) expelled() bool {
	if !s.admitted || s.srv.Auth.Holds(s.login) {
		return false
	}
	s.trace.Event("expelled")
	s.bye(takenAway)
	s.conn.flush()
	return true
}

// loginsChanged is called after a commit that may have ended logins. It does
// not block.
func (srv *Server) loginsChanged() {
	if srv.expels.CompareAndSwap(false, true) {
		go srv.expel()
	}
}

// expel ends the parked sessions whose login no longer holds. The store is
// asked without the lock.
func (srv *Server) expel() {
	srv.expels.Store(false)
	srv.mu.Lock()
	sessions := make([]*session, 0, len(srv.sessions))
	for s := range srv.sessions {
		if s.admitted {
			sessions = append(sessions, s)
		}
	}
	srv.mu.Unlock()
	for _, s := range sessions {
		if !srv.Auth.Holds(s.login) {
			go s.expel() // its client may be slow
		}
	}
}

// expel says BYE to the client of a parked session and wakes its reader, which
// ends the session.
func (s *session) expel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.parked || s.conn.broken != nil {
		return
	}
	s.borrowWriter()
	s.expelled()
	s.releaseCodec()
	s.conn.raw.Close()
}
