package itip

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// shown is what a member is shown of an object.
type shown struct{ path, etag, tag, text string }

// look reads an object, unfolded; without text when there is none.
func (s *story) look(user, name string) shown {
	s.t.Helper()
	path := s.path(user, name)
	status, text, head := s.do(user, "GET", path, "")
	if status == http.StatusNotFound {
		return shown{path: path}
	}
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, status, text)
	}
	return shown{path, head.Get("ETag"), head.Get("Schedule-Tag"), unfold(text)}
}

func unfold(text string) string { return strings.ReplaceAll(text, "\r\n ", "") }

// expect holds a text against words.
func (s *story) expect(what, text string, words []string) {
	s.t.Helper()
	if len(words) > 1 && words[0] == "at" {
		at, ok := instance(text, words[1])
		if !ok {
			s.t.Errorf("%s has nothing at %s:\n%s", what, words[1], text)
		}
		text, words = at, words[2:]
	}
	if len(words) > 1 && (words[0] == "attendee" || words[0] == "organizer") {
		kind, who := strings.ToUpper(words[0]), words[1]
		var lines []string
		for l := range strings.SplitSeq(text, "\r\n") {
			if isOf(l, kind, who) {
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			s.t.Errorf("%s has no %s %s:\n%s", what, kind, who, text)
		}
		for _, l := range lines {
			has(s.t, what, l, words[2:]...)
		}
		return
	}
	has(s.t, what, text, words...)
}

// instance is the component of an object that has a RECURRENCE-ID, or none for
// "series".
func instance(text, id string) (string, bool) {
	for _, c := range strings.Split(text, "BEGIN:V")[1:] {
		_, rest, own := strings.Cut(c, "RECURRENCE-ID")
		at, _, _ := strings.Cut(rest, "\r\n")
		if own && strings.HasSuffix(at, ":"+id) || !own && id == "series" && strings.HasPrefix(c, "EVENT") {
			return c, true
		}
	}
	return "", false
}

// everything is what all see in all their calendars and inboxes.
func (s *story) everything() map[string]shown {
	s.t.Helper()
	all := map[string]shown{}
	for user, a := range s.Accounts {
		var names []string
		s.View(func(tx *storage.Tx) error {
			inbox, err := calendar.Inbox(tx, a)
			if err == nil {
				names = append(names, fmt.Sprint(inbox.Count))
			}
			for _, c := range calendar.List(tx, a) {
				if err := calendar.Scan(tx, c.ID, "", func(o calendar.Object) bool {
					names = append(names, c.Name+"/"+o.Name)
					return true
				}); err != nil {
					return err
				}
			}
			return nil
		})
		all[user] = shown{text: names[0]}
		for _, n := range names[1:] {
			path := user + "@coop.example/" + n
			_, text, head := s.do(user, "GET", path, "")
			all[path] = shown{path, head.Get("ETag"), head.Get("Schedule-Tag"), text}
		}
	}
	return all
}

// noEffect holds that the last step has changed nothing for anybody.
func (s *story) noEffect(_ []string) {
	now := s.everything()
	for k := range maps.Keys(now) {
		if now[k] != s.before[k] {
			s.t.Errorf("%s was\n%v\nis\n%v", k, s.before[k], now[k])
		}
	}
	if len(now) != len(s.before) || s.seen != len(s.sent) {
		s.t.Errorf("%d objects instead of %d, %d letters", len(now), len(s.before), len(s.sent)-s.seen)
	}
}

// tags holds a schedule tag against what it was before the last step (RFC 6638
// §3.2.10).
func (s *story) tags(user, name string, kept bool) {
	o := s.look(user, name)
	if was := s.before[o.path]; o.tag == "" || (o.tag == was.tag) != kept {
		s.t.Errorf("%s's %s: schedule tag %q was %q", user, name, o.tag, was.tag)
	}
}

// agreement holds that all who have an object have the same one.
func (s *story) agreement(w []string) {
	known, by := "", ""
	for _, user := range slices.Sorted(maps.Keys(s.Accounts)) {
		o := s.look(user, w[0])
		if o.text == "" {
			continue
		}
		is := essential(s.t, o.text)
		if by != "" && is != known {
			s.t.Errorf("%s's %s:\n%s\n%s's:\n%s", by, w[0], known, user, is)
		}
		known, by = is, user
	}
}

// essential is what an object says to all: when and what it is, and who comes.
func essential(t testing.TB, text string) string {
	t.Helper()
	cal, err := ical.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range cal.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		var lines []string
		for i := range c.Props {
			switch p := &c.Props[i]; p.Name {
			case "DTSTART", "DTEND", "DURATION", "SUMMARY", "LOCATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS", "ORGANIZER":
				lines = append(lines, p.Name+":"+p.Value)
			case "ATTENDEE":
				lines = append(lines, p.Name+":"+p.Value+" "+cmp.Or(strings.ToUpper(p.Param("PARTSTAT")), "NEEDS-ACTION"))
			}
		}
		slices.Sort(lines)
		all = append(all, strings.Join(lines, "\n"))
	}
	slices.Sort(all)
	return strings.Join(all, "\n\n")
}

// inboxOf holds how many messages there are, and the newest against words.
func (s *story) inboxOf(w []string) {
	last, n := s.inbox(w[0])
	if strconv.Itoa(n) != w[1] {
		s.t.Errorf("%d messages in the inbox of %s, not %s\n%s", n, w[0], w[1], last)
	}
	s.expect("the inbox of "+w[0], last, w[2:])
}

// letterTo holds the next letter against words.
func (s *story) letterTo(w []string) {
	if s.seen == len(s.sent) {
		s.t.Errorf("no letter to %s", w[0])
		return
	}
	l := s.sent[s.seen]
	s.seen++
	if l.to != w[0] {
		s.t.Errorf("a letter to %s instead of %s", l.to, w[0])
	}
	s.expect("the letter", decoded(s.t, l.text), w[1:])
}

// decoded is a message with its texts as people read them, unfolded.
func decoded(t testing.TB, text string) string {
	t.Helper()
	root := message.ScanBytes([]byte(text))
	var b strings.Builder
	var walk func(p *message.Part)
	walk = func(p *message.Part) {
		b.WriteString(text[p.HeaderStart:p.BodyStart])
		for _, c := range p.Children {
			walk(c)
		}
		if p.IsMultipart() {
			return
		}
		body, err := io.ReadAll(p.TextReader(strings.NewReader(text[p.BodyStart:p.End])))
		if err != nil {
			t.Error(err)
		}
		b.Write(body)
	}
	walk(root)
	return unfold(b.String())
}
