package mailflow

import (
	"slices"
	"time"

	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/mailflow/report"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// receipt is the report that a message was delivered here, for the recipients
// it was asked for (RFC 3461 §5.2.3); nil when it was not. What goes elsewhere is
// the queue's to report.
func (m *Mail) receipt(env *smtp.Envelope, in *mailbox.Incoming, now time.Time) (*mailbox.Incoming, error) {
	if env.From == "" || !slices.ContainsFunc(env.To, wantsReceipt) {
		return nil, nil
	}
	r := report.Report{
		Action: report.Delivered, From: "postmaster@" + m.Hostname, To: env.From, Host: m.Hostname, Date: now, Arrived: now,
		EnvID: env.EnvID, Original: in.Header[:min(len(in.Header), maxReceiptHeader)], UTF8: hasHigh(in.Header),
	}
	err := m.DB.View(func(tx *storage.Tx) error {
		for _, to := range env.To {
			if wantsReceipt(to) && accounts.LocalDomain(tx, domainOf(postmaster(tx, to.Addr))) {
				r.Recipients = append(r.Recipients, report.Recipient{Addr: to.Addr, ORCPT: to.ORCPT, Enhanced: "2.1.5"})
			}
		}
		return nil
	})
	if err != nil || len(r.Recipients) == 0 {
		return nil, err
	}
	return queue.StageReport(m.DB, &r)
}

const maxReceiptHeader = 64 << 10

func wantsReceipt(r smtp.Rcpt) bool { return slices.Contains(r.Notify, "SUCCESS") }
