package itip

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// What can be said in a story. WHO is a member or van, an object's NAME is a file of
// the story with its UID, or the UID and ".ics". After "expect" come words that must
// be in what is looked at, lines unfolded, or with ! before them must not be:
//
//	expect anna party.ics LOCATION:Gent !SEQUENCE:2
//	expect anna party.ics attendee ben PARTSTAT=ACCEPTED    on that line
//	expect anna party.ics at 20270321T100000Z DTSTART:…     in that instance
//	expect anna party.ics at series RRULE                   in what is none
var steps = []step{
	{"WHO puts FILE", func(s *story, w []string) { s.puts(w[0], w[1], w[1]) }, true},
	{"WHO puts FILE as NAME", func(s *story, w []string) { s.puts(w[0], w[1], w[2]) }, true},
	{"WHO puts FILE as NAME by schedule tag", func(s *story, w []string) {
		s.puts(w[0], w[1], w[2], "If-Schedule-Tag-Match", s.look(w[0], w[2]).tag)
	}, true},
	{"WHO cannot put FILE as NAME because CONDITION", func(s *story, w []string) {
		s.request(403, w[3], w[0], "PUT", w[2], s.file(w[1]))
	}, true},
	{"WHO edits NAME ...", (*story).edits, true}, // "old" to "new" and …
	{"WHO answers NAME PARTSTAT", (*story).answers, true},
	{"WHO deletes NAME", func(s *story, w []string) { s.request(204, "", w[0], "DELETE", w[1], "") }, true},
	{"WHO deletes NAME quietly", func(s *story, w []string) {
		s.request(204, "", w[0], "DELETE", w[1], "", "Schedule-Reply", "F") // RFC 6638 §8.1
	}, true},
	{"WHO has calendar NAME", func(s *story, w []string) {
		if status, answer, _ := s.do(w[0], "MKCALENDAR", w[0]+"@coop.example/"+w[1]+"/", ""); status != http.StatusCreated {
			s.t.Fatalf("%d %s", status, answer)
		}
	}, true},
	{"WHO moves NAME to CALENDAR", func(s *story, w []string) {
		s.request(201, "", w[0], "MOVE", w[1], "", "Destination", "/dav/calendars/"+w[0]+"@coop.example/"+w[2]+"/"+w[1])
	}, true},
	{"WHO removes calendar NAME", func(s *story, w []string) {
		if status, answer, _ := s.do(w[0], "DELETE", w[0]+"@coop.example/"+w[1]+"/", ""); status != http.StatusNoContent {
			s.t.Fatalf("%d %s", status, answer)
		}
	}, true},
	{"WHO has invitations in CALENDAR", func(s *story, w []string) {
		home := w[0] + "@coop.example/"
		status, answer, _ := s.do(w[0], "PROPPATCH", home+"inbox/", `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>`+
			`<C:schedule-default-calendar-URL><D:href>/dav/calendars/`+home+w[1]+`/</D:href></C:schedule-default-calendar-URL></D:prop></D:set></D:propertyupdate>`)
		if status != http.StatusMultiStatus || !strings.Contains(answer, "200 OK") {
			s.t.Fatalf("%d %s", status, answer)
		}
	}, true},
	{"letter FILE to WHO", func(s *story, w []string) { s.arrives(w[1], "", false, s.file(w[0])) }, true},
	{"vouched letter FILE to WHO", func(s *story, w []string) { s.arrives(w[1], "", true, s.file(w[0])) }, true},
	{"WHO sends letter FILE to WHO", func(s *story, w []string) { s.arrives(w[2], w[0], false, s.file(w[1])) }, true},
	{"it is TIME", (*story).clock, true},
	{"group ADDRESS has ...", (*story).group, true},
	{"WHO has no room", func(s *story, w []string) {
		s.Update(func(tx *storage.Tx) error { tx.SetQuota(tx.Household(s.Accounts[w[0]]), 10); return nil })
	}, true},
	{"phone of WHO is off", func(s *story, w []string) { s.phones[w[0]].on = false }, false},
	{"phone of WHO is on", func(s *story, w []string) { s.phones[w[0]].on = true; s.phones[w[0]].sync() }, false},

	{"expect WHO no NAME", func(s *story, w []string) {
		if s.look(w[0], w[1]).text != "" {
			s.t.Errorf("%s has %s", w[0], w[1])
		}
	}, false},
	{"expect WHO NAME schedule tag kept", func(s *story, w []string) { s.tags(w[0], w[1], true) }, false},
	{"expect WHO NAME schedule tag changed", func(s *story, w []string) { s.tags(w[0], w[1], false) }, false},
	{"expect no effect", (*story).noEffect, false},
	{"expect agreement on NAME", (*story).agreement, false},
	{"expect inbox of WHO COUNT ...", (*story).inboxOf, false},
	{"expect letter to ADDRESS ...", (*story).letterTo, false},
	{"expect no letter", func(s *story, _ []string) {
		if s.seen < len(s.sent) {
			s.t.Errorf("a letter to %s", s.sent[s.seen].to)
		}
	}, false},
	{"expect WHO NAME ...", func(s *story, w []string) {
		o := s.look(w[0], w[1])
		if o.text == "" {
			s.t.Errorf("%s has no %s", w[0], w[1])
			return
		}
		s.expect(w[0]+"'s "+w[1], o.text, w[2:])
	}, false},
}

// path is where a member has an object, or where one will be.
func (s *story) path(user, name string) string {
	s.t.Helper()
	path := home(user) + name
	s.View(func(tx *storage.Tx) error {
		if c, o, err := calendar.Find(tx, s.Accounts[user], s.uid(name)); err == nil {
			path = user + "@coop.example/" + c.Name + "/" + o.Name
		}
		return nil
	})
	return path
}

// request makes one of an object that must be answered with a status and a text.
func (s *story) request(status int, want, user, method, name, body string, header ...string) {
	s.t.Helper()
	path := s.path(user, name)
	if got, answer, _ := s.do(user, method, path, body, header...); got != status || !strings.Contains(answer, want) {
		s.t.Errorf("%s %s: %d, not %d %s\n%s", method, path, got, status, want, answer)
	}
}

func (s *story) puts(user, file, name string, header ...string) {
	s.t.Helper()
	status := http.StatusCreated
	if s.look(user, name).text != "" {
		status = http.StatusNoContent
	}
	s.request(status, "", user, "PUT", name, s.file(file), header...)
}

// edits does what a program does that has read the newest state.
func (s *story) edits(w []string) {
	o := s.look(w[0], w[1])
	text := o.text
	for i := 2; i < len(w); i += 4 {
		if i+2 >= len(w) || w[i+1] != "to" || i+3 < len(w) && w[i+3] != "and" || !strings.Contains(text, w[i]) {
			s.t.Fatalf("%q of %q in\n%s", w[i], w[2:], text)
		}
		text = strings.ReplaceAll(text, w[i], w[i+2])
	}
	s.request(http.StatusNoContent, "", w[0], "PUT", w[1], text, "If-Match", o.etag)
}

func (s *story) answers(w []string) {
	o := s.look(w[0], w[1])
	lines := strings.Split(o.text, "\r\n")
	for i, l := range lines {
		if isOf(l, "ATTENDEE", w[0]) {
			lines[i] = setParam.ReplaceAllString(l, "")
			lines[i] = strings.Replace(lines[i], "ATTENDEE", "ATTENDEE;PARTSTAT="+w[2], 1)
		}
	}
	s.request(http.StatusNoContent, "", w[0], "PUT", w[1], strings.Join(lines, "\r\n"), "If-Match", o.etag)
}

var setParam = regexp.MustCompile(`;(PARTSTAT|RSVP)=[^;:]*`)

// isOf reports whether a line is that of somebody: a member, or an address.
func isOf(line, kind, who string) bool {
	if !strings.Contains(who, "@") {
		who += "@coop.example"
	}
	return strings.HasPrefix(line, kind) && strings.HasSuffix(strings.ToLower(line), ":mailto:"+who)
}

// clock lets time pass; what is due rings on the way.
func (s *story) clock(w []string) {
	to, err := time.Parse(time.RFC3339, w[0])
	if err != nil || to.Before(s.Now) {
		s.t.Fatalf("from %v to %s: %v", s.Now, w[0], err)
	}
	s.ring(to)
}

func (s *story) group(w []string) {
	s.Update(func(tx *storage.Tx) error {
		g, err := accounts.Create(tx, accounts.NewAccount{Address: w[0], Group: true}, s.Now)
		for _, m := range w[1:] {
			if err == nil {
				err = accounts.AddMember(tx, g.ID, m)
			}
		}
		return err
	})
}
