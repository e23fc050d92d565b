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
func (Inbound) Sender(context.Context, *smtp.Envelope) error { return nil }

// Recipient refuses at once what would otherwise have to be returned.
func (m Inbound) Recipient(_ context.Context, _ *smtp.Envelope, r smtp.Rcpt) error {
	return reply(m.DB.View(func(tx *storage.Tx) error {
		if strings.EqualFold(r.Addr, "postmaster") { // RFC 5321 §4.5.1
			return &smtp.Error{Code: 550, Enhanced: "5.1.1", Text: "Write to postmaster@ and a domain"}
		}
		_, domain, _ := strings.Cut(r.Addr, "@")
		if !accounts.LocalDomain(tx, domain) {
			return &smtp.Error{Code: 550, Enhanced: "5.7.1", Text: "This server takes mail for its own domains only"}
		}
		d, err := accounts.Resolve(tx, r.Addr)
		if err != nil {
			return err
		}
		for _, a := range d.Accounts {
			if used, limit := tx.Quota(tx.Household(a)); limit > 0 && used >= limit {
				return storage.ErrQuota
			}
		}
		return nil
	}))
}

// Deliver takes a message for its recipients.
func (m Inbound) Deliver(_ context.Context, env *smtp.Envelope, body io.Reader) error {
	now := time.Now()
	in, err := m.stage(body)
	if err != nil {
		return reply(err)
	}
	if err := inspect(in.Header).refuse(); err != nil {
		in.Discard()
		return err
	}
	in.WithPrefix(m.traceFields(env, now))
	return m.store(env, in, now)
}

// stage reads the message to its end and makes its index. The reader's error is
// for the client to hear.
func (m *Mail) stage(body io.Reader) (*mailbox.Incoming, error) {
	w := m.DB.Stage()
	if _, err := io.Copy(w, body); err != nil {
		w.Abort()
		return nil, err
	}
	s, err := w.Finish()
	if err != nil {
		return nil, err
	}
	in, err := mailbox.Prepare(s)
	if err != nil {
		s.Discard()
	}
	return in, err
}

// Return brings a report of the queue to the sender of a message, in the
// queue's transaction. A sender who is not here any more gets none.
func (m *Mail) Return(tx *storage.Tx, to string, in *mailbox.Incoming, now time.Time) error {
	err := m.route(tx, &smtp.Envelope{To: []smtp.Rcpt{{Addr: to, Notify: []string{"NEVER"}}}}, in, now)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrQuota) {
		m.Log.Warn("report dropped", "to", to, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("report to %s: %w", to, err)
	}
	return nil
}
