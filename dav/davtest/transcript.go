package davtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Transcripts runs every file of a pattern as a subtest with a house of its own
// that setup has made; see House.Play for what is in one.
func Transcripts(t *testing.T, pattern string, setup func(t *testing.T) *House) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no transcripts in %s: %v", pattern, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			setup(t).Play(name, string(b))
		})
	}
}

// Play runs a transcript. Lines that begin with C: are sent, those with S: are
// expected, any others are comments.
//
//	U: ben                          the requests that follow are his; anna's at first
//	C: PUT /dav/toy/a HTTP/1.1      a request; the version may be left out
//	C: If-None-Match: *             a header field
//	C:                              then the body, if there is one
//	C: text                         whose lines are joined by \n, without one at the end
//	S: 201                          the status
//	S: ETag: {tag}                  a header field; {tag} takes what stands there
//	S: !Lock-Token                  there must be no such field
//	S:
//	S: <D:href>/dav/toy/a</D:href>  what must be in the body, after the line before
//	S: -secret                      what must not be in it at all
//	C: If-Match: ${tag}             a name that was taken before
//	W: 90m                          the clock of the house goes on
//
// In bodies white space between tags is left out on both sides, and what {name}
// takes ends where the rest of the line goes on.
func (h *House) Play(name, text string) {
	h.TB.Helper()
	p := &player{House: h, name: name, user: "anna", vars: map[string]string{}}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		p.take(i+1, strings.TrimRight(line, "\r"))
	}
	p.finish()
}

type player struct {
	*House
	name, user string
	vars       map[string]string
	at         int // the line the request began on
	request    []string
	answer     []string
}

func (p *player) take(n int, line string) {
	p.TB.Helper()
	kind, rest, _ := strings.Cut(line, ":")
	rest = strings.TrimPrefix(rest, " ")
	switch kind {
	case "C":
		if len(p.answer) > 0 {
			p.finish()
		}
		if len(p.request) == 0 {
			p.at = n
		}
		p.request = append(p.request, rest)
	case "S":
		p.answer = append(p.answer, rest)
	case "U":
		p.finish()
		p.user = rest
	case "W":
		p.finish()
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.TB.Fatalf("%s:%d: %v", p.name, n, err)
		}
		p.Now = p.Now.Add(d)
	}
}

// finish sends the request gathered and looks at its answer.
func (p *player) finish() {
	p.TB.Helper()
	if len(p.request) == 0 {
		return
	}
	where := fmt.Sprintf("%s:%d: %s", p.name, p.at, p.request[0])
	res, body, err := p.send()
	if err != nil {
		p.TB.Fatalf("%s: %v", where, err)
	}
	if err := p.compare(res, body); err != nil {
		p.TB.Errorf("%s: %v\n%s %v\n%s", where, err, res.Status, res.Header, body)
	}
	p.request, p.answer = nil, nil
}

func (p *player) send() (*http.Response, string, error) {
	for i, l := range p.request {
		p.request[i] = p.fill(l)
	}
	head, body := p.request, ""
	for i, l := range p.request {
		if l == "" {
			head, body = p.request[:i], strings.Join(p.request[i+1:], "\n")
			break
		}
	}
	first := head[0]
	if !strings.HasSuffix(first, " HTTP/1.1") {
		first += " HTTP/1.1"
	}
	lines := append([]string{first}, head[1:]...)
	has := func(name string) bool {
		for _, l := range lines {
			if n, _, _ := strings.Cut(l, ":"); strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
	if !has("Host") {
		lines = append(lines, "Host: "+p.Address)
	}
	if !has("User") && p.user != "-" {
		lines = append(lines, "User: "+p.user)
	}
	if body != "" && !has("Content-Length") && !has("Transfer-Encoding") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	return Exchange(p.Address, strings.Join(lines, "\r\n")+"\r\nConnection: close\r\n\r\n"+body)
}

// Exchange sends a request as it is on a connection of its own and returns the
// final answer.
func Exchange(address, raw string) (*http.Response, string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, "", err
	}
	if _, err := io.WriteString(c, raw); err != nil {
		return nil, "", err
	}
	method, _, _ := strings.Cut(raw, " ")
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, "", err
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func (p *player) fill(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string { return p.vars[v[2:len(v)-1]] })
}

func (p *player) compare(res *http.Response, body string) error {
	if len(p.answer) == 0 {
		return fmt.Errorf("nothing expected")
	}
	if status := strings.Fields(p.answer[0])[0]; status != fmt.Sprint(res.StatusCode) {
		return fmt.Errorf("want %s", p.answer[0])
	}
	rest := p.answer[1:]
	for len(rest) > 0 && rest[0] != "" {
		if err := p.compareField(res, rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	if len(rest) < 2 {
		return nil
	}
	return p.compareBody(squeeze(body), rest[1:])
}

func (p *player) compareField(res *http.Response, line string) error {
	if absent, ok := strings.CutPrefix(line, "!"); ok {
		if v := res.Header.Values(absent); len(v) > 0 {
			return fmt.Errorf("%s is %q", absent, v)
		}
		return nil
	}
	name, want, _ := strings.Cut(line, ":")
	got := strings.Join(res.Header.Values(name), ", ")
	m := p.pattern(strings.TrimSpace(want), true).FindStringSubmatch(got)
	if m == nil {
		return fmt.Errorf("%s is %q, want %s", name, got, want)
	}
	return p.keep(want, m)
}

func (p *player) compareBody(body string, lines []string) error {
	at := 0
	for _, l := range lines {
		if absent, ok := strings.CutPrefix(l, "-"); ok {
			if strings.Contains(body, squeeze(p.fill(absent))) {
				return fmt.Errorf("body has %s", absent)
			}
			continue
		}
		re := p.pattern(squeeze(l), false)
		m := re.FindStringSubmatchIndex(body[at:])
		if m == nil {
			return fmt.Errorf("body has no %s after byte %d", l, at)
		}
		if err := p.keep(l, re.FindStringSubmatch(body[at:])); err != nil {
			return err
		}
		at += m[1]
	}
	return nil
}

var taken = regexp.MustCompile(`\{(\w+)\}`)

// pattern matches a line in which {name} stands for anything and * at the end
// for the rest.
func (p *player) pattern(line string, whole bool) *regexp.Regexp {
	line = p.fill(line)
	var b strings.Builder
	last := 0
	for _, m := range taken.FindAllStringIndex(line, -1) {
		b.WriteString(regexp.QuoteMeta(line[last:m[0]]) + "(.*?)")
		last = m[1]
	}
	b.WriteString(regexp.QuoteMeta(line[last:]))
	s := b.String()
	if whole {
		if rest, ok := strings.CutSuffix(s, `\*`); ok && rest != "" {
			s = rest + ".*"
		}
		s = "^" + s + "$"
	}
	return regexp.MustCompile("(?s)" + s)
}

// keep keeps what the names in a line have taken.
func (p *player) keep(line string, m []string) error {
	for i, n := range taken.FindAllStringSubmatch(variable.ReplaceAllString(line, ""), -1) {
		p.vars[n[1]] = m[i+1]
	}
	return nil
}

var between = regexp.MustCompile(`>\s+<`)

func squeeze(s string) string { return between.ReplaceAllString(strings.TrimSpace(s), "><") }
