package caldav

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/resource"
)

// A house is one in which everybody has calendars.
type house struct {
	*davtest.House
	t testing.TB
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{davtest.New(t), t}
	h.Hooks = append(h.Hooks, resource.Check, calendar.Check)
	Mount(h.Engine)
	h.Update(func(tx *storage.Tx) error {
		for _, a := range h.Accounts {
			if err := calendar.Ensure(tx, a, h.Now); err != nil {
				return err
			}
		}
		return nil
	})
	return h
}

// do and want are davtest's, in the short.
func (h *house) do(user, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	return h.Do(user, method, path, body, header...)
}

func (h *house) want(status int, texts []string, user, method, path, body string, header ...string) string {
	h.t.Helper()
	return h.Want(status, texts, user, method, path, body, header...)
}

const (
	annaHome = "/dav/calendars/anna@coop.example/"
	annaCal  = annaHome + "calendar/"
	benHome  = "/dav/calendars/ben@coop.example/"
	benCal   = benHome + "calendar/"
	spaces   = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`
	dataProp = `<D:prop><D:getetag/><C:calendar-data/></D:prop>`
)

// ics makes an object of lines separated by "|", of a VEVENT or "VTODO/…".
func ics(uid, lines string) string {
	kind := "VEVENT"
	if k, rest, ok := strings.Cut(lines, "/"); ok && calendar.TypeOf(k) != 0 {
		kind, lines = k, rest
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:" + kind + "\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\n" +
		strings.ReplaceAll(lines, "|", "\r\n") + "\r\nEND:" + kind + "\r\nEND:VCALENDAR\r\n"
}

func propfind(props string) string {
	return `<?xml version="1.0"?><D:propfind` + spaces + `><D:prop>` + props + `</D:prop></D:propfind>`
}

func proppatch(props string) string {
	return `<D:propertyupdate` + spaces + `><D:set><D:prop>` + props + `</D:prop></D:set></D:propertyupdate>`
}

var hrefs = regexp.MustCompile(`<D:href>[^<]*/([^</]+)\.ics</D:href>`)

// names are those of the objects in an answer, in order.
func names(answer string) string {
	var out []string
	for _, m := range hrefs.FindAllStringSubmatch(answer, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
