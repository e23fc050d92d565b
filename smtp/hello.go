package smtp

import (
	"strconv"
	"strings"
)

func (x *session) ehlo(arg string) error {
	if x.info.LMTP { // RFC 2033 §4.1
		return &Error{500, "5.5.1", "This is LMTP: say LHLO"}
	}
	return x.hello(arg)
}

func (x *session) lhlo(arg string) error {
	if !x.info.LMTP {
		return &Error{500, "5.5.1", "This is not LMTP: say EHLO"}
	}
	return x.hello(arg)
}

// helo is EHLO without extensions (RFC 5321 §4.1.1.1).
func (x *session) helo(arg string) error {
	if x.info.LMTP {
		return &Error{500, "5.5.1", "This is LMTP: say LHLO"}
	}
	if err := x.introduce(arg); err != nil {
		return err
	}
	x.info.Plain = true
	x.say(250, "", x.srv.Hostname)
	return nil
}

func (x *session) introduce(arg string) error {
	name, _, _ := strings.Cut(arg, " ")
	if name == "" || !ascii(name) {
		return &Error{501, "5.5.4", "Say your name, in ASCII"}
	}
	x.info.HELO, x.info.Plain = name[:min(len(name), 255)], false
	x.env = nil
	return nil
}

func (x *session) hello(arg string) error {
	if err := x.introduce(arg); err != nil {
		return err
	}
	x.conn.put("250-", x.srv.Hostname, "\r\n250-PIPELINING\r\n250-SIZE ", strconv.FormatInt(x.srv.Limits.Message, 10), "\r\n")
	if x.srv.tls != nil && x.info.TLS == nil {
		x.conn.put("250-STARTTLS\r\n")
	}
	if m := x.mechanisms(); len(m) > 0 {
		x.conn.put("250-AUTH ", strings.Join(m, " "), "\r\n")
	}
	x.conn.put("250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 LIMITS ")
	if x.limitsMails() {
		x.conn.put("MAILMAX=", strconv.Itoa(x.srv.Limits.Mails), " ")
	}
	x.conn.put("RCPTMAX=", strconv.Itoa(x.srv.Limits.Recipients), "\r\n")
	return nil
}
