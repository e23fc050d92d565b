package webfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What real programs send, as transcripts: "C:" lines are a request, its header
// fields, an empty line and a body; "S:" lines are the status that must come,
// then "Name" of a field that must be there, "Name: text" of one that must
// contain a text, "Name = var" to keep one for "{var}" later, "~ text" for the
// body to contain, and "! text" for it not to.
func TestTranscripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{house: newHouse(t, 1<<20), vars: map[string]string{}}
			p.vars["home"] = homePath("ann@coop.example")
			for i, line := range strings.Split(string(text), "\n") {
				p.line = i + 1
				switch {
				case strings.HasPrefix(line, "C:"):
					if p.reply != nil {
						p.reply, p.request = nil, nil
					}
					p.request = append(p.request, strings.TrimPrefix(strings.TrimPrefix(line, "C:"), " "))
				case strings.HasPrefix(line, "S:"):
					p.expect(strings.TrimSpace(line[2:]))
				}
			}
		})
	}
}

type player struct {
	*house
	vars    map[string]string
	request []string
	reply   *reply
	line    int
}

func (p *player) fill(s string) string {
	for name, v := range p.vars {
		s = strings.ReplaceAll(s, "{"+name+"}", v)
	}
	return s
}

func (p *player) send() {
	p.t.Helper()
	method, path, _ := strings.Cut(p.fill(p.request[0]), " ")
	var header []string
	body := ""
	for i, l := range p.request[1:] {
		if l == "" {
			body = p.fill(strings.Join(p.request[i+2:], "\n"))
			break
		}
		name, v, _ := strings.Cut(p.fill(l), ":")
		header = append(header, name, strings.TrimSpace(v))
	}
	r := p.do("ann", method, path, body, header...)
	p.reply = &r
}

func (p *player) expect(want string) {
	p.t.Helper()
	if p.reply == nil {
		p.send()
		if !strings.HasPrefix(p.reply.Status, want) {
			p.t.Fatalf("line %d: %s, must be %s\n%s", p.line, p.reply.Status, want, p.reply.body)
		}
		return
	}
	if text, ok := strings.CutPrefix(want, "~ "); ok {
		if !strings.Contains(p.reply.body, p.fill(text)) {
			p.t.Errorf("line %d: no %q in %s", p.line, text, p.reply.body)
		}
		return
	}
	if text, ok := strings.CutPrefix(want, "! "); ok {
		if strings.Contains(p.reply.body, p.fill(text)) {
			p.t.Errorf("line %d: %q in %s", p.line, text, p.reply.body)
		}
		return
	}
	if name, v, ok := strings.Cut(want, " = "); ok {
		p.vars[v] = p.reply.Header.Get(name)
		want = name
	}
	name, text, _ := strings.Cut(want, ":")
	if v := p.reply.Header.Get(name); v == "" || !strings.Contains(v, p.fill(strings.TrimSpace(text))) {
		p.t.Errorf("line %d: %s is %q, must be %q", p.line, name, v, text)
	}
}
