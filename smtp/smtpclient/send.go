package smtpclient

import (
	"fmt"
	"strconv"
	"strings"
)

// Recipients of one transaction, when the host does not say (RFC 5321
// §4.5.3.1.8).
const maxRcpts = 100

// Send hands a message over and returns a Result for each recipient, in their
// order. Then Usable says whether the connection is good for another.
func (c *Conn) Send(m *Message) []Result {
	results := make([]Result, len(m.To))
	if c.r.Buffered() > 0 {
		c.fail(fmt.Errorf("%w: said unasked", errReply))
	}
	if r := c.cannot(m); r != nil {
		return fill(results, *r)
	}
	todo := make([]int, len(m.To))
	for i := range todo {
		todo[i] = i
	}
	for most := c.limit("RCPTMAX", maxRcpts); len(todo) > 0; {
		now := todo[:min(len(todo), most)]
		c.transaction(m, now, results)
		todo = append(tooMany(now, results), todo[len(now):]...)
	}
	return results
}

// tooMany returns the recipients that were only too many for one message, when
// it did go to others (RFC 5321 §4.5.3.1.10).
func tooMany(tried []int, results []Result) (again []int) {
	sent := false
	for _, i := range tried {
		sent = sent || results[i].Status == Sent
		if r := results[i]; r.Code == 452 && (r.Enhanced == "4.5.3" || r.Enhanced == "4.0.0") {
			again = append(again, i)
		}
	}
	if !sent {
		return nil
	}
	return again
}

func fill(results []Result, r Result) []Result {
	for i := range results {
		results[i] = r
	}
	return results
}

// cannot tells what the other side cannot take.
func (c *Conn) cannot(m *Message) *Result {
	if m.UTF8 && !c.has("SMTPUTF8") { // RFC 6531 §3.5
		return &Result{Status: Permanent, Code: 550, Enhanced: "5.6.7", Text: "the other host does not take addresses or header fields in UTF-8"}
	}
	if limit, err := strconv.ParseInt(c.ext["SIZE"], 10, 64); err == nil && limit > 0 && m.Size > limit {
		return &Result{Status: Permanent, Code: 552, Enhanced: "5.3.4", Text: fmt.Sprintf("the other host takes at most %d bytes", limit)}
	}
	return nil
}

// transaction sends the message to some of its recipients and sets their
// results. What happens to the connection is their result, too.
func (c *Conn) transaction(m *Message, to []int, results []Result) {
	c.begun++
	ready := c.envelope(m, to, results)
	if len(ready) == 0 {
		return
	}
	r := c.body(m)
	r.DSN = c.has("DSN")
	for _, i := range ready {
		results[i] = r
	}
	if r.Status == Sent {
		c.sent++
	}
}

// envelope sends MAIL and RCPT, at once where the other side allows it, and
// returns the recipients that the message is to go to.
func (c *Conn) envelope(m *Message, to []int, results []Result) (ready []int) {
	lines := make([]string, 0, len(to)+1)
	lines = append(lines, c.mail(m))
	for _, i := range to {
		lines = append(lines, c.rcpt(m.To[i]))
	}
	pipe := c.has("PIPELINING")
	if c.dirty {
		lines = append([]string{"RSET"}, lines...)
	}
	if pipe {
		for _, l := range lines {
			c.put(l)
		}
	}
	answer := func() Result {
		if !pipe {
			c.put(lines[0])
			lines = lines[1:]
		}
		return c.answer()
	}
	if c.dirty {
		_ = answer()
	}
	c.dirty = true
	mail := answer()
	for _, i := range to {
		if mail.Status != Sent {
			results[i] = mail
			if pipe { // what it says of the recipients means nothing, but is in the way
				_ = c.answer()
			}
			continue
		}
		if results[i] = answer(); results[i].Code == 552 { // RFC 5321 §4.5.3.1.10: an old 452
			results[i].Status, results[i].Code, results[i].Enhanced = Temporary, 452, "4.5.3"
		}
		if results[i].Status == Sent {
			ready = append(ready, i)
		}
	}
	if c.err != nil { // who was accepted gets nothing now
		for _, i := range ready {
			results[i] = c.broken()
		}
		return nil
	}
	return ready
}

// answer reads the reply to a command that is answered with yes or no.
func (c *Conn) answer() Result {
	r, err := c.reply(c.times.Reply)
	if err == nil && r.code/100 == 3 {
		err = c.fail(fmt.Errorf("%w to that command: %d", errReply, r.code))
	}
	if err != nil {
		return c.broken()
	}
	return r.result()
}

// broken is the result of what happened to the connection.
func (c *Conn) broken() Result {
	return Result{Enhanced: "4.4.2", Text: c.err.Error()}
}

func (c *Conn) mail(m *Message) string {
	l := "MAIL FROM:<" + m.From + ">"
	if c.has("SIZE") {
		l += " SIZE=" + strconv.FormatInt(m.Size, 10)
	}
	if (m.EightBit || m.UTF8) && c.has("8BITMIME") {
		l += " BODY=8BITMIME"
	}
	if m.UTF8 {
		l += " SMTPUTF8"
	}
	if c.has("DSN") {
		if m.Ret != "" {
			l += " RET=" + m.Ret
		}
		if m.EnvID != "" {
			l += " ENVID=" + xtext(m.EnvID)
		}
	}
	return l
}

func (c *Conn) rcpt(r Rcpt) string {
	l := "RCPT TO:<" + r.Addr + ">"
	if !c.has("DSN") {
		return l
	}
	if len(r.Notify) > 0 {
		l += " NOTIFY=" + strings.Join(r.Notify, ",")
	}
	if kind, addr, ok := strings.Cut(r.ORCPT, ";"); ok {
		if kind == "utf-8" {
			l += " ORCPT=utf-8;" + utf8xtext(addr)
		} else {
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

// utf8xtext is the form of RFC 6533 §3 that every host can read.
func utf8xtext(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < '!' || r > '~' || r == '\\' || r == '+' || r == '=' {
			fmt.Fprintf(&b, `\x{%02X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
