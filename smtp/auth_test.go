package smtp

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/sasl"

	xdg "github.com/xdg-go/scram"
)

// scrammer knows zoe's password as SCRAM does.
type scrammer struct{ oneMember }

func (scrammer) SCRAM(name string) (sasl.Credentials, error) {
	c := sasl.Credentials{Salt: []byte("0123456789abcdef"), Iterations: sasl.Iterations, Login: sasl.Login{Account: 1, Address: name}}
	if name != "zoe" {
		return c, nil
	}
	k, err := sasl.NewKey("pass", c.Salt, c.Iterations)
	c.Keys = []sasl.Key{k}
	return c, err
}

// secure dials with TLS from the first byte.
func secure(t *testing.T, addr string, conf *tls.Config) *peer {
	t.Helper()
	c, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	p := &peer{t, c, bufio.NewReader(c)}
	p.expect("220")
	return p
}

// Another implementation's client logs in, bound to the connection or not.
func TestSCRAM(t *testing.T) {
	_, addr := serve(t, Submission, func(s *Server) { s.ImplicitTLS, s.Auth, s.Limits.Pause = true, scrammer{}, time.Millisecond })
	for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
		for _, name := range []string{"zoe", "yan"} {
			p := secure(t, addr, &tls.Config{InsecureSkipVerify: true})
			client, err := xdg.SHA256.NewClient(name, "pass", "")
			if err != nil {
				t.Fatal(err)
			}
			conv := client.NewConversation()
			if strings.HasSuffix(mech, "PLUS") {
				state := p.Conn.(*tls.Conn).ConnectionState()
				cb, err := xdg.NewTLSExporterBinding(&state)
				if err != nil {
					t.Fatal(err)
				}
				conv = client.NewConversationWithChannelBinding(cb)
			}
			p.say("EHLO me", "250")
			first, _ := conv.Step("")
			challenge := p.say("AUTH "+mech+" "+base64.StdEncoding.EncodeToString([]byte(first)), "334 ")
			final, err := conv.Step(unchallenge(t, challenge))
			if err != nil {
				t.Fatal(err)
			}
			final = base64.StdEncoding.EncodeToString([]byte(final))
			if name != "zoe" {
				p.say(final, "535 5.7.8")
				continue
			}
			if _, err := conv.Step(unchallenge(t, p.say(final, "334 "))); err != nil || !conv.Valid() {
				t.Errorf("%s: the server's signature: %v", mech, err)
			}
			p.say("", "235 2.7.0")
			p.say("MAIL FROM:<a@b.test>", "250")
		}
	}
}

func unchallenge(t *testing.T, line string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line[4:]))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// On port 25 nobody is given a session ticket: outlook.com drops handshakes
// that end with one.
func TestNoTicketsOnMX(t *testing.T) {
	for kind, want := range map[Kind]bool{MX: false, Submission: true} {
		_, addr := serve(t, kind, func(s *Server) { s.ImplicitTLS = true })
		conf := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		var resumed bool
		for range 2 {
			p := secure(t, addr, conf)
			p.say("NOOP", "250")
			resumed = p.Conn.(*tls.Conn).ConnectionState().DidResume
			p.say("QUIT", "221")
		}
		if resumed != want {
			t.Errorf("kind %d: resumed %v", kind, resumed)
		}
	}
}
