package mailflow

import (
	"context"
	"fmt"
	"io"
	"time"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// Submission takes mail from members who have logged in (RFC 6409). It is a
// smtp.Backend.
type Submission struct{ *Mail }

// Sender holds the reverse-path against the member's own addresses.
func (m Submission) Sender(_ context.Context, e *smtp.Envelope) error {
	if err := m.room(time.Now()); err != nil {
		return err
	}
	return m.own(e, e.From)
}

func (m *Mail) own(e *smtp.Envelope, address string) error {
	id := storage.AccountID(e.Session.Login.Account)
	return reply(m.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, id)
		switch {
		case err != nil:
			return err
		case a.Suspended:
			return &smtp.Error{Code: 550, Enhanced: "5.7.1", Text: "Sending is suspended for this account; the cooperative can tell why"}
		case !accounts.MaySendAs(tx, id, address):
			return &smtp.Error{Code: 550, Enhanced: "5.7.1", Text: fmt.Sprintf("<%.100s> is not one of your addresses", address)}
		}
		return nil
	}))
}

// Recipient refuses addresses of ours that do not exist, and what is no address.
func (m Submission) Recipient(_ context.Context, _ *smtp.Envelope, r smtp.Rcpt) error {
	return reply(m.DB.View(func(tx *storage.Tx) error {
		addr, err := accounts.Normalize(postmaster(tx, r.Addr))
		if err != nil {
			return err
		}
		if !accounts.LocalDomain(tx, domainOf(addr)) {
			return nil
		}
		_, err = accounts.Resolve(tx, addr)
		return err
	}))
}

// Deliver takes a message and adds what a submission server may (RFC 6409 §8):
// Date and Message-ID. The bytes that came are not touched.
func (m Submission) Deliver(_ context.Context, env *smtp.Envelope, body io.Reader) error {
	now := time.Now()
	in, err := m.stage(env, body, now)
	if err != nil {
		return m.failed(err, now)
	}
	facts := inspect(in.Header)
	if err := m.acceptable(env, facts); err != nil {
		in.Discard()
		return err
	}
	if added := missingFields(env, facts, now); len(added) > 0 {
		in.WithPrefix(append(in.Prefix, added...))
	}
	return m.store(env, in, now)
}

// acceptable holds the From field against the member's own addresses.
func (m *Mail) acceptable(env *smtp.Envelope, f headerFacts) error {
	if err := f.refuse(); err != nil {
		return err
	}
	if len(f.from) == 0 {
		return &smtp.Error{Code: 554, Enhanced: "5.6.0", Text: "The From field has no address"}
	}
	for _, a := range f.from {
		if err := m.own(env, a); err != nil {
			return err
		}
	}
	return nil
}

// missingFields are those that the client left out.
func missingFields(env *smtp.Envelope, f headerFacts, now time.Time) (b []byte) {
	if !f.hasDate {
		b = fmt.Appendf(b, "Date: %s\r\n", now.Format(message.DateFormat))
	}
	if !f.hasMsgID {
		b = fmt.Appendf(b, "Message-ID: %s\r\n", message.NewID(domainOf(env.From)))
	}
	return b
}
