package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage/mailbox"
)

// A destination is where the mail of a domain goes.
type destination struct {
	domain string // its MX are looked up, unless:
	fixed  string // host:port
	login  bool   // it is the relay
}

func (q *Queue) destination(domain string) destination {
	switch {
	case domain == "": // a mailbox here
		return destination{}
	case q.Routes[domain] != "":
		return destination{domain: domain, fixed: q.Routes[domain]}
	case q.Relay != "":
		return destination{fixed: q.Relay, login: true}
	}
	return destination{domain: domain}
}

// A carrier takes entries to one destination, keeping its connection from one
// to the next. It belongs to one goroutine.
type carrier struct {
	destination
	q       *Queue
	targets []target
	next    int // target to try after the present one
	host    string
	conn    *smtpclient.Conn
	reached bool  // a host has taken part since the first target was tried
	broken  int   // entries in a row that no host would hear to the end
	down    error // the destination cannot be reached at all
}

// Entries may be what a host breaks off at; after so many in a row it is the
// host.
const maxBroken = 3

func (c *carrier) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// carry hands an entry over to the first host that takes part, and returns a
// result for each of its recipients.
func (c *carrier) carry(ctx context.Context, e *Entry, trace Trace) []smtpclient.Result {
	results := make([]smtpclient.Result, len(e.Recipients))
	body, err := mailbox.OpenBody(c.q.DB, e.Prefix, e.Blob)
	if err != nil {
		return same(results, smtpclient.Result{Enhanced: "4.3.0", Text: "reading the message: " + err.Error()})
	}
	defer body.Close()
	left := make([]int, len(e.Recipients))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		fresh, err := c.connect(ctx, trace)
		if err != nil {
			for _, i := range left {
				if results[i].Text == "" { // else a host has said more of it
					results[i] = resultOf(err)
				}
			}
			return results
		}
		got := c.conn.Send(e.message(body, left))
		left = elsewhere(left, got, results)
		if len(left) > 0 {
			trace.Event("broken off", "host", c.host, "text", results[left[0]].Text)
		}
		if !c.conn.Usable() {
			c.close()
			if len(left) == 0 || !fresh { // it was only tired of us
				c.next--
			}
		}
	}
	c.broken = 0
	return results
}

// elsewhere notes results and returns the recipients that another host may do
// better for.
func elsewhere(tried []int, got, results []smtpclient.Result) (left []int) {
	for n, i := range tried {
		if results[i] = got[n]; got[n].Elsewhere() {
			left = append(left, i)
		}
	}
	return left
}

func same(results []smtpclient.Result, r smtpclient.Result) []smtpclient.Result {
	for i := range results {
		results[i] = r
	}
	return results
}

// connect makes sure of a connection: the one there is, or one to the next
// target. fresh tells which.
func (c *carrier) connect(ctx context.Context, trace Trace) (fresh bool, err error) {
	if c.conn != nil && c.conn.Usable() {
		return false, nil
	}
	c.close()
	if c.down == nil && c.targets == nil {
		if c.targets, c.down = c.find(ctx); c.down != nil {
			trace.Event("no host", "error", c.down)
		}
	}
	if c.down != nil {
		return false, c.down
	}
	for err = errNoMore; c.next < len(c.targets) && ctx.Err() == nil; {
		t := c.targets[c.next]
		c.host = t.host
		c.next++
		if c.conn, err = c.dial(ctx, t); err == nil {
			trace.Event("connected", "host", t.host, "address", t.addr, "tls", c.conn.TLS())
			c.reached = true
			return true, nil
		}
		trace.Event("tried", "host", t.host, "address", t.addr, "error", err)
		err = fmt.Errorf("%s [%s]: %w", t.host, t.addr, err)
	}
	if c.next, c.broken = 0, c.broken+1; !c.reached || c.broken == maxBroken {
		c.down = err
	}
	c.reached = false
	return false, err
}

var errNoMore = errors.New("no host of the domain would finish the conversation")

func (c *carrier) dial(ctx context.Context, t target) (*smtpclient.Conn, error) {
	client := smtpclient.Client{Hostname: c.q.Hostname, Host: t.host, Addr: t.addr, Timeouts: c.q.Timeouts, Dialer: c.q.dialer}
	if c.login {
		client.User, client.Password = c.q.RelayUser, c.q.RelayPassword
		client.Implicit = strings.HasSuffix(t.addr, ":465") // RFC 8314 §3.3
	}
	if c.q.Security != nil && c.fixed == "" {
		var err error
		if client.Security, err = c.q.Security(ctx, c.domain, t.host); err != nil {
			return nil, err
		}
	}
	return client.Dial(ctx)
}

// find looks the destination's hosts up.
func (c *carrier) find(ctx context.Context) ([]target, error) {
	if c.fixed == "" {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return targets(ctx, c.q.Resolver, c.q.Hostname, c.domain)
	}
	host, _, err := net.SplitHostPort(c.fixed)
	return []target{{host, c.fixed}}, err
}

// resultOf makes a recipient's result of what kept us from a conversation.
func resultOf(err error) smtpclient.Result {
	var p permanent
	var e *smtpclient.Error
	switch {
	case errors.As(err, &p):
		return smtpclient.Result{Status: smtpclient.Permanent, Enhanced: p.code, Text: p.text}
	case errors.As(err, &e):
		r := e.Result
		r.Text = err.Error()
		return r
	}
	return smtpclient.Result{Enhanced: "4.4.1", Text: err.Error()}
}

// message is the entry for some of its recipients.
func (e *Entry) message(body io.ReaderAt, to []int) *smtpclient.Message {
	m := &smtpclient.Message{From: e.Sender, Body: body, Size: e.Size, EightBit: e.EightBit, UTF8: e.UTF8, Ret: e.Ret, EnvID: e.EnvID}
	for _, i := range to {
		r := e.Recipients[i]
		m.To = append(m.To, smtpclient.Rcpt{Addr: r.Addr, ORCPT: r.ORCPT, Notify: r.Notify})
	}
	return m
}
