package smtp

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/smtp/smtpclient"

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

// What is announced, exactly.
func TestAnnounced(t *testing.T) {
	const always = "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 LIMITS MAILMAX=1000 RCPTMAX=1000\r\n"
	const begin = "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10000\r\n"
	stranger := func(s *Server) { s.Limits.TrustLoopback = false }
	for _, kind := range []Kind{MX, Submission} {
		_, addr := serve(t, kind, stranger)
		if got, want := dial(t, addr).say("EHLO me", "250"), begin+"250-STARTTLS\r\n"+always; got != want {
			t.Errorf("kind %d in the clear: %q", kind, got)
		}
		_, addr = serve(t, kind, stranger, func(s *Server) { s.ImplicitTLS = true })
		want := begin + always
		if kind == Submission {
			want = begin + "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n" + always
		}
		if got := secure(t, addr, &tls.Config{InsecureSkipVerify: true}).say("EHLO me", "250"); got != want {
			t.Errorf("kind %d in TLS: %q", kind, got)
		}
	}
}

// Our client logs in at a relay whose certificate it trusts, on either port.
func TestClientAtARelay(t *testing.T) {
	dir := t.TempDir()
	cert, err := certs.Throwaway(dir, []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, implicit := range []bool{false, true} {
		sh, addr := serve(t, Submission, func(s *Server) { s.ImplicitTLS, s.TLS = implicit, &tls.Config{GetCertificate: cert.Get} })
		for password, want := range map[string]bool{"pass": true, "wrong": false} {
			c := &smtpclient.Client{Hostname: "me", Host: "localhost", Addr: addr, Implicit: implicit, User: "zoe", Password: password, RootCAs: roots}
			got, err := send(t, c, &smtpclient.Message{From: "a@b.test", To: []smtpclient.Rcpt{{Addr: "c@d.test"}}, Body: strings.NewReader(head), Size: int64(len(head))})
			if (err == nil) != want || want && got[0].Status != smtpclient.Sent {
				t.Errorf("%s: %+v, %v", password, got, err)
			}
		}
		if len(sh.mail) != 1 || sh.envs[0].Session.Login == nil {
			t.Errorf("%d messages", len(sh.mail))
		}
	}
}

func TestWhatTheLimitsCount(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64"} {
		ip := netip.MustParseAddr(addr)
		got, _ := address(&net.TCPAddr{IP: ip.AsSlice(), Zone: ip.Zone(), Port: 1})
		if got != want {
			t.Errorf("%s counts as %s", addr, got)
		}
	}
	for addr, want := range map[string]bool{"127.0.0.9": true, "::1": true, "192.0.2.1": false} {
		if _, local := address(&net.TCPAddr{IP: net.ParseIP(addr)}); local != want {
			t.Errorf("%s is loopback: %v", addr, local)
		}
	}
}
