// Package trace remembers what happened on the last connections, in memory
// that is bounded: the first question to a mail server is always "what
// happened to that message?".
//
// A Ring keeps the newest traces of one protocol. A Trace records events in
// order and is safe for concurrent use. Events hold no bodies and no secrets;
// that is the caller's promise.
package trace

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of one trace and of what a ring keeps.
const (
	maxEvents = 200
	ringSize  = 100
)

var next atomic.Uint64

// A Trace is the story of one connection or job.
type Trace struct {
	ID      string // to quote in answers and logs
	Kind    string
	Subject string // whom it concerns: an address, a queue id
	Start   time.Time

	mu     sync.Mutex
	events []Event
	lost   int
}

// An Event is one line of a trace.
type Event struct {
	After time.Duration
	Text  string
}

// Event adds a line: a word of the house's vocabulary and key-value pairs.
func (t *Trace) Event(word string, kv ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) == maxEvents {
		t.lost++
		return
	}
	var b strings.Builder
	b.WriteString(word)
	for i := 0; i+1 < len(kv); i += 2 {
		fmt.Fprintf(&b, " %v=%v", kv[i], kv[i+1])
	}
	t.events = append(t.events, Event{time.Since(t.Start), b.String()})
}

// String renders the trace, an event a line.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s\n", t.Start.Format(time.RFC3339), t.ID, t.Kind, t.Subject)
	for _, e := range t.events {
		fmt.Fprintf(&b, "  %9.3fs %s\n", e.After.Seconds(), e.Text)
	}
	if t.lost > 0 {
		fmt.Fprintf(&b, "  and %d more\n", t.lost)
	}
	return b.String()
}

// A Ring keeps the newest traces of one kind.
type Ring struct {
	kind string

	mu     sync.Mutex
	traces [ringSize]*Trace
	n      int
}

// NewRing makes an empty ring.
func NewRing(kind string) *Ring { return &Ring{kind: kind} }

// New starts a trace and keeps it in place of the oldest one.
func (r *Ring) New(subject string) *Trace {
	t := &Trace{ID: fmt.Sprintf("%s-%x", r.kind, next.Add(1)), Kind: r.kind, Subject: subject, Start: time.Now()}
	r.mu.Lock()
	r.traces[r.n%ringSize] = t
	r.n++
	r.mu.Unlock()
	return t
}

// Recent returns the kept traces, newest first.
func (r *Ring) Recent() []*Trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Trace
	for i := r.n - 1; i >= 0 && i >= r.n-ringSize; i-- {
		out = append(out, r.traces[i%ringSize])
	}
	return out
}
