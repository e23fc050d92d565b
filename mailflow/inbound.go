package mailflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// Inbound takes mail from other hosts, and over LMTP: only for addresses of
// ours. It is a smtp.Backend.
type Inbound struct{ *Mail }

// Sender accepts every reverse-path; what it is worth is the checks' to say.
func (m Inbound) Sender(context.Context, *smtp.Envelope) error { return m.room(time.Now()) }

// Recipient refuses at once what would otherwise have to be returned.
func (m Inbound) Recipient(_ context.Context, e *smtp.Envelope, r smtp.Rcpt) error {
	return reply(m.DB.View(func(tx *storage.Tx) error {
		addr := postmaster(tx, r.Addr)
		if !accounts.LocalDomain(tx, domainOf(addr)) {
			return &smtp.Error{Code: 550, Enhanced: "5.7.1", Text: "This server takes mail for its own domains only"}
		}
		d, err := accounts.Resolve(tx, addr)
		if err != nil {
			return err
		}
		for _, a := range d.Accounts {
			if used, limit := tx.Quota(tx.Household(a)); limit == 0 || used+max(e.Size, 1) <= limit {
				return nil // for the others of a group it waits
			}
		}
		if len(d.Accounts) > 0 {
			return storage.ErrQuota
		}
		return nil
	}))
}

// Deliver takes a message for its recipients.
func (m Inbound) Deliver(_ context.Context, env *smtp.Envelope, body io.Reader) error {
	now := time.Now()
	in, err := m.stage(env, body, now)
	if err != nil {
		return m.failed(err, now)
	}
	if err := inspect(in.Header).refuse(); err != nil {
		in.Discard()
		return err
	}
	return m.store(env, in, now)
}

// postmaster gives the one address without a domain (RFC 5321 §4.5.1) that of
// the first domain that has a postmaster.
func postmaster(tx *storage.Tx, addr string) string {
	if !strings.EqualFold(addr, "postmaster") {
		return addr
	}
	domains, err := accounts.Domains(tx)
	for _, d := range domains {
		if _, e := accounts.Resolve(tx, "postmaster@"+d.Name); err == nil && e == nil {
			return "postmaster@" + d.Name
		}
	}
	return addr
}

// stage reads the message to its end and makes its index, with our trace fields
// in front. The reader's error is for the client to hear.
func (m *Mail) stage(env *smtp.Envelope, body io.Reader, now time.Time) (*mailbox.Incoming, error) {
	w := m.DB.Stage()
	o := octets{w: w}
	if _, err := io.Copy(&o, body); err != nil {
		w.Abort()
		return nil, err
	}
	env.EightBit = env.EightBit || o.high
	s, err := w.Finish()
	if err != nil {
		return nil, err
	}
	in, err := mailbox.PrepareWith(s, m.traceFields(env, now))
	if err != nil {
		s.Discard()
	}
	return in, err
}

// Post sends a message that this server has written, in a transaction: from a
// member, to one address. The queue is to be woken after it.
func (m *Mail) Post(tx *storage.Tx, from, to string, in *mailbox.Incoming, now time.Time) error {
	_, err := m.route(tx, &smtp.Envelope{From: from, To: []smtp.Rcpt{{Addr: to}}}, in, now)
	return err
}

// Return brings a report of the queue to the sender of a message, in the
// queue's transaction. A sender who is not here any more gets none.
func (m *Mail) Return(tx *storage.Tx, to string, in *mailbox.Incoming, now time.Time) error {
	// Whether it goes elsewhere with eight bits, or UTF-8 in its header, is for
	// route to see.
	env := &smtp.Envelope{EightBit: true, UTF8: true, To: []smtp.Rcpt{{Addr: to, Notify: []string{"NEVER"}}}}
	_, err := m.route(tx, env, in, now)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrQuota) {
		m.Log.Warn("report dropped", "to", to, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("report to %s: %w", to, err)
	}
	return nil
}
