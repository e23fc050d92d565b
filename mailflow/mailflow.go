// Package mailflow is what happens to a message between the wire and a mailbox.
//
// What it promises: a message is accepted for all its recipients in one
// transaction or for none; what is accepted is in every local recipient's
// mailbox and in the queue for the others when Deliver or Submit returns, on
// stable storage. A recipient that does not exist is refused in the dialogue.
// A member can only send from their own addresses. Nothing here writes to a
// network with a transaction open.
//
// Inbound takes mail from other hosts, Submission takes it from members; both
// end in Mail.route. The checks of senders (SPF, DKIM, DMARC) and members'
// filters have their place there, between staging and the transaction.
//
// RFCs: 5321 §4.4 (trace), §6.3 (loops); 5322 §3.6 (one From); 6409 §6 and §8
// (what a submission server may add); 3461 (DSN parameters go on; receipts for what
// is delivered here).
package mailflow

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// Mail is the flow of mail over one store. Its fields are set before use and
// not changed after; its methods are safe for concurrent use.
type Mail struct {
	DB       *storage.DB
	Auth     *accounts.Service
	Hostname string
	Log      *slog.Logger
	Wake     func() // tells the queue that it has something new
	// Arrived, if not nil, hears of every message put into an account's mailbox, in
	// that transaction. login is the account that has logged in to send it, 0 for a
	// message from elsewhere.
	Arrived func(tx *storage.Tx, to, login storage.AccountID, in *mailbox.Incoming) error

	full atomic.Int64 // when the disk was last found full, in Unix milliseconds
}

// fullFor is how long no message is begun after the disk was found full: the
// next one then tries it again.
const fullFor = 5 * time.Second

// room refuses a message at its beginning while the disk is full, rather than
// after all its bytes.
func (m *Mail) room(now time.Time) error {
	if now.Sub(time.UnixMilli(m.full.Load())) < fullFor {
		return reply(storage.ErrFull)
	}
	return nil
}

// failed is the reply to a message that could not be stored.
func (m *Mail) failed(err error, now time.Time) error {
	if noRoom(err) {
		m.full.Store(now.UnixMilli())
	}
	return reply(err)
}

// noRoom reports a full disk, found by the store or while staging.
func noRoom(err error) bool {
	return errors.Is(err, storage.ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
