package mailflow

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/mailbox"
)

// A routed message is where its recipients are, found in the transaction that
// uses it.
type routed struct {
	local  []place
	full   []place                      // of local: no room now
	remote map[string][]queue.Recipient // by domain
}

// A place is an account of ours and the recipient that led there.
type place struct {
	account storage.AccountID
	to      queue.Recipient
}

// route puts a message into every local recipient's INBOX and into the queue
// for the others: all of it or nothing. A full mailbox among several recipients
// keeps it from nobody else: the message waits for it in the queue. It reports
// whether the queue has something new.
func (m *Mail) route(tx *storage.Tx, env *smtp.Envelope, in *mailbox.Incoming, now time.Time) (queued bool, err error) {
	r := routed{remote: map[string][]queue.Recipient{}}
	for _, to := range env.To {
		if err := r.add(tx, to); err != nil {
			return false, err
		}
	}
	if err := m.deliver(tx, &r, env, in, now); err != nil {
		return false, err
	}
	return len(r.remote)+len(r.full) > 0, m.enqueue(tx, &r, env, in, now)
}

func (r *routed) add(tx *storage.Tx, to smtp.Rcpt) error {
	to.Addr = postmaster(tx, to.Addr)
	if !accounts.LocalDomain(tx, domainOf(to.Addr)) {
		r.elsewhere(queue.Recipient{Addr: to.Addr, ORCPT: to.ORCPT, Notify: to.Notify})
		return nil
	}
	d, err := accounts.Resolve(tx, to.Addr)
	if err != nil {
		return err
	}
	for _, a := range d.Accounts {
		if !slices.ContainsFunc(r.local, func(p place) bool { return p.account == a }) {
			r.local = append(r.local, place{a, queue.Recipient{Addr: to.Addr, ORCPT: to.ORCPT, Notify: to.Notify}})
		}
	}
	for _, x := range d.External {
		r.elsewhere(queue.Recipient{Addr: x})
	}
	return nil
}

// elsewhere adds a recipient of another host, once.
func (r *routed) elsewhere(to queue.Recipient) {
	domain := domainOf(to.Addr)
	if a, err := accounts.NormalizeDomain(domain); err == nil {
		// A domain beyond ASCII has a form that every host takes.
		domain, to.Addr = a, strings.TrimSuffix(to.Addr, domain)+a
	}
	if !slices.ContainsFunc(r.remote[domain], func(x queue.Recipient) bool { return x.Addr == to.Addr }) {
		r.remote[domain] = append(r.remote[domain], to)
	}
}

// domainOf is what is behind the last @, as a quoted local part may hold more.
func domainOf(addr string) string { return addr[strings.LastIndexByte(addr, '@')+1:] }

// deliver appends to the local mailboxes. One without room fails before anything
// is written for it; when there is nobody else, the message does.
func (m *Mail) deliver(tx *storage.Tx, r *routed, env *smtp.Envelope, in *mailbox.Incoming, now time.Time) error {
	for _, p := range r.local {
		err := m.Into(tx, p.account, loginOf(env), env.From, in, now)
		switch {
		case errors.Is(err, storage.ErrQuota) && len(r.local)+len(r.remote) > 1:
			r.full = append(r.full, p)
		case err != nil:
			return err
		}
	}
	if len(r.full) == len(r.local) && len(r.remote) == 0 && len(r.full) > 0 {
		return storage.ErrQuota
	}
	return nil
}

func loginOf(env *smtp.Envelope) storage.AccountID {
	if env.Session.Login == nil {
		return 0
	}
	return storage.AccountID(env.Session.Login.Account)
}

// Into appends to one account's INBOX, and tells of it. login is who has logged in
// to send it, if anybody.
func (m *Mail) Into(tx *storage.Tx, a, login storage.AccountID, from string, in *mailbox.Incoming, now time.Time) error {
	box, err := mailbox.Open(tx, a, "INBOX")
	if err == nil {
		_, err = mailbox.Append(tx, box, in, nil, now, now)
	}
	if err == nil && m.Arrived != nil && from != "" { // a report invites nobody
		err = m.Arrived(tx, a, login, in)
	}
	if err != nil {
		return fmt.Errorf("account %d: %w", a, err)
	}
	return nil
}

// enqueue writes a row for each domain elsewhere, and one for each full mailbox.
// The body is shared with the local mailboxes.
func (m *Mail) enqueue(tx *storage.Tx, r *routed, env *smtp.Envelope, in *mailbox.Incoming, now time.Time) error {
	if len(r.remote)+len(r.full) == 0 {
		return nil
	}
	e := queue.Entry{Sender: env.From, Blob: in.Body(tx), Ret: env.Ret, EnvID: env.EnvID, EightBit: env.EightBit}
	put := func(prefix []byte) error {
		tx.Retain(e.Blob)
		e.Prefix, e.Size, e.Header = prefix, int64(len(prefix))+in.Staged.Size, len(prefix)+len(in.Header)
		_, err := queue.Put(tx, e, now)
		return err
	}
	for _, p := range r.full {
		e.Account, e.Login, e.Recipients = p.account, loginOf(env), []queue.Recipient{p.to}
		if err := put(in.Prefix); err != nil {
			return err
		}
	}
	e.Account, e.Login = 0, 0
	for domain, to := range r.remote {
		e.Domain, e.Recipients, e.UTF8 = domain, to, needsUTF8(env, in.Header, to)
		if err := put(relayed(in.Prefix)); err != nil {
			return err
		}
	}
	in.Settle(tx)
	return nil
}

// store runs route in a transaction and wakes the queue. A delivery that was
// acknowledged in an earlier life of the process, whose 250 the crash cut off,
// is acknowledged again and not stored twice.
func (m *Mail) store(env *smtp.Envelope, in *mailbox.Incoming, now time.Time) error {
	receipt, err := m.receipt(env, in, now)
	if err != nil {
		in.Discard()
		return m.failed(err, now)
	}
	hash := envelopeHash(env, in.Staged)
	queued := false
	err = m.DB.Update(func(tx *storage.Tx) (err error) {
		if tx.SeenBefore(m.DB, hash, now) {
			return errSeen
		}
		if queued, err = m.route(tx, env, in, now); err != nil || receipt == nil {
			return err
		}
		queued = true
		return m.Return(tx, env.From, receipt, now)
	})
	if receipt != nil && err != nil {
		receipt.Discard()
	}
	if errors.Is(err, errSeen) {
		m.Log.Info("delivered", "trace", env.Session.ID, "again", true)
		in.Discard()
		return nil
	}
	if err != nil {
		in.Discard()
		return m.failed(err, now)
	}
	m.Log.Info("delivered", "trace", env.Session.ID, "from", env.From, "recipients", len(env.To), "bytes", in.Size())
	if queued { // what is for here alone leaves the queue asleep
		m.Wake()
	}
	return nil
}

var errSeen = errors.New("delivered before")

// envelopeHash names a delivery: who, to whom, and the bytes. A body that has a
// Received field of the last hop differs when it is sent anew.
func envelopeHash(env *smtp.Envelope, s *blob.Staged) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", env.From, s.Sum)
	for _, to := range env.To {
		fmt.Fprintf(h, "%s\x00", to.Addr)
	}
	return [32]byte(h.Sum(nil))
}

// reply is the one table from the house's errors to SMTP's.
func reply(err error) error {
	var e *smtp.Error
	switch {
	case err == nil || errors.As(err, &e):
		return err
	case errors.Is(err, storage.ErrNotFound):
		return &smtp.Error{Code: 550, Enhanced: "5.1.1", Text: "No such address here"}
	case errors.Is(err, storage.ErrQuota):
		return &smtp.Error{Code: 452, Enhanced: "4.2.2", Text: "The mailbox is full"}
	case noRoom(err):
		return &smtp.Error{Code: 452, Enhanced: "4.3.1", Text: "No space left, try again later"}
	case errors.Is(err, storage.ErrTemporary), errors.Is(err, storage.ErrReadOnly):
		return &smtp.Error{Code: 451, Enhanced: "4.3.2", Text: "Try again later"}
	case errors.Is(err, storage.ErrInvalid):
		return &smtp.Error{Code: 553, Enhanced: "5.1.3", Text: "Not a valid address"}
	}
	return err
}
