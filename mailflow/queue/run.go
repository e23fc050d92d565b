package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"essaim.coop/essaim/mailflow/report"
	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A Trace records what happened to an entry.
type Trace interface{ Event(word string, kv ...any) }

// A Queue sends what is due. Fields are set before Run.
type Queue struct {
	DB                       *storage.DB
	Hostname                 string
	Log                      *slog.Logger
	Resolver                 Resolver          // nil: the system's
	Routes                   map[string]string // domain: host:port instead of its MX
	Relay                    string            // host:port for everything else
	RelayUser, RelayPassword string
	NewTrace                 func(subject string) Trace
	// Return brings a report to a sender, in the transaction it is given.
	Return func(tx *storage.Tx, to string, in *mailbox.Incoming, now time.Time) error

	once  sync.Once
	wake  chan struct{}
	busy  sync.Map // ids being sent
	jobs  sync.WaitGroup
	slots chan struct{}
}

const concurrent = 16 // conversations at once

func (q *Queue) init() {
	q.wake = make(chan struct{}, 1)
	q.slots = make(chan struct{}, concurrent)
	if q.Resolver == nil {
		q.Resolver = net.DefaultResolver
	}
}

// Wake tells Run that something may be due. It does not block.
func (q *Queue) Wake() {
	q.once.Do(q.init)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends, and then waits for the conversations under way to
// be cut. It sleeps until the next entry is due.
func (q *Queue) Run(ctx context.Context) error {
	q.once.Do(q.init)
	defer q.jobs.Wait()
	for {
		next, err := q.startDue(ctx)
		if err != nil {
			return err
		}
		var timer <-chan time.Time
		var t *time.Timer
		if !next.IsZero() {
			t = time.NewTimer(time.Until(next))
			timer = t.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
		case <-timer:
		}
		if t != nil {
			t.Stop()
		}
	}
}

// startDue starts what is due, as far as there is room, and returns when to
// look again; an entry that ends wakes Run, too.
func (q *Queue) startDue(ctx context.Context) (next time.Time, err error) {
	var ids []uint64
	err = q.DB.View(func(tx *storage.Tx) error {
		next = due(tx, time.Now(), func(id uint64) bool {
			if _, busy := q.busy.Load(id); !busy {
				ids = append(ids, id)
			}
			return len(ids) < 4*concurrent
		})
		return nil
	})
	if err != nil {
		return next, err
	}
	for _, id := range ids {
		select {
		case q.slots <- struct{}{}:
		case <-ctx.Done():
			return next, nil
		}
		q.busy.Store(id, true)
		q.jobs.Go(func() {
			defer func() {
				q.busy.Delete(id)
				<-q.slots
				q.Wake()
			}()
			if err := q.attempt(ctx, id); err != nil && ctx.Err() == nil {
				q.Log.Error("queue", "id", id, "error", err)
			}
		})
	}
	return next, nil
}

// attempt sends one entry and writes down what became of it.
func (q *Queue) attempt(ctx context.Context, id uint64) error {
	var e *Entry
	if err := q.DB.View(func(tx *storage.Tx) (err error) { e, err = get(tx, id); return err }); err != nil {
		if errors.Is(err, storage.ErrNotFound) {
			return nil // dropped meanwhile
		}
		return q.postpone(id, err)
	}
	trace := Trace(noTrace{})
	if q.NewTrace != nil {
		trace = q.NewTrace(fmt.Sprintf("%d %s", id, e.Domain))
	}
	results, host, err := q.send(ctx, e, trace)
	if ctx.Err() != nil {
		return nil // stopping: nothing is known, the entry stays due
	}
	if results == nil {
		results = make([]smtpclient.Result, len(e.Recipients))
		for i := range results {
			results[i] = resultOf(err)
		}
	}
	return q.settle(e, host, results, trace)
}

type noTrace struct{}

func (noTrace) Event(string, ...any) {}

// resultOf makes a recipient's result of an error about the connection.
func resultOf(err error) smtpclient.Result {
	var p permanent
	if errors.As(err, &p) {
		return smtpclient.Result{Code: 550, Enhanced: p.code, Text: p.text}
	}
	return smtpclient.Result{Code: 450, Enhanced: "4.4.1", Text: err.Error()}
}

// postpone keeps an entry that cannot even be read from being tried all the
// time.
func (q *Queue) postpone(id uint64, cause error) error {
	return errors.Join(cause, q.DB.Update(func(tx *storage.Tx) error {
		var at time.Time
		tx.ScanPrefix([]byte{'R'}, func(rest, _ []byte) bool {
			if binary.BigEndian.Uint64(rest[8:]) == id {
				at = time.UnixMilli(int64(binary.BigEndian.Uint64(rest)))
			}
			return at.IsZero()
		})
		tx.Delete(dueKey(at, id)) // held: essaim queue shows it
		return nil
	}))
}

// send tries the hosts of the domain in turn until one answers.
func (q *Queue) send(ctx context.Context, e *Entry, trace Trace) (results []smtpclient.Result, host string, err error) {
	body, err := mailbox.OpenBody(q.DB, e.Prefix, e.Blob)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	list, err := q.hosts(ctx, e.Domain)
	if err != nil {
		trace.Event("no host", "error", err)
		return nil, "", err
	}
	for _, t := range list {
		c := &smtpclient.Client{Hostname: q.Hostname, Host: t.host, Addr: t.addr}
		if q.Relay != "" && q.Routes[e.Domain] == "" {
			c.User, c.Password = q.RelayUser, q.RelayPassword
		}
		results, err = c.Send(ctx, e.message(body))
		trace.Event("tried", "host", t.host, "address", t.addr, "error", err)
		if err == nil || ctx.Err() != nil {
			return results, t.host, err
		}
		err = fmt.Errorf("%s [%s]: %w", t.host, t.addr, err)
	}
	return nil, list[len(list)-1].host, err
}

func (q *Queue) hosts(ctx context.Context, domain string) ([]target, error) {
	route := q.Routes[domain]
	if route == "" {
		route = q.Relay
	}
	if route == "" {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return targets(ctx, q.Resolver, domain)
	}
	host, _, err := net.SplitHostPort(route)
	return []target{{host, route}}, err
}

func (e *Entry) message(body io.ReaderAt) *smtpclient.Message {
	m := &smtpclient.Message{From: e.Sender, Body: body, Size: e.Size, EightBit: e.EightBit, UTF8: e.UTF8, Ret: e.Ret, EnvID: e.EnvID}
	for _, r := range e.Recipients {
		m.To = append(m.To, smtpclient.Rcpt{Addr: r.Addr, ORCPT: r.ORCPT, Notify: r.Notify})
	}
	return m
}

// settle writes down the results: who has it is done, who never will is
// reported, the rest waits. One transaction, so that a crash neither loses a
// report nor sends it twice.
func (q *Queue) settle(e *Entry, host string, results []smtpclient.Result, trace Trace) error {
	now := time.Now()
	old := *e
	e.Host, e.Attempts = host, e.Attempts+1
	var failed, late []report.Recipient
	e.Recipients = nil
	expired := now.Sub(e.Created) > giveUpAfter
	warn := !e.Warned && now.Sub(e.Created) > warnAfter
	for i, r := range old.Recipients {
		res := results[i]
		trace.Event("result", "recipient", r.Addr, "code", res.Code, "text", res.Text)
		q.Log.Info(word(res), "queue", e.ID, "to", r.Addr, "host", host, "code", res.Code, "text", res.Text)
		about := report.Recipient{Addr: r.Addr, ORCPT: r.ORCPT, Host: host, Code: res.Code, Enhanced: res.Enhanced, Text: res.Text}
		switch {
		case res.OK():
		case res.Permanent() || expired:
			if r.wants("FAILURE") {
				failed = append(failed, about)
			}
		default:
			e.LastError = fmt.Sprintf("%d %s", res.Code, res.Text)
			e.Recipients = append(e.Recipients, r)
			if warn && r.wants("DELAY") {
				late = append(late, about)
			}
		}
	}
	e.Warned = e.Warned || warn
	e.Due = now.Add(pause(e.Attempts, e.ID))
	return q.write(&old, e, failed, late, now)
}

func word(r smtpclient.Result) string {
	switch {
	case r.OK():
		return "sent"
	case r.Permanent():
		return "returned"
	}
	return "deferred"
}

func (q *Queue) write(old, e *Entry, failed, late []report.Recipient, now time.Time) error {
	var reports []*mailbox.Incoming
	if old.Sender != "" { // no reports about reports (RFC 3834 §2)
		for action, list := range map[report.Action][]report.Recipient{report.Failed: failed, report.Delayed: late} {
			if len(list) == 0 {
				continue
			}
			in, err := q.report(old, action, list, now)
			if err != nil {
				return err
			}
			reports = append(reports, in)
		}
	}
	err := q.DB.Update(func(tx *storage.Tx) error {
		for _, in := range reports {
			if err := q.Return(tx, old.Sender, in, now); err != nil {
				return err
			}
		}
		if len(e.Recipients) == 0 {
			remove(tx, old)
			return nil
		}
		return save(tx, old, e)
	})
	if err != nil {
		for _, in := range reports {
			in.Discard()
		}
	}
	return err
}

// report writes a delivery status notification and stages it.
func (q *Queue) report(e *Entry, action report.Action, list []report.Recipient, now time.Time) (*mailbox.Incoming, error) {
	body, err := mailbox.OpenBody(q.DB, e.Prefix, e.Blob)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	header := make([]byte, min(e.Header, 64<<10))
	if _, err := body.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	w := q.DB.Stage()
	r := report.Report{
		Action: action, From: "postmaster@" + q.Hostname, To: e.Sender, Host: q.Hostname, Date: now,
		Arrived: e.Created, EnvID: e.EnvID, Recipients: list, Header: header, GiveUp: e.Created.Add(giveUpAfter),
	}
	if _, err := w.Write(r.Bytes()); err != nil {
		w.Abort()
		return nil, err
	}
	s, err := w.Finish()
	if err != nil {
		return nil, err
	}
	return mailbox.PrepareWith(s, []byte("Return-Path: <>\r\n"))
}
