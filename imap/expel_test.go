package imap

import (
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// Once a device's password is taken away its sessions that wait, in IDLE or
// between commands, end by themselves. Those of other devices stay.
func TestRevokedLoginIsToldBye(t *testing.T) {
	defer func(d time.Duration) { grace = d }(grace)
	grace = 10 * time.Millisecond
	h := newHouse(t)
	must(t, h.db.Update(func(tx *storage.Tx) error {
		_, err := accounts.SetAppPassword(tx, h.zoe, "zoe's laptop", accounts.ScopeIMAP, "another", now)
		return err
	}))
	idling, waiting, other := h.in(t, "INBOX"), h.in(t, ""), h.dial(t)
	idling.send("i IDLE\r\n")
	idling.line()
	other.line()
	other.ok("LOGIN zoe@coop.example another")
	other.ok("SELECT INBOX")
	must(t, h.db.Update(func(tx *storage.Tx) error { return accounts.Revoke(tx, h.zoe, 1) }))
	for _, p := range []*peer{idling, waiting} {
		if l := p.line(); !strings.HasPrefix(l, "* BYE") {
			t.Error(l)
		}
		if rest := p.ended(); rest != "" {
			t.Errorf("after BYE came %q", rest)
		}
	}
	h.deliver(t, "INBOX", hello)
	other.ok("NOOP")
}

// deaf hears of no change.
type deaf struct{ sasl.Authenticator }

func (deaf) Watch(func()) (stop func()) { return func() {} }

// A session at work finds out before its next command, in the middle of a
// pipeline too.
func TestRevokedLoginGetsNoCommandDone(t *testing.T) {
	h := newHouse(t, func(s *Server) { s.Auth = deaf{s.Auth} })
	p := h.in(t, "INBOX")
	must(t, h.db.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, h.zoe)
		if err != nil {
			return err
		}
		a.Waiting = true
		return accounts.Save(tx, a)
	}))
	p.send("a NOOP\r\nb LIST \"\" *\r\n")
	if l := p.line(); !strings.HasPrefix(l, "* BYE") {
		t.Error(l)
	}
	if rest := p.ended(); rest != "" {
		t.Errorf("after BYE came %q", rest)
	}
}
