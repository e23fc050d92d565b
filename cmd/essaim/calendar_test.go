package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newCalendarDevice is a computer with vdirsyncer, khal and todoman, configured
// from nothing but the host's name and the member's address and password.
func newCalendarDevice(t *testing.T, h *house, member string) *device {
	t.Helper()
	for _, name := range []string{"vdirsyncer", "khal", "todoman"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed")
		}
	}
	d := &device{t, t.TempDir()}
	d.write("config", fmt.Sprintf(`[general]
status_path = "%[1]s/status"
[pair calendars]
a = "here"
b = "there"
collections = ["calendar"]
conflict_resolution = "b wins"
metadata = ["color", "displayname"]
[storage here]
type = "filesystem"
path = "%[1]s/calendars"
fileext = ".ics"
[storage there]
type = "caldav"
url = "https://localhost:%[2]d/"
username = "%[3]s"
password = "%[4]s"
verify = "%[5]s"
`, d.dir, h.base+443, member, testPassword, filepath.Join(h.dir, "tls", "ca.pem")))
	d.write("khal.conf", "[calendars]\n[[calendar]]\npath = "+filepath.Join(d.dir, "calendars", "calendar")+"\n[locale]\nlocal_timezone = Europe/Brussels\ndefault_timezone = Europe/Brussels\n"+
		"timeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n[sqlite]\npath = "+filepath.Join(d.dir, "khal.db")+"\n")
	d.write("todoman.py", fmt.Sprintf("path = %q\ndate_format = \"%%Y-%%m-%%d\"\ndefault_list = \"calendar\"\ncache_path = %q\n", filepath.Join(d.dir, "calendars", "*"), filepath.Join(d.dir, "todo.sqlite")))
	d.run("y\ny\n", "vdirsyncer", "-c", "config", "discover")
	return d
}

func (d *device) khal(args ...string) string {
	d.t.Helper()
	return d.run("", "khal", append([]string{"-c", "khal.conf"}, args...)...)
}

func (d *device) todo(args ...string) string {
	d.t.Helper()
	return d.run("", "todoman", append([]string{"--config", "todoman.py"}, args...)...)
}

// A member writes an appointment that comes back each week and a thing to do on
// the laptop, has both on the desk, and still has them after the machine was
// pulled the plug.
func TestCalendarOnTwoDevices(t *testing.T) {
	h := newHouse(t, 1)
	laptop, desk := newCalendarDevice(t, h, user(1)), newCalendarDevice(t, h, user(1))
	laptop.sync()
	laptop.khal("new", "-a", "calendar", "-r", "weekly", "2027-03-10", "10:00", "11:30", "Réunion")
	laptop.todo("new", "-l", "calendar", "--due", "2027-03-12", "Send the minutes")
	laptop.sync()
	laptop.write("calendars/calendar/color", "#336699")
	laptop.run("", "vdirsyncer", "-c", "config", "metasync")
	desk.sync()
	desk.run("", "vdirsyncer", "-c", "config", "metasync")
	if got, err := os.ReadFile(filepath.Join(desk.dir, "calendars", "calendar", "color")); err != nil || !strings.HasPrefix(string(got), "#336699") {
		t.Errorf("colour on the desk: %q %v", got, err)
	}
	if got := desk.khal("list", "2027-03-24", "1d"); !strings.Contains(got, "10:00-11:30 Réunion") {
		t.Errorf("on the desk: %q", got)
	}
	h.stop(syscall.SIGKILL)
	h.start()
	if got := desk.todo("list"); !strings.Contains(got, "Send the minutes") {
		t.Errorf("to do, on the desk: %q", got)
	}
	desk.todo("done", "1")
	desk.sync()
	laptop.sync()
	if got := laptop.todo("list"); strings.Contains(got, "Send the minutes") {
		t.Errorf("still to do, on the laptop: %q", got)
	}
}

const pythonCalendar = `
import sys, datetime, caldav
url, user, password, ca = sys.argv[1:]
client = caldav.DAVClient(url=url, username=user, password=password, ssl_verify_cert=ca)
principal = client.principal()
names = [c.name for c in principal.calendars()]
assert names == ["Calendar"], names
work = principal.make_calendar(name="Work", cal_id="work")
UTC = datetime.timezone.utc
event = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:weekly
DTSTAMP:20270101T000000Z
DTSTART;TZID=Europe/Brussels:20270303T100000
DURATION:PT1H
RRULE:FREQ=WEEKLY
SUMMARY:Weekly
END:VEVENT
END:VCALENDAR
"""
work.save_event(event)
work.save_todo(event.replace("VEVENT", "VTODO").replace("weekly", "minutes").replace("RRULE:FREQ=WEEKLY\n", ""))
day = lambda *a: datetime.datetime(*a, tzinfo=UTC)
assert len(work.events()) == 1 and len(work.todos()) == 1
found = work.date_search(day(2037, 3, 1), day(2037, 4, 1), expand=True)
assert sum(e.data.count("BEGIN:VEVENT") for e in found) in (4, 5), [e.data for e in found]
assert not work.date_search(day(2027, 3, 4), day(2027, 3, 9), expand=False)
busy = work.freebusy_request(day(2027, 3, 10), day(2027, 3, 11))
assert "20270310T090000Z/20270310T100000Z" in busy.data, busy.data
token = work.objects(load_objects=False)
work.event_by_uid("weekly").delete()
token.sync()
assert len(work.events()) == 0 and work.event_by_url(work.url.join("minutes.ics"))
try:
    work.save_event(event.replace("VERSION", "METHOD:REQUEST\nVERSION"))
    raise SystemExit("an object with a METHOD is taken")
except (caldav.error.PutError, caldav.error.AuthorizationError): # what it makes of a 403
    pass
work.delete()
assert [c.name for c in principal.calendars()] == ["Calendar"]
`

// What the CalDAV library of Python does with a calendar.
func TestPythonCalendar(t *testing.T) {
	const python = "/usr/bin/python3" // the one that has the distribution's modules
	if err := exec.Command(python, "-c", "import caldav").Run(); err != nil {
		t.Skip("no python3-caldav")
	}
	h := newHouse(t, 1)
	d := &device{t, t.TempDir()}
	d.run("", python, "-W", "ignore", "-c", pythonCalendar, fmt.Sprintf("https://localhost:%d/dav/", h.base+443), user(1), testPassword, filepath.Join(h.dir, "tls", "ca.pem"))
}
