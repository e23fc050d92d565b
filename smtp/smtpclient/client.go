// Package smtpclient hands one message to another host.
//
// What it promises: every recipient gets the other side's own answer; only CRLF
// line ends go out, dots are stuffed, nothing waits longer than its deadline.
// STARTTLS is used whenever it is offered, and done without where it turns out
// broken, as opportunistic encryption is (RFC 7435); a password is only sent to
// a host whose certificate verifies. An address of a host is
// given by the caller: looking hosts up is the queue's work.
//
// RFCs: 5321, 3207, 2920 (pipelined envelope), 1870, 6152, 6531, 3461,
// 4954 (AUTH PLAIN, for relays).
package smtpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// A Message is what to hand over.
type Message struct {
	From       string
	To         []Rcpt
	Body       io.ReaderAt
	Size       int64
	EightBit   bool
	UTF8       bool
	Ret, EnvID string
}

// A Rcpt is a recipient.
type Rcpt struct {
	Addr, ORCPT string
	Notify      []string
}

// A Result is the answer to one recipient; Code 250 is delivered.
type Result struct {
	Code     int
	Enhanced string
	Text     string
}

// OK, Permanent and Temporary sort results.
func (r Result) OK() bool        { return r.Code >= 200 && r.Code < 300 }
func (r Result) Permanent() bool { return r.Code >= 500 && r.Code < 600 }

// A Client says how to connect.
type Client struct {
	Hostname       string         // for EHLO
	Host           string         // the other's name, for SNI
	Addr           string         // ip:port
	Timeout        time.Duration  // of every step (2 min; 10 min after the data)
	User, Password string         // AUTH, only over TLS with a certificate that verifies
	RootCAs        *x509.CertPool // for that; nil is the system's
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Send hands over the message and returns a result for each recipient. An error
// is about the connection; nothing was delivered then.
func (c *Client) Send(ctx context.Context, m *Message) ([]Result, error) {
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	results, err := s.carry(ctx, c, m)
	if !errors.Is(err, errTLS) || c.User != "" || ctx.Err() != nil {
		return results, err
	}
	// Opportunistic: a host whose TLS is broken gets the message in the clear,
	// as it would have without any.
	if s, err = c.open(ctx); err != nil {
		return nil, err
	}
	s.clear = true
	return s.carry(ctx, c, m)
}

// carry has the conversation and ends it.
func (s *conversation) carry(ctx context.Context, c *Client, m *Message) ([]Result, error) {
	raw := s.nc
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := s.hello(c); err != nil {
		return nil, err
	}
	return s.send(m)
}

// errTLS says that STARTTLS was offered and did not work.
var errTLS = errors.New("STARTTLS failed")

// A conversation is one connection.
type conversation struct {
	nc      net.Conn
	r       *textproto.Reader
	w       *bufio.Writer
	ext     map[string]string
	timeout time.Duration
	secure  bool
	clear   bool // STARTTLS has failed before: do without
}

func (c *Client) open(ctx context.Context) (*conversation, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.Timeout, 30*time.Second))
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	nc, err := dial(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	s := &conversation{timeout: c.Timeout}
	s.use(nc)
	return s, nil
}

// maxReply bounds a reply that does not end.
const maxReply = 64 << 10

func (s *conversation) use(nc net.Conn) {
	s.nc = nc
	s.r = textproto.NewReader(bufio.NewReader(nc))
	s.w = bufio.NewWriterSize(nc, 32<<10)
}

// hello greets, and goes on in TLS when that is offered.
func (s *conversation) hello(c *Client) error {
	if r, err := s.reply(); err != nil || !r.OK() {
		return orRefused("greeting", r, err)
	}
	if err := s.ehlo(c.Hostname); err != nil {
		return err
	}
	if _, ok := s.ext["STARTTLS"]; ok && !s.clear {
		if err := s.startTLS(c); err != nil {
			return fmt.Errorf("%w: %w", errTLS, err)
		}
	}
	if c.User == "" {
		return nil
	}
	if !s.secure {
		return errors.New("the relay offers no TLS; the password stays here")
	}
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + c.User + "\x00" + c.Password))
	r, err := s.command("AUTH PLAIN " + token)
	if err != nil || !r.OK() {
		return orRefused("AUTH", r, err)
	}
	return nil
}

func (s *conversation) ehlo(name string) error {
	r, err := s.command("EHLO " + name)
	if err == nil && !r.OK() {
		s.ext = nil
		r, err = s.command("HELO " + name)
	}
	if err != nil || !r.OK() {
		return orRefused("EHLO", r, err)
	}
	s.ext = map[string]string{}
	for i, line := range strings.Split(r.Text, "\n") {
		if k, v, _ := strings.Cut(line, " "); i > 0 {
			s.ext[strings.ToUpper(k)] = v
		}
	}
	return nil
}

func (s *conversation) startTLS(c *Client) error {
	r, err := s.command("STARTTLS")
	if err != nil || !r.OK() {
		return orRefused("STARTTLS", r, err)
	}
	if s.r.R.Buffered() > 0 {
		return errors.New("bytes in the clear behind STARTTLS")
	}
	// A password is only shown to who it is meant for.
	conf := &tls.Config{ServerName: c.Host, InsecureSkipVerify: c.User == "", RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}
	t := tls.Client(s.nc, conf)
	_ = s.nc.SetDeadline(time.Now().Add(s.timeout))
	if err := t.Handshake(); err != nil {
		return fmt.Errorf("TLS with %s: %w", c.Host, err)
	}
	s.use(t)
	s.secure = true
	return s.ehlo(c.Hostname)
}

func orRefused(step string, r Result, err error) error {
	if err == nil {
		err = fmt.Errorf("%d %s", r.Code, r.Text)
	}
	return fmt.Errorf("%s: %w", step, err)
}

func (s *conversation) command(line string) (Result, error) {
	if err := s.line(line); err != nil {
		return Result{}, err
	}
	return s.reply()
}

// line writes a command; nothing in it can end it early.
func (s *conversation) line(line string) error {
	if strings.ContainsAny(line, "\r\n") {
		return errors.New("a line end in a command")
	}
	_, err := s.w.WriteString(line + "\r\n")
	return err
}

// reply sends what is waiting and reads a reply.
func (s *conversation) reply() (Result, error) {
	return s.replyWithin(s.timeout)
}

func (s *conversation) replyWithin(d time.Duration) (r Result, err error) {
	_ = s.nc.SetDeadline(time.Now().Add(d))
	if err := s.w.Flush(); err != nil {
		// The other side may have said why before it closed.
		if late, e := s.read(); e == nil {
			return late, nil
		}
		return r, err
	}
	return s.read()
}

func (s *conversation) read() (r Result, err error) {
	var text []string
	for total := 0; ; {
		line, err := s.r.ReadLine()
		if err != nil {
			return r, err
		}
		if total += len(line); total > maxReply || len(line) < 3 {
			return r, fmt.Errorf("malformed reply %.80q", line)
		}
		if r.Code, err = strconv.Atoi(line[:3]); err != nil {
			return r, fmt.Errorf("malformed reply %.80q", line)
		}
		last := len(line) == 3 || line[3] != '-'
		if len(line) > 4 {
			text = append(text, line[4:])
		}
		if last {
			break
		}
	}
	r.Text = strings.Join(text, "\n")
	r.Enhanced, r.Text = enhanced(r.Code, r.Text)
	return r, nil
}

// enhanced takes the status code of RFC 3463 off the text.
func enhanced(code int, text string) (string, string) {
	word, rest, _ := strings.Cut(text, " ")
	p := strings.Split(word, ".")
	if len(p) == 3 && p[0] == strconv.Itoa(code/100) {
		_, e1 := strconv.Atoi(p[1])
		_, e2 := strconv.Atoi(p[2])
		if e1 == nil && e2 == nil {
			return word, rest
		}
	}
	return fmt.Sprintf("%d.0.0", code/100), text
}

// send writes the envelope in one go where the other side allows it, then the
// data.
func (s *conversation) send(m *Message) ([]Result, error) {
	if r := s.refuses(m); r != nil {
		return all(len(m.To), *r), nil
	}
	_, pipe := s.ext["PIPELINING"]
	lines := []string{s.mail(m)}
	for _, r := range m.To {
		lines = append(lines, s.rcpt(r))
	}
	replies := make([]Result, len(lines))
	for i, l := range lines {
		if err := s.line(l); err != nil {
			return nil, err
		}
		if !pipe {
			var err error
			if replies[i], err = s.reply(); err != nil {
				return nil, err
			}
			if i == 0 && !replies[0].OK() {
				return all(len(m.To), replies[0]), nil
			}
		}
	}
	if pipe {
		for i := range lines {
			var err error
			if replies[i], err = s.reply(); err != nil {
				return nil, err
			}
		}
	}
	if !replies[0].OK() {
		return all(len(m.To), replies[0]), nil
	}
	return s.data(m, replies[1:])
}

func all(n int, r Result) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i] = r
	}
	return out
}

// refuses tells what the other side cannot take.
func (s *conversation) refuses(m *Message) *Result {
	if _, ok := s.ext["SMTPUTF8"]; m.UTF8 && !ok {
		return &Result{550, "5.6.7", "the other host does not take addresses or header fields in UTF-8"}
	}
	if limit, err := strconv.ParseInt(s.ext["SIZE"], 10, 64); err == nil && limit > 0 && m.Size > limit {
		return &Result{552, "5.3.4", fmt.Sprintf("the other host takes at most %d bytes", limit)}
	}
	return nil
}

func (s *conversation) mail(m *Message) string {
	l := "MAIL FROM:<" + m.From + ">"
	has := func(e string) bool { _, ok := s.ext[e]; return ok }
	if has("SIZE") {
		l += fmt.Sprintf(" SIZE=%d", m.Size)
	}
	if m.EightBit && has("8BITMIME") {
		l += " BODY=8BITMIME"
	}
	if m.UTF8 {
		l += " SMTPUTF8"
	}
	if has("DSN") {
		if m.Ret != "" {
			l += " RET=" + m.Ret
		}
		if m.EnvID != "" {
			l += " ENVID=" + xtext(m.EnvID)
		}
	}
	return l
}

func (s *conversation) rcpt(r Rcpt) string {
	l := "RCPT TO:<" + r.Addr + ">"
	if _, ok := s.ext["DSN"]; ok {
		if len(r.Notify) > 0 {
			l += " NOTIFY=" + strings.Join(r.Notify, ",")
		}
		if kind, addr, ok := strings.Cut(r.ORCPT, ";"); ok {
			l += " ORCPT=" + kind + ";" + xtext(addr)
		}
	}
	return l
}

// xtext is the encoding of RFC 3461 §4.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// data hands the message over, if somebody is left to get it.
func (s *conversation) data(m *Message, rcpts []Result) ([]Result, error) {
	left := 0
	for _, r := range rcpts {
		if r.OK() {
			left++
		}
	}
	if left == 0 {
		return rcpts, nil
	}
	r, err := s.command("DATA")
	if err != nil {
		return nil, err
	}
	if r.Code == 354 {
		if err := s.body(m); err != nil {
			return nil, err
		}
		if r, err = s.replyWithin(10 * time.Minute); err != nil {
			return nil, err
		}
	} else if r.OK() { // out of step: nothing was sent, so nothing was taken
		return nil, fmt.Errorf("DATA: unexpected reply %d %s", r.Code, r.Text)
	}
	for i := range rcpts {
		if rcpts[i].OK() {
			rcpts[i] = r
		}
	}
	_ = s.line("QUIT")
	_ = s.w.Flush()
	return rcpts, nil
}

// body writes the message with CRLF line ends and stuffed dots, then the end
// of data.
func (s *conversation) body(m *Message) error {
	buf := make([]byte, 32<<10)
	d := dots{w: s.w, start: true}
	for off := int64(0); off < m.Size; {
		n, err := m.Body.ReadAt(buf[:min(int64(len(buf)), m.Size-off)], off)
		if n == 0 {
			return fmt.Errorf("reading the message: %w", err)
		}
		off += int64(n)
		_ = s.nc.SetDeadline(time.Now().Add(s.timeout))
		if err := d.write(buf[:n]); err != nil {
			return err
		}
	}
	if !d.start || d.cr {
		if err := d.write([]byte("\n")); err != nil {
			return err
		}
	}
	_, err := s.w.WriteString(".\r\n")
	return err
}

// dots makes any line end CRLF and stuffs leading dots.
type dots struct {
	w     *bufio.Writer
	start bool // at the start of a line
	cr    bool
}

func (d *dots) write(p []byte) error {
	for _, c := range p {
		if c == '\n' || d.cr {
			if _, err := d.w.WriteString("\r\n"); err != nil {
				return err
			}
			d.cr, d.start = false, true
			if c == '\n' {
				continue
			}
		}
		if c == '\r' {
			d.cr = true
			continue
		}
		if c == '.' && d.start {
			if err := d.w.WriteByte('.'); err != nil {
				return err
			}
		}
		d.start = false
		if err := d.w.WriteByte(c); err != nil {
			return err
		}
	}
	return nil
}
