package itip

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/dav/caldav"
	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
	"essaim.coop/essaim/storage/resource"
)

// A house is one in which everybody has calendars and invitations work: anna, ben,
// cleo, and the room van@coop.example.
type house struct {
	*davtest.House
	t       testing.TB
	service *Service
	sent    []posted
}

type posted struct{ from, to, text string }

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{House: davtest.New(t), t: t}
	h.Hooks = append(h.Hooks, resource.Check, calendar.Check, mailbox.Check, Check)
	caldav.Mount(h.Engine)
	h.Update(func(tx *storage.Tx) error {
		van, err := accounts.Create(tx, accounts.NewAccount{Address: "van@coop.example", Name: "The van", Group: true, Resource: accounts.Equipment}, h.Now)
		if err != nil {
			return err
		}
		h.Accounts["van"] = van.ID
		for _, a := range h.Accounts {
			if err := calendar.Ensure(tx, a, h.Now); err != nil {
				return err
			}
			if err := mailbox.Ensure(tx, a, h.Now); err != nil {
				return err
			}
		}
		return nil
	})
	h.service = &Service{DB: h.DB, Hostname: "mail.coop.example", Log: slog.New(slog.DiscardHandler), Wake: func() {}, Now: func() time.Time { return h.Now },
		Post: func(tx *storage.Tx, from, to string, in *mailbox.Incoming, _ time.Time) error {
			r, err := in.Staged.Reader()
			if err != nil {
				return err
			}
			b, err := r.Bytes()
			h.sent = append(h.sent, posted{from, to, string(b)})
			return err
		}}
	return h
}

func (h *house) pass() {
	h.t.Helper()
	if left, err := h.service.Pass(context.Background()); err != nil || left {
		h.t.Fatalf("left %v, %v", left, err)
	}
}

// do makes a request as a member; header are pairs.
func (h *house) do(user, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	r := httptest.NewRequest(method, "/dav/calendars/"+path, strings.NewReader(body))
	r.Header.Set("User", user)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Engine.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return w.Code, string(b), w.Result().Header
}

func (h *house) put(status int, user, path, body string, header ...string) {
	h.t.Helper()
	if got, answer, _ := h.do(user, "PUT", path, body, header...); got != status {
		h.t.Fatalf("PUT %s: %d\n%s", path, got, answer)
	}
	h.pass()
}

// home is the path of somebody's first calendar.
func home(user string) string { return user + "@coop.example/calendar/" }

// copyOf is the name that the server gives an object.
func copyOf(uid string) string { return uid + ".ics" }

// read gives an object, unfolded.
func (h *house) read(user, name string) string {
	h.t.Helper()
	status, text, _ := h.do(user, "GET", home(user)+name, "")
	if status != 200 {
		h.t.Fatalf("%s has no %s: %d", user, name, status)
	}
	return strings.ReplaceAll(text, "\r\n ", "")
}

// inbox is the text of the newest message in somebody's inbox, and how many there
// are.
func (h *house) inbox(user string) (last string, n int) {
	h.t.Helper()
	h.View(func(tx *storage.Tx) error {
		c, err := calendar.Inbox(tx, h.Accounts[user])
		n = int(c.Count)
		return err
	})
	status, answer, _ := h.do(user, "PROPFIND", user+"@coop.example/inbox/", "", "Depth", "1")
	all := regexp.MustCompile(`<D:href>([^<]*\.ics)</D:href>`).FindAllStringSubmatch(answer, -1)
	if status != 207 || len(all) != n {
		h.t.Fatalf("inbox of %s: %d, %d of %d", user, status, len(all), n)
	}
	if n > 0 {
		_, last, _ = h.do(user, "GET", strings.TrimPrefix(all[n-1][1], "/dav/calendars/"), "")
	}
	return strings.ReplaceAll(last, "\r\n ", ""), n
}

// event makes an object of lines separated by "|".
func event(uid, lines string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\n" +
		strings.ReplaceAll(lines, "|", "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

const (
	times1  = "DTSTART:20270320T100000Z|DTEND:20270320T110000Z|SUMMARY:Meeting|"
	byAnna  = "ORGANIZER:mailto:anna@coop.example|ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@coop.example|"
	andBen  = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@coop.example"
	andCleo = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:cleo@coop.example"
)

func has(t testing.TB, what, text string, want ...string) {
	t.Helper()
	for _, x := range want {
		not, absent := strings.CutPrefix(x, "!")
		if strings.Contains(text, not) == absent {
			t.Errorf("%s: want %q in\n%s", what, x, text)
		}
	}
}

// arrives delivers a message as if it had come by SMTP: from a member who has logged
// in, or from elsewhere, where the domain has vouched for it or not.
func (h *house) arrives(to, login string, verified bool, text string) {
	h.t.Helper()
	w := h.DB.Stage()
	_, _ = io.WriteString(w, text)
	s, err := w.Finish()
	if err != nil {
		h.t.Fatal(err)
	}
	in, err := mailbox.Prepare(s)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Update(func(tx *storage.Tx) error {
		box, err := mailbox.Open(tx, h.Accounts[to], "INBOX")
		if err != nil {
			return err
		}
		if _, err := mailbox.Append(tx, box, in, nil, h.Now, h.Now); err != nil {
			return err
		}
		return Arrived(tx, h.Accounts[to], h.Accounts[login], verified, in)
	})
}
