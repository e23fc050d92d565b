package smtpclient

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of one reply.
const (
	maxReplyLine  = 4 << 10 // RFC 5321 §4.5.3.1.5 says 512
	maxReplyLines = 200
)

var errReply = errors.New("not a reply")

// A reply is what the other side said, line by line, without the code.
type reply struct {
	code  int
	lines []string
}

func (r reply) ok() bool { return r.code/100 == 2 }

// result sorts a reply. One that is neither yes nor no is none to a command.
func (r reply) result() Result {
	out := Result{Code: r.code, Text: strings.Join(r.lines, "\n")}
	out.Enhanced, out.Text = enhanced(r.code, out.Text)
	switch r.code / 100 {
	case 2:
		out.Status = Sent
	case 5:
		out.Status = Permanent
	}
	return out
}

// String is the reply on one line.
func (r Result) String() string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c == 127 {
			return ' '
		}
		return c
	}, r.Text)
	if r.Code == 0 {
		return text
	}
	return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, text)
}

// enhanced takes the status code of RFC 3463 off the text, also where every
// line has it (RFC 2034 §4).
func enhanced(code int, text string) (string, string) {
	word, rest, _ := strings.Cut(text, " ")
	p := strings.Split(word, ".")
	if len(p) == 3 && p[0] == strconv.Itoa(code/100) && digits(p[1]) && digits(p[2]) {
		return word, strings.ReplaceAll(rest, "\n"+word+" ", "\n")
	}
	return fmt.Sprintf("%d.0.0", code/100), text
}

func digits(s string) bool {
	return len(s) >= 1 && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// read reads one reply (RFC 5321 §4.2).
func read(r *bufio.Reader) (out reply, err error) {
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = fmt.Errorf("%w: a line of more than %d bytes", errReply, maxReplyLine)
			}
			return out, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		code, last, ok := parseLine(text)
		if !ok || out.code != 0 && code != out.code {
			return out, fmt.Errorf("%w: %.80q", errReply, text)
		}
		out.code = code
		out.lines = append(out.lines, text[min(len(text), 4):])
		if last {
			return out, nil
		}
	}
	return out, fmt.Errorf("%w: more than %d lines", errReply, maxReplyLines)
}

func parseLine(s string) (code int, last, ok bool) {
	if len(s) < 3 || !digits(s[:3]) || s[0] < '2' || s[0] > '5' {
		return 0, false, false
	}
	code, _ = strconv.Atoi(s[:3])
	if len(s) == 3 {
		return code, true, true
	}
	return code, s[3] == ' ', s[3] == ' ' || s[3] == '-'
}

// put queues a command; nothing in it can end it early.
func (c *Conn) put(line string) {
	if strings.ContainsAny(line, "\r\n\x00") {
		c.fail(errors.New("a line end in a command"))
		return
	}
	_, _ = c.w.WriteString(line) // its error comes again with Flush
	_, _ = c.w.WriteString("\r\n")
}

// reply sends what waits and reads the next reply. After an error the
// connection is of no more use.
func (c *Conn) reply(within time.Duration) (reply, error) {
	if c.err != nil {
		return reply{}, c.err
	}
	_ = c.nc.SetDeadline(time.Now().Add(within))
	sent := c.w.Flush()
	r, err := read(c.r) // a host that closes may have said why before (Outlook's does)
	if err == nil && sent == nil && r.code != 421 {
		return r, nil
	}
	if err == nil {
		c.fail(fmt.Errorf("%s closes: %s", c.host, r.result()))
		return r, nil
	}
	if sent != nil {
		err = sent
	}
	return r, c.fail(err)
}

// command has one command answered.
func (c *Conn) command(line string) (reply, error) {
	c.put(line)
	return c.reply(c.times.Reply)
}

// fail ends the use of a connection.
func (c *Conn) fail(err error) error {
	if c.err == nil {
		c.err = err
	}
	return c.err
}
