package imap

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// SCRAM, with and without channel binding, with an initial response and
// without, against a client of others.
func TestSCRAM(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		name          string
		plus, initial bool
		password      string
		want          string
	}{
		{"plain", false, true, "secret", "a OK"},
		{"no initial response", false, false, "secret", "a OK"},
		{"bound", true, true, "secret", "a OK"},
		{"wrong password", true, true, "wrong", "a NO [AUTHENTICATIONFAILED]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := h.dialTLS(t)
			p.line()
			client, err := scram.SHA256.NewClient("zoe@coop.example", c.password, "")
			must(t, err)
			conv, name := client.NewConversation(), "SCRAM-SHA-256"
			if c.plus {
				st := p.nc.(*tls.Conn).ConnectionState()
				cb, err := scram.NewTLSExporterBinding(&st)
				must(t, err)
				conv, name = client.NewConversationWithChannelBinding(cb), "SCRAM-SHA-256-PLUS"
			}
			msg, err := conv.Step("")
			must(t, err)
			first := base64.StdEncoding.EncodeToString([]byte(msg))
			if c.initial {
				p.send("a AUTHENTICATE " + name + " " + first + "\r\n")
			} else {
				p.send("a AUTHENTICATE " + name + "\r\n")
				if l := p.line(); l != "+ " {
					t.Fatalf("%q", l)
				}
				p.send(first + "\r\n")
			}
			if l := converse(t, p, conv); !strings.HasPrefix(l, c.want) {
				t.Fatal(l)
			}
			if strings.HasPrefix(c.want, "a OK") && !conv.Valid() {
				t.Error("the server did not prove itself")
			}
		})
	}
}

// converse goes on until the tagged answer.
func converse(t *testing.T, p *peer, conv *scram.ClientConversation) string {
	for {
		l := p.line()
		ch, ok := strings.CutPrefix(l, "+ ")
		if !ok {
			return l
		}
		b, err := base64.StdEncoding.DecodeString(ch)
		must(t, err)
		msg, err := conv.Step(string(b))
		must(t, err)
		p.send(base64.StdEncoding.EncodeToString([]byte(msg)) + "\r\n")
	}
}
