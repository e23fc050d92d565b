package smtp

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// say queues a reply of one line. Without an enhanced code there is none in it.
func (x *session) say(code int, enhanced, text string) {
	x.conn.put(strconv.Itoa(code), " ")
	if enhanced != "" {
		x.conn.put(enhanced, " ")
	}
	x.conn.put(printable(text), "\r\n")
}

// printable keeps a text to one line of what RFC 5321 §4.5.3.1.5 allows.
func printable(s string) string {
	if s = s[:min(len(s), 480)]; strings.IndexFunc(s, control) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, s)
}

func control(r rune) bool { return r < ' ' || r == 127 }

// refuse answers with an error, more slowly to who makes many, and sends away
// who makes too many.
func (x *session) refuse(err error) {
	e := x.reply(err)
	if e.Code >= 500 && e.Code != 530 {
		x.errors++
	}
	if x.errors > patience {
		x.wait(x.srv.Limits.Pause)
	}
	if x.errors > x.srv.Limits.Errors {
		x.goodbye("4.7.0", "Too many errors")
		return
	}
	x.say(e.Code, e.Enhanced, e.Text)
	x.quit = x.quit || e.Code == 421
}

// reply is the Error to answer with. What nobody foresaw is logged with the
// session's number, and the client is only told that.
func (x *session) reply(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	x.srv.Counters.Internal.Add(1)
	x.srv.Logger.Error("smtp internal error", "trace", x.info.ID, "error", err)
	return &Error{451, "4.3.0", "Internal error, quote " + x.info.ID}
}

// wait sends what is due and lets time pass, unless the server stops.
func (x *session) wait(d time.Duration) {
	_ = x.conn.flush()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.ctx.Done():
	case <-x.srv.stop:
	}
}
