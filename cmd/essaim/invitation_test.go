package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	essaimsmtp "essaim.coop/essaim/smtp"
)

var calendarClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// calendar makes a request to a member's calendar home; 0 is no answer.
func (h *house) calendar(u int, method, path, body string, header ...string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequest(method, fmt.Sprintf("https://localhost:%d/dav/calendars/%s/%s", h.base+443, user(u), path), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.SetBasicAuth(user(u), testPassword)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := calendarClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

var objectHref = regexp.MustCompile(`<D:href>/dav/calendars/[^/<]*/([^<]*\.ics)</D:href>`)

// objects are the paths of what is in a collection of a member's home.
func (h *house) objects(u int, collection string) (out []string) {
	h.t.Helper()
	_, answer := h.calendar(u, "PROPFIND", collection, "", "Depth", "1")
	for _, m := range objectHref.FindAllStringSubmatch(answer, -1) {
		out = append(out, m[1])
	}
	return out
}

// event waits until a member has an object with all the texts, and returns its
// path and text, unfolded.
func (h *house) event(u int, texts ...string) (path, text string) {
	h.t.Helper()
	for range 600 {
		for _, path = range h.objects(u, "calendar/") {
			if _, text = h.calendar(u, "GET", path, ""); hasAll(strings.ReplaceAll(text, "\r\n ", ""), texts) {
				return path, strings.ReplaceAll(text, "\r\n ", "")
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatalf("user %d has no event with %q; the last is\n%s", u, texts, text)
	return "", ""
}

func hasAll(s string, texts []string) bool {
	for _, x := range texts {
		if !strings.Contains(s, x) {
			return false
		}
	}
	return true
}

// invitation is an event of the first member with others.
func invitation(uid string, attendees ...string) string {
	s := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270320T100000Z\r\nDTEND:20270320T110000Z\r\nSUMMARY:Meeting\r\n" +
		"ORGANIZER:mailto:" + user(1) + "\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:" + user(1) + "\r\n"
	for _, a := range attendees {
		s += "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + a + "\r\n"
	}
	return s + "END:VEVENT\r\nEND:VCALENDAR\r\n"
}

// The first member invites the second, whose phone follows; the answer comes back,
// the time changes, and both calendars are the same again.
func TestStoryInvitation(t *testing.T) {
	h := newHouse(t, 2)
	laptop, phone := newCalendarDevice(t, h, user(1)), newCalendarDevice(t, h, user(2))
	if status, answer := h.calendar(1, "PUT", "calendar/m.ics", invitation("m", user(2))); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	path, text := h.event(2, "UID:m")
	phone.sync()
	if got := phone.khal("list", "2027-03-20", "1d"); !strings.Contains(got, "11:00-12:00 Meeting") {
		t.Errorf("on the phone: %q", got)
	}
	accepted := strings.Replace(text, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:"+user(2), "PARTSTAT=ACCEPTED:mailto:"+user(2), 1)
	if status, answer := h.calendar(2, "PUT", path, accepted); status != 204 {
		t.Fatalf("%d %s", status, answer)
	}
	_, anna := h.event(1, "X-ESSAIM-REPLY")
	laptop.sync()
	phone.sync()
	if status, answer := h.calendar(1, "PUT", "calendar/m.ics", strings.ReplaceAll(anna, "20270320T1", "20270322T1")); status != 204 {
		t.Fatalf("%d %s", status, answer)
	}
	h.event(2, "20270322T100000Z", "SEQUENCE:1")
	h.stop(syscall.SIGKILL)
	h.start()
	laptop.sync()
	phone.sync()
	for _, d := range []*device{laptop, phone} {
		if got := d.khal("list", "2027-03-20", "7d"); strings.Count(got, "Meeting") != 1 || !strings.Contains(got, "2027-03-22") {
			t.Errorf("after all: %q", got)
		}
	}
	if n := len(h.objects(2, "inbox/")); n != 2 {
		t.Errorf("%d messages in the second member's inbox", n)
	}
	h.stop(syscall.SIGTERM)
	h.check()
}

const pythonInvitation = `
import sys, time, datetime, caldav
from icalendar import vCalAddress
url, ca, password, first, second = sys.argv[1:]
one, two = (caldav.DAVClient(url=url, username=u, password=password, ssl_verify_cert=ca) for u in (first, second))
assert one.check_scheduling_support()
me, other = one.principal(), two.principal()
event = me.calendars()[0].save_with_invites("""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:python
DTSTAMP:20270101T000000Z
DTSTART:20270320T100000Z
DURATION:PT1H
SUMMARY:Meeting
END:VEVENT
END:VCALENDAR
""", [me, second])
def until(f):
    for _ in range(600):
        got = f()
        if got:
            return got
        time.sleep(0.05)
    raise SystemExit("it does not happen")
item = until(lambda: list(other.schedule_inbox().get_items()))[0]
item.load()
assert item.is_invite_request(), item.data
item.accept_invite()
def accepted():
    event.load()
    return "PARTSTAT=ACCEPTED" in event.data.replace("\r", "").replace("\n ", "").split("mailto:" + second)[0].split("ATTENDEE")[-1]
until(accepted)
answer = until(lambda: list(me.schedule_inbox().get_items()))[0]
answer.load()
assert "METHOD:REPLY" in answer.data, answer.data
answer.delete()
day = lambda d: datetime.datetime(2027, 3, d, tzinfo=datetime.timezone.utc)
me.freebusy_request(day(20), day(21), [vCalAddress("mailto:" + second)])
`

// What the CalDAV library of Python does with invitations.
func TestPythonInvitation(t *testing.T) {
	const python = "/usr/bin/python3" // the one that has the distribution's modules
	if err := exec.Command(python, "-c", "import caldav").Run(); err != nil {
		t.Skip("no python3-caldav")
	}
	h := newHouse(t, 2)
	d := &device{t, t.TempDir()}
	d.run("", python, "-W", "ignore", "-c", pythonInvitation, fmt.Sprintf("https://localhost:%d/dav/", h.base+443), filepath.Join(h.dir, "tls", "ca.pem"), testPassword, user(1), user(2))
	if n := len(h.objects(2, "calendar/")); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// Somebody at another host is invited by a Postfix's mail and answers in it.
func TestStoryInvitationPostfix(t *testing.T) {
	h := newHouse(t, 1, "--route", "other.example=127.0.0.9:2525")
	maildrop := startPostfix(t, h.base+25)
	if status, answer := h.calendar(1, "PUT", "calendar/m.ics", invitation("m", "friend@other.example")); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	got := waitFor(t, maildrop, "method=REQUEST")
	if !strings.Contains(got, "Subject: Invitation: Meeting") || !strings.Contains(got, "invite.ics") {
		t.Errorf("the invitation:\n%s", got)
	}
	h.event(1, "SCHEDULE-STATUS=1.1:mailto:friend@other.example")
	reply := "From: <friend@other.example>\r\nTo: <" + user(1) + ">\r\nSubject: Accepted\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n" +
		"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:m\r\nDTSTAMP:20270102T000000Z\r\nATTENDEE;PARTSTAT=TENTATIVE:mailto:friend@other.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	if err := smtp.SendMail("127.0.0.9:2525", nil, "friend@other.example", []string{user(1)}, []byte(reply)); err != nil {
		t.Fatal(err)
	}
	h.event(1, "PARTSTAT=TENTATIVE")
	h.newest(user(1), "Subject: Accepted") // and the mail is there for people
	h.stop(syscall.SIGTERM)
	h.check()
}

// TestInvitationKill kills the server while it invites: whoever was to be invited
// by a PUT that was acknowledged is, once, and by mail at least once.
func TestInvitationKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills take their time")
	}
	rounds := 3
	if os.Getenv("ESSAIM_LONG") != "" || os.Getenv("ESSAIM_CRASH") == "long" {
		rounds = 60
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mails := &eventCounter{got: map[string]int{}}
	srv := &essaimsmtp.Server{Hostname: "elsewhere.example", Backend: mails, Logger: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Shutdown(context.Background()); <-done }()
	h := newHouse(t, 2, "--route", "other.example="+ln.Addr().String())
	sure := map[string]bool{}
	for round := range rounds {
		var wg sync.WaitGroup
		killed := make(chan struct{})
		wg.Go(func() {
			for n := 0; n < 200; n++ {
				uid := fmt.Sprintf("i%d-%d", round, n)
				status, _ := h.calendar(1, "PUT", "calendar/"+uid+".ics", invitation(uid, user(2), "x@other.example"))
				sure[uid] = status == 201
				select {
				case <-killed:
					return
				default:
				}
			}
		})
		time.Sleep(time.Duration(30+rand.IntN(200)) * time.Millisecond)
		h.stop(syscall.SIGKILL)
		close(killed)
		wg.Wait()
		h.start()
	}
	h.judgeInvitations(sure, mails)
	h.stop(syscall.SIGTERM)
	h.check()
}

// judgeInvitations waits until everybody is invited, and finds nobody invited twice.
func (h *house) judgeInvitations(sure map[string]bool, mails *eventCounter) {
	h.t.Helper()
	want := 0
	for uid, s := range sure {
		status, _ := h.calendar(1, "GET", "calendar/"+uid+".ics", "")
		if s && status != 200 {
			h.t.Errorf("%s was acknowledged and is lost: %d", uid, status)
		}
		if sure[uid] = status == 200; sure[uid] {
			want++
		}
	}
	for range 600 {
		if len(h.objects(2, "calendar/")) >= want && mails.count() >= want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	copies, items := h.objects(2, "calendar/"), h.objects(2, "inbox/")
	if len(copies) != want || len(items) != min(want, 1000) { // an inbox keeps no more
		h.t.Errorf("%d invitations, %d copies, %d items", want, len(copies), len(items))
	}
	mails.mu.Lock()
	defer mails.mu.Unlock()
	for uid, s := range sure {
		if s && mails.got[uid] == 0 {
			h.t.Errorf("no mail about %s", uid)
		}
	}
	h.t.Logf("%d invitations, %d mails", want, mails.all)
}

// An eventCounter is another host's mail server that counts invitations by the
// thread they are in.
type eventCounter struct {
	counter
	mu  sync.Mutex
	got map[string]int
	all int
}

func (c *eventCounter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

var uidLine = regexp.MustCompile(`(?m)^UID:(\S+)\r$`)

func (c *eventCounter) Deliver(_ context.Context, _ *essaimsmtp.Envelope, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := uidLine.FindSubmatch(decodedParts(b)); m != nil {
		c.got[string(m[1])]++
		c.all++
	}
	return nil
}

// decodedParts are the base64 parts of a message, one after the other.
func decodedParts(b []byte) (out []byte) {
	for part := range strings.SplitSeq(string(b), "\r\n\r\n") {
		text, _, _ := strings.Cut(part, "\r\n--")
		if p, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\r\n", "")); err == nil {
			out = append(out, p...)
		}
	}
	return out
}
