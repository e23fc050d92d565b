package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"essaim.coop/essaim/mailflow/report"
	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// An outcome is what an attempt changes: who is still to be tried, and what the
// sender is told.
type outcome struct {
	left    []Recipient
	reports map[report.Action][]report.Recipient
	warned  bool
	last    string
}

// judge sorts the results of an attempt. Who has the message is done with, who
// never will have it is reported, the rest waits.
func (q *Queue) judge(e *Entry, host string, results []smtpclient.Result, now time.Time) outcome {
	o := outcome{reports: map[report.Action][]report.Recipient{}, warned: e.Warned}
	expired := now.Sub(e.Created) > giveUpAfter
	late := !e.Warned && now.Sub(e.Created) > warnAfter
	tell := func(r Recipient, event string, action report.Action, res smtpclient.Result) {
		if r.wants(event) && e.Sender != "" { // no reports about reports (RFC 3834 §2)
			o.reports[action] = append(o.reports[action], report.Recipient{Addr: r.Addr, ORCPT: r.ORCPT, Host: host, Code: res.Code, Enhanced: res.Enhanced, Text: res.Text})
		}
	}
	for i, r := range e.Recipients {
		res := results[i]
		switch {
		case res.Status == smtpclient.Sent:
			if !res.DSN { // the next host will not tell that it has it (RFC 3461 §5.2.2)
				tell(r, "SUCCESS", report.Relayed, res)
			}
		case res.Status == smtpclient.Permanent || expired:
			tell(r, "FAILURE", report.Failed, res)
		default:
			r.LastError = res.String()
			o.last = r.LastError
			o.left = append(o.left, r)
			if late {
				o.warned = true
				tell(r, "DELAY", report.Delayed, res)
			}
		}
	}
	return o
}

// settle writes down the results. One transaction, so that a crash neither
// loses a report nor sends it twice. While there is no room for that, the entry
// is kept from being sent again.
func (q *Queue) settle(ctx context.Context, e *Entry, host string, results []smtpclient.Result, trace Trace) error {
	for i, r := range e.Recipients {
		res := results[i]
		trace.Event("result", "recipient", r.Addr, "status", res.Status, "reply", res.String())
		word := q.count(res)
		q.Log.Info(word, "queue", e.ID, "to", r.Addr, "host", host, "reply", res.String())
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		now := time.Now()
		o := q.judge(e, host, results, now)
		err := q.write(e, host, o, now)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, storage.ErrFull):
			// A report that cannot be brought must not have the message sent again.
			q.Log.Error("report lost", "queue", e.ID, "to", e.Sender, "error", err)
			o.reports = nil
			return q.write(e, host, o, now)
		}
		q.Log.Warn("queue", "id", e.ID, "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// count counts a result and returns its word for the log.
func (q *Queue) count(r smtpclient.Result) string {
	switch r.Status {
	case smtpclient.Sent:
		q.Counters.Sent.Add(1)
		return "sent"
	case smtpclient.Permanent:
		q.Counters.Returned.Add(1)
		return "returned"
	case smtpclient.Unknown:
		q.Counters.Unknown.Add(1)
	}
	q.Counters.Deferred.Add(1)
	return "deferred"
}

// write changes the entry as it is by now: it may have been dropped or held
// meanwhile.
func (q *Queue) write(tried *Entry, host string, o outcome, now time.Time) error {
	reports, err := q.compose(tried, o.reports, now)
	if err != nil {
		return err
	}
	err = q.DB.Update(func(tx *storage.Tx) error {
		old, err := get(tx, tried.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return nil // dropped: nobody is told
		}
		if err != nil {
			return err
		}
		for _, in := range reports {
			if err := q.Return(tx, old.Sender, in, now); err != nil {
				return err
			}
		}
		if len(o.left) == 0 {
			remove(tx, old)
			return nil
		}
		e := *old
		e.Recipients, e.Warned, e.LastError, e.Host = o.left, o.warned, o.last, host
		e.Attempts++
		e.Due = now.Add(pause(e.Attempts, e.ID))
		return save(tx, old, &e)
	})
	for _, in := range reports { // what became part of the store stays
		in.Discard()
	}
	return err
}

// compose stages the reports.
func (q *Queue) compose(e *Entry, about map[report.Action][]report.Recipient, now time.Time) (out []*mailbox.Incoming, err error) {
	for action, list := range about {
		in, err := q.report(e, action, list, now)
		if err != nil {
			for _, in := range out {
				in.Discard()
			}
			return nil, fmt.Errorf("report: %w", err)
		}
		out = append(out, in)
	}
	return out, nil
}

// report writes a delivery status notification and stages it.
func (q *Queue) report(e *Entry, action report.Action, list []report.Recipient, now time.Time) (*mailbox.Incoming, error) {
	original, whole := q.original(e, action == report.Failed && e.Ret == "FULL")
	r := report.Report{
		Action: action, From: "postmaster@" + q.Hostname, To: e.Sender, Host: q.Hostname, Date: now,
		Arrived: e.Created, EnvID: e.EnvID, Recipients: list, Original: original, Whole: whole, UTF8: e.UTF8, GiveUp: e.Created.Add(giveUpAfter),
	}
	return StageReport(q.DB, &r)
}

// StageReport makes a report ready for a transaction.
func StageReport(db *storage.DB, r *report.Report) (*mailbox.Incoming, error) {
	s, err := db.StageAll(bytes.NewReader(r.Bytes()))
	if err != nil {
		return nil, err
	}
	in, err := mailbox.PrepareWith(s, []byte("Return-Path: <>\r\n"))
	if err != nil {
		s.Discard()
	}
	return in, err
}

// What of a message comes back with a report at most.
const (
	maxReturned = 1 << 20
	maxHeader   = 64 << 10
)

// original returns the message's header, or the whole of it (RFC 3461 §4.3) as
// long as it is not too large. One that cannot be read must not keep its report
// from being sent.
func (q *Queue) original(e *Entry, full bool) (b []byte, whole bool) {
	body, err := mailbox.OpenBody(q.DB, e.Prefix, e.Blob)
	if err != nil {
		q.Log.Error("queue", "id", e.ID, "error", err)
		return nil, false
	}
	defer body.Close()
	n := min(e.Header, maxHeader)
	if whole = full && e.Size <= maxReturned; whole {
		n = int(e.Size)
	}
	b = make([]byte, n)
	if got, err := body.ReadAt(b, 0); err != nil && got < n {
		q.Log.Error("queue", "id", e.ID, "error", err)
		return b[:got], false
	}
	return b, whole
}
