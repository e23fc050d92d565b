package smtp

import (
	"slices"
	"strings"
)

// rcpt adds a recipient (RFC 5321 §4.1.1.3).
func (x *session) rcpt(arg string) error {
	x.commands-- // it brings a message forward
	switch {
	case x.env == nil:
		return &Error{503, "5.5.1", "Say MAIL first"}
	case len(x.env.To) >= x.srv.Limits.Recipients: // the client sends the rest in another message (§4.5.3.1.10)
		return &Error{452, "4.5.3", "Too many recipients for one message"}
	}
	to, params, err := parsePath(arg, "TO")
	if err != nil {
		return err
	}
	r := Rcpt{Addr: to}
	if err := parseParams(params, r.param); err != nil {
		return err
	}
	switch {
	case !validAddress(to):
		err = &Error{553, "5.1.3", "Not a valid address"}
	case !x.env.UTF8 && !ascii(to):
		err = &Error{553, "5.6.7", "An address beyond ASCII needs SMTPUTF8"} // RFC 6531 §3.5
	default:
		err = x.srv.Backend.Recipient(x.ctx, x.env, r)
	}
	if err != nil {
		x.trace.Event("recipient refused", "address", to, "error", err)
		return err
	}
	x.env.To = append(x.env.To, r)
	x.trace.Event("to", "address", to)
	x.say(250, "2.1.5", "OK")
	return nil
}

// param is RFC 3461 §4.1 and §4.2.
func (r *Rcpt) param(k, v string) error {
	ok := false
	switch k {
	case "NOTIFY":
		r.Notify = strings.Split(strings.ToUpper(v), ",")
		ok = len(r.Notify) == 1 && r.Notify[0] == "NEVER" || !slices.ContainsFunc(r.Notify, func(n string) bool {
			return n != "SUCCESS" && n != "FAILURE" && n != "DELAY"
		})
	case "ORCPT":
		kind, addr, _ := strings.Cut(v, ";")
		if kind = strings.ToLower(kind); kind == "utf-8" {
			addr, ok = unutf8(addr)
		} else {
			addr, ok = unxtext(addr)
		}
		ok = ok && kind != "" && addr != "" && len(v) <= 500
		r.ORCPT = kind + ";" + addr
	default:
		return &Error{555, "5.5.4", "Unknown parameter " + k}
	}
	if !ok {
		return &Error{501, "5.5.4", "Malformed parameter " + k}
	}
	return nil
}
