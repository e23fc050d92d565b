package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mail begins a message (RFC 5321 §4.1.1.2).
func (x *session) mail(arg string) error {
	switch {
	case x.info.HELO == "":
		return &Error{503, "5.5.1", "Say EHLO first"}
	case x.env != nil:
		return &Error{503, "5.5.1", "A message is under way already"}
	case x.srv.Kind == Submission && x.info.Login == nil:
		return &Error{530, "5.7.0", "Authentication required"}
	case x.limitsMails() && x.mails >= x.srv.Limits.Mails: // RFC 9422 §4.1
		x.goodbye("4.7.0", "Enough messages for one connection, open another")
		return nil
	}
	from, params, err := parsePath(arg, "FROM")
	if err != nil {
		return err
	}
	e := &Envelope{Session: x.info, From: from}
	if err := parseParams(params, func(k, v string) error { return x.mailParam(e, k, v) }); err != nil {
		return err
	}
	switch {
	case from != "" && !validAddress(from):
		return &Error{553, "5.1.7", "Not a valid address"}
	case !e.UTF8 && !ascii(from):
		return &Error{550, "5.6.7", "An address beyond ASCII needs SMTPUTF8"} // RFC 6531 §3.5
	}
	if err := x.srv.Backend.Sender(x.ctx, e); err != nil {
		return err
	}
	x.env = e
	x.mails++
	x.trace.Event("from", "address", from)
	x.say(250, "2.1.0", "OK")
	return nil
}

// limitsMails reports whether the session may bring so many messages only. A
// relay of the house may keep its connection for as long as it likes.
func (x *session) limitsMails() bool { return x.srv.Kind != LMTP && !x.conn.trusted }

func (x *session) mailParam(e *Envelope, k, v string) error {
	ok := true
	switch k {
	case "SIZE": // RFC 1870 §6.1
		n, err := strconv.ParseUint(v, 10, 63)
		if errors.Is(err, strconv.ErrRange) || err == nil && int64(n) > x.srv.Limits.Message {
			return x.tooLarge()
		}
		e.Size, ok = int64(n), err == nil && len(v) <= 20
	case "BODY": // RFC 6152 §2
		e.EightBit = strings.EqualFold(v, "8BITMIME")
		ok = e.EightBit || strings.EqualFold(v, "7BIT")
	case "SMTPUTF8": // implies 8BITMIME (RFC 6531 §3.6), which iOS leaves out
		e.UTF8, ok = true, v == ""
	case "RET": // RFC 3461 §4.3
		e.Ret = strings.ToUpper(v)
		ok = e.Ret == "FULL" || e.Ret == "HDRS"
	case "ENVID":
		e.EnvID, ok = unxtext(v)
		ok = ok && v != "" && len(v) <= 100
	case "AUTH": // RFC 4954 §5: who it was elsewhere is nothing to us
		ok = v != ""
	default:
		return &Error{555, "5.5.4", "Unknown parameter " + k}
	}
	if !ok {
		return &Error{501, "5.5.4", "Malformed parameter " + k}
	}
	return nil
}

func (x *session) tooLarge() *Error {
	return &Error{552, "5.3.4", fmt.Sprintf("Messages have at most %d bytes", x.srv.Limits.Message)}
}
