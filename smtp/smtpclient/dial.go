package smtpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Conn is a conversation with one host, for one message after the other. It
// is not safe for concurrent use.
type Conn struct {
	nc    net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	host  string
	times Timeouts
	ext   map[string]string
	state *tls.ConnectionState
	stop  func() bool
	dirty bool  // a message was begun and not sent
	begun int   // messages begun
	sent  int   // messages handed over
	err   error // why there can be no more
}

// Messages on one connection, when the host does not say.
const maxMails = 100

// Usable reports whether another message can be sent.
func (c *Conn) Usable() bool { return c.err == nil && c.begun < c.limit("MAILMAX", maxMails) }

// Used returns how many messages went over it.
func (c *Conn) Used() int { return c.sent }

// TLS describes the encryption, "" without.
func (c *Conn) TLS() string {
	if c.state == nil {
		return ""
	}
	return tls.VersionName(c.state.Version) + " " + tls.CipherSuiteName(c.state.CipherSuite)
}

// Close says goodbye, without waiting long.
func (c *Conn) Close() {
	defer c.stop()
	defer c.nc.Close()
	if c.err != nil {
		return
	}
	c.put("QUIT")
	_, _ = c.reply(min(c.times.Reply, 2*time.Second))
}

// Dial connects, greets and encrypts. When ctx ends, the connection is cut. Its
// error is an *Error.
func (c *Client) Dial(ctx context.Context) (*Conn, error) {
	c.Timeouts.defaults()
	conn, err := c.dial(ctx, false)
	var broken *tlsError
	if !errors.As(err, &broken) || c.Implicit || c.required() || ctx.Err() != nil {
		return conn, err
	}
	// Opportunistic: a host whose TLS is broken gets the message in the clear,
	// as it would have without any.
	return c.dial(ctx, true)
}

func (c *Client) required() bool { return c.Security.Required || c.User != "" }

// A tlsError says that TLS was tried and did not work.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "TLS: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// dial makes one connection, in the clear if it must be.
func (c *Client) dial(ctx context.Context, clear bool) (*Conn, error) {
	within, cancel := context.WithTimeout(ctx, c.Timeouts.Connect)
	defer cancel()
	dial := c.Dialer
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	nc, err := dial(within, "tcp", c.Addr)
	if err != nil {
		return nil, &Error{Step: "connect", Err: err, Result: Result{Text: err.Error(), Enhanced: "4.4.1"}}
	}
	conn := &Conn{host: c.Host, times: c.Timeouts, stop: context.AfterFunc(ctx, func() { nc.Close() })}
	conn.use(nc)
	step, r, err := c.begin(conn, clear)
	if err == nil && r.ok() {
		return conn, nil
	}
	conn.stop()
	nc.Close()
	out := &Error{Step: step, Err: err, Result: Result{Code: r.code, Enhanced: "4.4.2"}}
	if err == nil {
		out.Result = r.result()
		if r.code != 521 && r.code != 556 { // RFC 7504: takes no mail at all
			out.Status = Temporary
		}
	} else {
		out.Text = err.Error()
	}
	if out.Status == Temporary && strings.HasPrefix(out.Enhanced, "5") {
		out.Enhanced = "4" + out.Enhanced[1:]
	}
	return nil, out
}

func (c *Conn) use(nc net.Conn) {
	c.nc = nc
	c.r, c.w = bufio.NewReaderSize(nc, maxReplyLine), bufio.NewWriterSize(nc, 16<<10)
}

// begin has the conversation up to the first message: the step it stopped at
// and what was said there.
func (c *Client) begin(conn *Conn, clear bool) (step string, r reply, err error) {
	if c.Implicit {
		if err := c.handshake(conn); err != nil {
			return "TLS", r, err
		}
	}
	if r, err = conn.reply(conn.times.Reply); err != nil || !r.ok() {
		return "greeting", r, err
	}
	if r, err = conn.hello(c.Hostname); err != nil || !r.ok() {
		return "EHLO", r, err
	}
	if conn.state == nil && !clear {
		if r, err = c.startTLS(conn); err != nil || !r.ok() {
			return "STARTTLS", r, err
		}
	}
	if c.User != "" {
		r, err = c.auth(conn)
	}
	return "AUTH", r, err
}

// hello says EHLO, or HELO to who does not know it (RFC 5321 §3.2).
func (c *Conn) hello(name string) (reply, error) {
	r, err := c.command("EHLO " + name)
	c.ext = map[string]string{}
	if err == nil && r.code/100 == 5 {
		return c.command("HELO " + name)
	}
	if err == nil && r.ok() {
		for _, line := range r.lines[1:] {
			k, v, _ := strings.Cut(line, " ")
			c.ext[strings.ToUpper(k)] = v
		}
	}
	return r, err
}

func (c *Conn) has(ext string) bool { _, ok := c.ext[ext]; return ok }

// startTLS goes on in TLS, where there is some.
func (c *Client) startTLS(conn *Conn) (reply, error) {
	if !conn.has("STARTTLS") {
		if c.required() {
			return reply{}, errors.New("encryption is required and not offered")
		}
		return reply{code: 250}, nil
	}
	r, err := conn.command("STARTTLS")
	switch {
	case err != nil:
		return r, &tlsError{err}
	case !r.ok():
		return r, &tlsError{errors.New(r.result().String())}
	case conn.r.Buffered() > 0: // injected: not said by who has the key (RFC 3207 §6)
		return r, &tlsError{errors.New("bytes in the clear behind STARTTLS")}
	}
	if err := c.handshake(conn); err != nil {
		return r, err
	}
	return conn.hello(c.Hostname)
}

func (c *Client) handshake(conn *Conn) error {
	// A password is only shown to who it is meant for.
	conf := &tls.Config{ServerName: c.Host, InsecureSkipVerify: c.User == "", RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12, VerifyConnection: c.Security.Verify}
	t := tls.Client(conn.nc, conf)
	_ = conn.nc.SetDeadline(time.Now().Add(conn.times.TLS))
	if err := t.Handshake(); err != nil {
		return &tlsError{err}
	}
	conn.use(t)
	state := t.ConnectionState()
	conn.state = &state
	return nil
}

// auth logs in at a relay.
func (c *Client) auth(conn *Conn) (reply, error) {
	encode := base64.StdEncoding.EncodeToString
	mechs := " " + strings.ToUpper(conn.ext["AUTH"]) + " "
	if strings.Contains(mechs, " PLAIN ") || !strings.Contains(mechs, " LOGIN ") {
		return conn.command("AUTH PLAIN " + encode([]byte("\x00"+c.User+"\x00"+c.Password)))
	}
	r, err := conn.command("AUTH LOGIN")
	for _, word := range []string{c.User, c.Password} {
		if err != nil || r.code != 334 {
			return r, err
		}
		r, err = conn.command(encode([]byte(word)))
	}
	return r, err
}

// limit is a number of the LIMITS extension (RFC 9422 §3), or def.
func (c *Conn) limit(name string, def int) int {
	for w := range strings.FieldsSeq(c.ext["LIMITS"]) {
		if k, v, _ := strings.Cut(w, "="); strings.EqualFold(k, name) {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return n
			}
		}
	}
	return def
}
