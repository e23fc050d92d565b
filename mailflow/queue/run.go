package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// A Trace records what happened to an entry.
type Trace interface{ Event(word string, kv ...any) }

type noTrace struct{}

func (noTrace) Event(string, ...any) {}

// Counters are the queue's figures, in recipients.
type Counters struct {
	Sent, Deferred, Returned, Unknown atomic.Int64
}

// A Queue sends what is due. Fields are set before Run.
type Queue struct {
	DB                       *storage.DB
	Hostname                 string
	Log                      *slog.Logger
	Resolver                 Resolver          // nil: the system's
	Routes                   map[string]string // domain: host:port instead of its MX
	Relay                    string            // host:port for everything else; 465 is TLS from the first byte
	RelayUser, RelayPassword string
	Conversations            int           // at once (16)
	PerDestination           int           // of them with one destination (3)
	Grace                    time.Duration // what conversations under way get at a stop (10 s)
	Timeouts                 smtpclient.Timeouts
	NewTrace                 func(subject string) Trace
	// Security says what encryption a host of a domain must have; an error keeps
	// mail from it for now. nil takes what there is.
	Security func(ctx context.Context, domain, host string) (smtpclient.Security, error)
	// Into puts a message into an account's mailbox, in the transaction it is given.
	// login is who had logged in to send it, 0 when it came from elsewhere.
	Into func(tx *storage.Tx, a, login storage.AccountID, from string, in *mailbox.Incoming, now time.Time) error
	// Return brings a report to a sender, in the transaction it is given.
	Return   func(tx *storage.Tx, to string, in *mailbox.Incoming, now time.Time) error
	Counters Counters

	dialer func(ctx context.Context, network, addr string) (net.Conn, error) // of tests

	once sync.Once
	wake chan struct{}
	jobs sync.WaitGroup

	mu      sync.Mutex
	lanes   map[string]*lane
	claimed map[uint64]bool // entries in lanes or being sent
	workers int
}

// A lane is the way to one destination: what waits for it and how many
// conversations there are.
type lane struct {
	destination
	key     string
	waiting []uint64
	workers int
}

const (
	laneDepth  = 100  // entries of one destination in memory
	maxClaimed = 2000 // of all
	busyLane   = 4    // entries that wait for each conversation before there is another
)

func (q *Queue) init() {
	q.wake = make(chan struct{}, 1)
	q.lanes, q.claimed = map[string]*lane{}, map[uint64]bool{}
	if q.Resolver == nil {
		q.Resolver = net.DefaultResolver
	}
	if q.Conversations == 0 {
		q.Conversations = 16
	}
	if q.PerDestination == 0 {
		q.PerDestination = 3
	}
	if q.Grace == 0 {
		q.Grace = 10 * time.Second
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

// Run sends until ctx ends. Then what is being said is finished, or after Grace
// cut and rolled back, and Run returns. It sleeps until the next entry is due.
func (q *Queue) Run(ctx context.Context) error {
	q.once.Do(q.init)
	talk, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(q.Grace, cut) })()
	defer q.jobs.Wait()
	for {
		next, err := q.claim(time.Now())
		if err != nil {
			return err
		}
		q.start(ctx, talk)
		if !q.sleep(ctx, next) {
			return nil
		}
	}
}

// sleep waits for a nudge, or for next when that is not zero; false is the end.
func (q *Queue) sleep(ctx context.Context, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-q.wake:
	case <-due:
	}
	return true
}

// claim puts what is due into lanes and returns when to look again. What does
// not fit stays in the store: who ends a lane wakes Run.
func (q *Queue) claim(now time.Time) (next time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err = q.DB.View(func(tx *storage.Tx) error {
		next = due(tx, now, func(id uint64, domain string) bool {
			if !q.claimed[id] {
				q.enlist(id, domain)
			}
			return len(q.claimed) < maxClaimed
		})
		return nil
	})
	return next, err
}

// enlist puts an entry into its lane, unless that is full.
func (q *Queue) enlist(id uint64, domain string) {
	d := q.destination(domain)
	key := domain
	if d.fixed != "" {
		key = d.fixed
	}
	l := q.lanes[key]
	if l == nil {
		l = &lane{destination: d, key: key}
		q.lanes[key] = l
	}
	if len(l.waiting) < laneDepth {
		l.waiting = append(l.waiting, id)
		q.claimed[id] = true
	}
}

// start begins conversations where there is work and room.
func (q *Queue) start(ctx, talk context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lanes {
		for q.workers < q.Conversations && l.workers < q.PerDestination && len(l.waiting) > l.workers*busyLane {
			l.workers++
			q.workers++
			q.jobs.Go(func() { q.work(ctx, talk, l) })
		}
	}
}

// work sends what waits in a lane over as few connections as it can.
func (q *Queue) work(ctx, talk context.Context, l *lane) {
	s := &carrier{q: q, destination: l.destination}
	defer s.close()
	for {
		id, ok := q.take(ctx, l)
		if !ok {
			return
		}
		if err := q.attempt(ctx, talk, s, id); err != nil {
			// What became of it could not be written down, so it stays claimed:
			// else it would be sent again and again.
			q.Log.Error("queue", "id", id, "error", err)
			continue
		}
		q.release(id)
	}
}

// take returns the next entry of a lane; at the end of it, or of the queue, the
// worker is counted out.
func (q *Queue) take(ctx context.Context, l *lane) (uint64, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(l.waiting) > 0 && ctx.Err() == nil {
		id := l.waiting[0]
		if l.waiting = l.waiting[1:]; len(l.waiting) == laneDepth/4 {
			q.Wake() // there may be more, and the connection is here
		}
		return id, true
	}
	q.workers--
	if l.workers--; l.workers == 0 && q.lanes[l.key] == l {
		for _, id := range l.waiting {
			delete(q.claimed, id)
		}
		delete(q.lanes, l.key)
	}
	q.Wake()
	return 0, false
}

func (q *Queue) release(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.claimed, id)
}

// attempt sends one entry and writes down what became of it.
func (q *Queue) attempt(ctx, talk context.Context, s *carrier, id uint64) error {
	var e *Entry
	err := q.DB.View(func(tx *storage.Tx) (err error) { e, err = get(tx, id); return err })
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil // dropped meanwhile
	case err != nil:
		return errors.Join(err, q.setAside(id))
	case e.Hold || e.Due.After(time.Now().Add(time.Second)):
		return nil
	}
	trace := Trace(noTrace{})
	if q.NewTrace != nil {
		trace = q.NewTrace(e.subject())
	}
	if e.Account != 0 {
		return q.here(ctx, e, trace)
	}
	results := s.carry(talk, e, trace)
	if talk.Err() != nil && !anythingKnown(results) {
		trace.Event("stopped")
		return nil // nothing has happened: the entry stays due
	}
	return q.settle(ctx, e, s.host, results, trace)
}

// anythingKnown reports whether a host has said, or got, anything.
func anythingKnown(results []smtpclient.Result) bool {
	for _, r := range results {
		if r.Code != 0 || r.Status != smtpclient.Temporary {
			return true
		}
	}
	return false
}

// setAside keeps an entry that cannot be read from being tried all the time;
// essaim check shows it.
func (q *Queue) setAside(id uint64) error {
	return q.DB.Update(func(tx *storage.Tx) error {
		var found []byte
		tx.Scan([]byte{'R'}, []byte{'S'}, false, func(k, _ []byte) bool {
			if binary.BigEndian.Uint64(k[9:]) == id {
				found = append(found, k...)
			}
			return found == nil
		})
		tx.Delete(found)
		return nil
	})
}
