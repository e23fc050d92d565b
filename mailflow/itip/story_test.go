package itip

import (
	"encoding/base64"
	"mime/quotedprintable"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// A story is a txtar archive in testdata/stories. Its comment is what happens: lines
// with # are for people, each of the others is a step, of those in the table steps.
// Its files are what the steps put and send. In a file a line <<base64 NAME>>,
// <<quoted-printable NAME>> or <<plain NAME>> is another file in that encoding.
//
// Each story has a house with a real store: anna, ben and cleo @coop.example, the
// group garden (anna and ben), the room van. Calendars are changed over CalDAV, mail
// arrives in mailboxes, and letters to people elsewhere are caught where they go into
// the queue. All the time the members' phones follow their calendars by
// sync-collection, before and after the server has worked off what a step has done; in
// the end each has exactly what the server has, and no letter is left that no step
// has expected.
func TestStories(t *testing.T) {
	names, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			(&story{house: newHouse(t), files: a.Files}).play(string(a.Comment))
		})
	}
}

type story struct {
	*house
	files  []txtar.File
	phones map[string]*phone
	seen   int              // of the letters that were sent, those expected by now
	before map[string]shown // what there was before the step that acted last
}

// A step is a form of words: those in capitals stand for one word, and "..." for the
// rest.
type step struct {
	form string
	do   func(s *story, w []string)
	acts bool // something happens, as opposed to being looked at
}

// play takes the steps one by one, and looks at the phones at the end.
func (s *story) play(comment string) {
	s.t.Helper()
	s.phones = map[string]*phone{}
	for _, user := range []string{"anna", "ben", "cleo"} {
		s.phones[user] = &phone{house: s.house, user: user, on: true, texts: map[string]string{}, tags: map[string]string{}}
	}
	for i, line := range strings.Split(comment, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		s.take(i+1, line)
		if s.t.Failed() {
			return
		}
	}
	for _, p := range s.phones {
		p.sync()
		p.compare()
	}
	s.View(func(tx *storage.Tx) error {
		if ch, left, err := calendar.NextChange(tx, 0); left || err != nil {
			s.t.Errorf("a change is left: %v, %v", ch, err)
		}
		return nil
	})
	for _, l := range s.sent[s.seen:] {
		s.t.Errorf("a letter that nobody has expected to %s\n%s", l.to, decoded(s.t, l.text))
	}
}

func (s *story) take(n int, line string) {
	words, err := split(line)
	if err != nil {
		s.t.Fatalf("line %d: %s: %v", n, line, err)
	}
	for _, st := range steps {
		args, ok := match(strings.Fields(st.form), words)
		if !ok {
			continue
		}
		if st.acts {
			s.before = s.everything()
		}
		st.do(s, args)
		if st.acts {
			s.follow()
			s.pass()
			s.follow()
		}
		if s.t.Failed() {
			s.t.Logf("line %d: %s", n, line)
		}
		return
	}
	s.t.Fatalf("line %d: no such step: %s", n, line)
}

func (s *story) follow() {
	for _, p := range s.phones {
		if p.on {
			p.sync()
		}
	}
}

// match returns the words that a form has places for.
func match(form, words []string) (args []string, ok bool) {
	for i, f := range form {
		switch {
		case f == "...":
			return append(args, words[i:]...), true
		case i >= len(words):
			return nil, false
		case f == strings.ToUpper(f):
			args = append(args, words[i])
		case f != words[i]:
			return nil, false
		}
	}
	return args, len(form) == len(words)
}

// split parts a line into words. One in quotes, which ! may precede, is a Go string.
func split(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		not := ""
		if strings.HasPrefix(line, `!"`) {
			not, line = "!", line[1:]
		}
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, err
		}
		word, err := strconv.Unquote(q)
		if err != nil {
			return nil, err
		}
		words, line = append(words, not+word), line[len(q):]
	}
	return words, nil
}

func (s *story) has(name string) bool {
	return slices.ContainsFunc(s.files, func(f txtar.File) bool { return f.Name == name })
}

var included = regexp.MustCompile(`(?m)^<<(\S+) (\S+)>>\n`)

// file is a file of the story as it is put or sent: with CRLF, and others in it.
func (s *story) file(name string) string {
	s.t.Helper()
	i := slices.IndexFunc(s.files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		s.t.Fatalf("the story has no %s", name)
	}
	text := included.ReplaceAllStringFunc(string(s.files[i].Data), func(line string) string {
		m := included.FindStringSubmatch(line)
		return encoded(s.t, m[1], s.file(m[2]))
	})
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

func encoded(t testing.TB, how, text string) string {
	var b strings.Builder
	switch how {
	case "plain":
		return text
	case "base64":
		code := base64.StdEncoding.EncodeToString([]byte(text))
		for c := range slices.Chunk([]byte(code), 76) {
			b.Write(append(c, '\n'))
		}
	case "quoted-printable":
		w := quotedprintable.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("no encoding %s", how)
	}
	return b.String()
}

// uid is what an object is known by: the UID in the story's file of that name, or
// the name without its end.
func (s *story) uid(name string) string {
	s.t.Helper()
	if !s.has(name) {
		return strings.TrimSuffix(name, ".ics")
	}
	cal, err := ical.Parse([]byte(s.file(name)))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	for _, c := range cal.Children {
		if v := c.Text("UID"); v != "" {
			return v
		}
	}
	s.t.Fatalf("%s has no UID", name)
	return ""
}
