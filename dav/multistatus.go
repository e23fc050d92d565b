package dav

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

const (
	pageBytes = 64 << 10 // of XML that is gathered before it is sent
	pageLate  = 64       // bodies that are read for one page
	lateBytes = 1 << 20  // of these
	// countLong is how many responses a long answer has. From there on it leaves
	// half of the time to others.
	countLong = 20_000
)

// A Multistatus is a 207 on its way (RFC 4918 §13). It is filled in
// transactions and sent between them, a bounded page at a time:
//
//	for more := true; more && err == nil; {
//		err = x.View(func(s *Scope) error {
//			for more && !m.Full() { … m.Resource(s, href, r) … }
//		})
//		if err == nil { err = m.Flush() }
//	}
//	return m.Finish(err)
type Multistatus struct {
	x       *Exchange
	want    *Want
	w       davxml.Writer // the page
	out     davxml.Writer // the page with what was late
	entries []entry       // those of the page that are not complete
	waiting int64         // bytes of the bodies that they wait for, about
	missing []*planned
	denied  []*planned
	started bool
	err     error // of a property
	count   int
	step    time.Time // when this page was begun
	trailer func(w *davxml.Writer)
}

// An entry is a response in the page that waits for something outside the
// transaction. Offsets are into the page.
type entry struct {
	start, tail, end int // tail is where more propstats can go
	r                Resource
	keep             func(*storage.DB) (bool, error)
	late             []lateValue
}

type lateValue struct {
	at int
	p  *planned
}

// Multistatus begins an answer. Nothing is sent before the first page is full.
// With return=minimal it says nothing of what is not there (RFC 8144 §2.1).
func (x *Exchange) Multistatus(want *Want) *Multistatus {
	m := &Multistatus{x: x, want: want, step: time.Now()}
	if x.prefers(preferMinimal) {
		want.minimal = true
		x.applied(preferMinimal)
	}
	m.w.Root(davxml.DAV("multistatus"), want.spaces()...)
	m.out.Declare(append(want.spaces(), davxml.NS)...)
	return m
}

// Full reports that the page is: end the transaction and Flush.
func (m *Multistatus) Full() bool {
	return m.w.Len() >= pageBytes || len(m.entries) >= pageLate || m.waiting >= lateBytes
}

// Count returns how many responses there are, those to be dropped included
// until Flush.
func (m *Multistatus) Count() int { return m.count }

// Resource writes a response with the properties wanted.
func (m *Multistatus) Resource(s *Scope, href string, r Resource) { m.ResourceIf(s, href, r, nil) }

// ResourceIf is Resource for one that is dropped again unless keep, which is
// called outside the transaction and may read bodies.
func (m *Multistatus) ResourceIf(s *Scope, href string, r Resource, keep func(*storage.DB) (bool, error)) {
	s.here = []byte(href)
	m.respond(s, m.begin(href), r, keep)
}

// resource is Resource for an href that is being built.
func (m *Multistatus) resource(s *Scope, href []byte, r Resource) {
	start := m.w.Len()
	s.here = href
	m.w.Raw("<D:response><D:href>")
	m.w.TextBytes(href)
	m.w.Raw("</D:href>")
	m.respond(s, start, r, nil)
}

// begin opens a response and returns where it starts in the page.
func (m *Multistatus) begin(href string) (start int) {
	start = m.w.Len()
	m.w.Raw("<D:response>")
	m.w.Href(href)
	return start
}

func (m *Multistatus) respond(s *Scope, start int, r Resource, keep func(*storage.DB) (bool, error)) {
	e := entry{start: start, r: r, keep: keep}
	s.stated = false
	m.count++
	m.propstats(s, &e)
	e.tail = m.w.Len()
	m.w.Raw("</D:response>")
	e.end = m.w.Len()
	if keep != nil || len(e.late) > 0 {
		m.entries = append(m.entries, e)
		n := r.Stat().Size
		if heavy, ok := r.(Weighty); ok && n < 0 {
			n = heavy.Weight()
		}
		m.waiting += max(n, 0)
	}
}

// Status writes a response that is only a status, with the condition that was
// violated if it has a name.
func (m *Multistatus) Status(href string, e *StatusError) {
	m.count++
	m.begin(href)
	m.status(e.Status)
	writeError(&m.w, e)
	m.w.Raw("</D:response>")
}

// Trailer has fn write what follows the responses.
func (m *Multistatus) Trailer(fn func(w *davxml.Writer)) { m.trailer = fn }

func (m *Multistatus) status(code int) { writeStatus(&m.w, code) }

func writeStatus(w *davxml.Writer, code int) {
	switch code {
	case http.StatusOK:
		w.Raw("<D:status>HTTP/1.1 200 OK</D:status>")
	case http.StatusNotFound:
		w.Raw("<D:status>HTTP/1.1 404 Not Found</D:status>")
	default:
		w.Raw("<D:status>HTTP/1.1 ")
		w.Raw(strconv.Itoa(code))
		w.Raw(" ")
		w.Raw(http.StatusText(code))
		w.Raw("</D:status>")
	}
}

// propstats writes the values there are, and the names of the others.
func (m *Multistatus) propstats(s *Scope, e *entry) {
	p := m.want.plan(e.r.Kind(), &m.w)
	allowed := e.r.Allowed(s)
	m.missing, m.denied = m.missing[:0], m.denied[:0]
	begin := m.w.Len()
	m.w.Raw("<D:propstat><D:prop>")
	first := m.w.Len()
	if m.want.names {
		m.names(s, p, e.r)
	} else {
		for i := range p.items {
			m.value(s, e, &p.items[i], allowed)
		}
		if p.dead {
			m.dead(s, e.r, allowed, false)
		}
	}
	quiet := m.want.minimal || m.want.all || m.want.names
	if m.w.Len() == first && len(e.late) == 0 && (len(m.missing) > 0 && !quiet || len(m.denied) > 0) {
		m.w.Truncate(begin)
	} else {
		m.w.Raw("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
	}
	if !quiet {
		writeNames(&m.w, m.missing, http.StatusNotFound)
	}
	writeNames(&m.w, m.denied, http.StatusForbidden)
}

// value writes one property, or notes why not.
func (m *Multistatus) value(s *Scope, e *entry, p *planned, allowed Privileges) {
	if !allowed.Has(p.needs) {
		if !m.want.all {
			m.denied = append(m.denied, p)
		}
		return
	}
	switch {
	case p.prop != nil && p.prop.Late != nil:
		e.late = append(e.late, lateValue{m.w.Len(), p})
		return
	case p.prop == nil || p.prop.Get == nil:
		v := s.heldBy(e.r, p.prop != nil && p.prop.Personal, p.key)
		if v == nil {
			m.missing = append(m.missing, p)
			return
		}
		m.w.RawBytes(v)
		return
	}
	at := m.w.Len()
	m.w.Raw(p.open)
	inner := m.w.Len()
	switch err := p.prop.Get(s, e.r, &m.w); {
	case err == nil && m.w.Len() == inner:
		m.w.Truncate(at)
		m.w.Raw(p.empty)
	case err == nil:
		m.w.Raw(p.close)
	default:
		m.w.Truncate(at)
		m.failed(p, err)
	}
}

// failed notes why a property has no value. An error that is no answer ends the
// whole at the next Flush.
func (m *Multistatus) failed(p *planned, err error) {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		m.missing = append(m.missing, p)
	case errors.Is(err, storage.ErrPermission):
		m.denied = append(m.denied, p)
	default:
		m.err = errors.Join(m.err, err)
	}
}

// names writes the names of the properties the resource has.
func (m *Multistatus) names(s *Scope, p *plan, r Resource) {
	var scratch davxml.Writer
	for i := range p.items {
		q := &p.items[i]
		scratch.Reset()
		switch {
		case q.prop.Late != nil:
		case q.prop.Get == nil:
			if s.heldBy(r, q.prop.Personal, q.key) == nil {
				continue
			}
		case errors.Is(q.prop.Get(s, r, &scratch), storage.ErrNotFound):
			continue
		}
		m.w.Raw(q.empty)
	}
	m.dead(s, r, PrivRead, true)
}

// dead writes the held properties that the registry does not know.
func (m *Multistatus) dead(s *Scope, r Resource, allowed Privileges, names bool) {
	o, ok := s.holding(r)
	if !ok || !allowed.Has(PrivRead) {
		return
	}
	s.Tx.Properties(o, 0, func(key string, v []byte) bool {
		n, ok := parseKey(key)
		switch {
		case !ok || r.Kind().property(n) != nil:
		case names:
			m.w.Empty(n)
		default:
			m.w.RawBytes(v)
		}
		return true
	})
}

// writeNames writes a propstat of names with one status.
func writeNames(w *davxml.Writer, ps []*planned, code int) {
	if len(ps) == 0 {
		return
	}
	w.Raw("<D:propstat><D:prop>")
	for _, p := range ps {
		w.Raw(p.empty)
	}
	w.Raw("</D:prop>")
	writeStatus(w, code)
	w.Raw("</D:propstat>")
}

// complete puts the late values in their places. When these are large it sends
// on the way, so that no more than one is in memory beside a page.
func (m *Multistatus) complete() error {
	if m.err != nil || len(m.entries) == 0 {
		return m.err
	}
	m.out.Reset()
	page, pos := m.w.Bytes(), 0
	for i := range m.entries {
		e := &m.entries[i]
		m.out.RawBytes(page[pos:e.start])
		pos = e.end
		if err := m.late(page, e); err != nil {
			return err
		}
		if m.out.Len() >= 4*pageBytes {
			if err := m.send(m.out.Bytes(), false); err != nil {
				return err
			}
			m.out.Reset()
		}
	}
	m.out.RawBytes(page[pos:])
	m.entries, m.waiting = m.entries[:0], 0
	// What is complete becomes the page; the other buffer takes the next.
	m.w, m.out = m.out, m.w
	return nil
}

// late writes one response that waited, unless it is not to be kept.
func (m *Multistatus) late(page []byte, e *entry) error {
	if e.keep != nil {
		if keep, err := e.keep(m.x.engine.DB); err != nil || !keep {
			m.count--
			return err
		}
	}
	var gone []*planned
	pos := e.start
	for _, l := range e.late {
		m.out.RawBytes(page[pos:l.at])
		pos = l.at
		at := m.out.Len()
		m.out.Raw(l.p.open)
		err := l.p.prop.Late(m.x.engine.DB, e.r, &m.out)
		switch {
		case err == nil:
			m.out.Raw(l.p.close)
		case errors.Is(err, storage.ErrNotFound):
			m.out.Truncate(at)
			gone = append(gone, l.p)
		default:
			return err
		}
	}
	m.out.RawBytes(page[pos:e.tail])
	writeNames(&m.out, gone, http.StatusNotFound)
	m.out.RawBytes(page[e.tail:e.end])
	return nil
}

// Flush sends the page, if it is full. It must be called outside any
// transaction, and always between two: when the client has gone meanwhile, its
// error ends the work.
func (m *Multistatus) Flush() error {
	if err := m.x.Request.Context().Err(); err != nil {
		return err
	}
	if err := m.complete(); err != nil || m.w.Len() < pageBytes {
		return err
	}
	err := m.send(m.w.Bytes(), false)
	m.w.Reset()
	if err == nil && m.count > countLong {
		err = m.x.Pause(m.step)
	}
	m.step = time.Now()
	return err
}

// send writes to the client. An answer of one piece says how long it is.
func (m *Multistatus) send(b []byte, last bool) error {
	if !m.started {
		m.started = true
		h := m.x.Answer.Header()
		h.Set("Content-Type", "application/xml; charset=utf-8")
		if last {
			h.Set("Content-Length", strconv.Itoa(len(b)))
		}
		m.x.Answer.WriteHeader(http.StatusMultiStatus)
	}
	_, err := m.x.Answer.Write(b)
	return err
}

// Finish ends the answer. With an error before anything was sent, it returns
// it to be answered instead; after that it cuts the connection, so that the
// client does not take a part for the whole.
func (m *Multistatus) Finish(err error) error {
	if err == nil {
		if err = m.complete(); err == nil {
			if m.trailer != nil {
				m.trailer(&m.w)
			}
			m.w.Raw("</D:multistatus>")
			err = m.send(m.w.Bytes(), true)
		}
	}
	if err != nil && m.started {
		m.x.cut(err)
	}
	return err
}
