package imap

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Transcripts are files of lines. "C: " is sent, with CRLF; "S: " must be the
// next line received, where ... stands for anything. "2C: " and "2S: " are
// another connection's. "C+: " is sent without CRLF. "S~: " reads lines until one matches.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			play(t, newHouse(t), f, string(b))
		})
	}
}

// play runs one transcript.
func play(t *testing.T, h *house, file, script string) {
	conns := map[string]*peer{}
	for i, line := range strings.Split(script, "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		head, text, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			head = strings.TrimSuffix(line, ":")
			if text = ""; !strings.HasSuffix(line, ":") || strings.HasPrefix(line, "#") {
				continue
			}
		}
		k := strings.IndexAny(head, "CS")
		if k < 0 {
			t.Fatalf("%s: what is %q?", at, line)
		}
		p := conns[head[:k]]
		if p == nil {
			p = h.dial(t)
			conns[head[:k]] = p
		}
		switch head[k:] {
		case "C":
			p.send(text + "\r\n")
		case "C+":
			p.send(strings.ReplaceAll(text, `\r\n`, "\r\n"))
		case "S":
			if got := p.line(); !matches(text, got) {
				t.Fatalf("%s:\nwant %s\n got %s", at, text, got)
			}
		case "S~":
			for got := p.line(); !matches(text, got); got = p.line() {
				if strings.HasPrefix(got, "!") {
					t.Fatalf("%s:\nwant %s\n got %s", at, text, got)
				}
			}
		}
	}
}

// matches compares a line with a pattern in which ... is anything.
func matches(pattern, got string) bool {
	parts := strings.Split(pattern, "...")
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	got = got[len(parts[0]):]
	for i, p := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(got, p)
		}
		k := strings.Index(got, p)
		if k < 0 {
			return false
		}
		got = got[k+len(p):]
	}
	return got == ""
}

// A peer is a bare client.
type peer struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	return &peer{t: t, nc: nc, br: bufio.NewReader(nc)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := p.nc.Write([]byte(s)); err != nil {
		p.t.Fatalf("send %q: %v", s, err)
	}
}

// line is the next line, or what went wrong behind an exclamation mark.
func (p *peer) line() string {
	p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	l, err := p.br.ReadString('\n')
	if err != nil {
		return "!" + err.Error() + " " + l
	}
	return strings.TrimSuffix(l, "\r\n")
}

// cmd sends a command and returns its untagged lines and its tagged one.
func (p *peer) cmd(tag, text string) (untagged []string, tagged string) {
	p.t.Helper()
	p.send(tag + " " + text + "\r\n")
	for {
		l := p.line()
		if strings.HasPrefix(l, "!") {
			p.t.Fatalf("%s: %s", text, l)
		}
		if strings.HasPrefix(l, tag+" ") {
			return untagged, l
		}
		untagged = append(untagged, l)
	}
}

// ok is cmd that must succeed.
func (p *peer) ok(text string) []string {
	p.t.Helper()
	u, l := p.cmd("x", text)
	if !strings.HasPrefix(l, "x OK") {
		p.t.Fatalf("%s: %s", text, l)
	}
	return u
}

// startTLS upgrades the peer.
func (p *peer) startTLS() *tls.Conn {
	p.t.Helper()
	p.ok("STARTTLS")
	c := tls.Client(p.nc, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	p.nc, p.br = c, bufio.NewReader(c)
	return c
}
