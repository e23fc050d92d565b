package smtp

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

// mechanisms is what AUTH offers: nothing without TLS, or but to members.
func (x *session) mechanisms() []string {
	if x.srv.Kind != Submission || x.srv.Auth == nil || x.info.TLS == nil {
		return nil
	}
	return []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}
}

// auth is RFC 4954 §4.
func (x *session) auth(arg string) error {
	switch {
	case x.srv.Kind != Submission || x.srv.Auth == nil:
		return notHere(x, arg)
	case x.info.TLS == nil:
		return &Error{538, "5.7.11", "Not in the clear: say STARTTLS first"}
	case x.info.HELO == "":
		return &Error{503, "5.5.1", "Say EHLO first"}
	case x.info.Login != nil || x.env != nil:
		return &Error{503, "5.5.1", "Not now"}
	}
	mech, initial, given := strings.Cut(arg, " ")
	srv, err := sasl.NewServer(mech, x.srv.Auth, x.info.TLS)
	if err != nil {
		return &Error{504, "5.5.4", "Unknown mechanism"}
	}
	return x.authenticate(srv, initial, given, strings.EqualFold(mech, "LOGIN"))
}

// authenticate has the exchange. serverFirst is LOGIN's way: its prompt comes
// in answer to no response at all.
func (x *session) authenticate(srv sasl.Server, initial string, given, serverFirst bool) (err error) {
	var response []byte
	switch {
	case given && initial == "=": // an empty one (RFC 4954 §4)
		response = []byte{}
	case given:
		response, err = decode64(initial)
	case !serverFirst:
		response, err = x.ask(nil)
	}
	for err == nil {
		challenge, done, failed := srv.Next(response)
		switch {
		case failed != nil:
			return x.authFailed(failed)
		case done && len(challenge) > 0: // SCRAM's last word goes before ours
			if _, err = x.ask(challenge); err == nil {
				x.welcome(srv.Login())
			}
			return err
		case done:
			x.welcome(srv.Login())
			return nil
		}
		response, err = x.ask(challenge)
	}
	return err
}

// ask sends a challenge and reads the response.
func (x *session) ask(challenge []byte) ([]byte, error) {
	x.conn.put("334 ", base64.StdEncoding.EncodeToString(challenge), "\r\n")
	line, err := x.conn.line(maxAuthLine, time.Now().Add(x.srv.Limits.Read))
	switch {
	case errors.Is(err, errLong):
		return nil, &Error{500, "5.5.6", "Authentication exchange line is too long"}
	case errors.Is(err, errEnding):
		return nil, &Error{500, "5.5.2", "A line ends in CR LF"}
	case err != nil:
		x.lost = err
		return nil, &Error{421, "4.4.2", "Nothing heard"}
	case string(line) == "*":
		return nil, &Error{501, "5.0.0", "Cancelled"}
	}
	return decode64(string(line))
}

func decode64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, &Error{501, "5.5.2", "Not base64"}
	}
	return b, nil
}

func (x *session) welcome(l sasl.Login) {
	x.info.Login = &l
	x.srv.Counters.Logins.Add(1)
	x.trace.Event("login", "address", l.Address)
	x.say(235, "2.7.0", "Welcome")
}

// authFailed slows guessing down and ends sessions that only guess.
func (x *session) authFailed(err error) error {
	if !errors.Is(err, sasl.ErrCredentials) && !errors.Is(err, sasl.ErrSyntax) {
		x.srv.Logger.Warn("smtp login", "trace", x.info.ID, "error", err)
		return &Error{454, "4.7.0", "Cannot check the password now"}
	}
	x.srv.Counters.LoginFailures.Add(1)
	x.trace.Event("login failed", "error", err)
	x.srv.Logger.Info("rejected", "what", "smtp login", "trace", x.info.ID, "remote", x.info.Addr.String())
	x.tries++
	x.wait(time.Duration(x.tries) * x.srv.Limits.Pause / 2)
	if x.tries >= x.srv.Limits.AuthTries {
		x.quit, x.cut = true, true
	}
	return &Error{535, "5.7.8", "Wrong name or password"}
}
