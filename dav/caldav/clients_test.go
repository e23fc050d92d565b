package caldav

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var anyHref = regexp.MustCompile(`<D:href>([^<]+)</D:href>`)

// follow asks for one property that names a resource, and returns its path.
func (h *house) follow(user, path, prop string) string {
	h.t.Helper()
	answer := h.want(207, nil, user, "PROPFIND", path, propfind("<"+prop+"/>"), "Depth", "0")
	_, rest, _ := strings.Cut(answer, "<"+prop)
	m := anyHref.FindStringSubmatch(rest)
	if m == nil {
		h.t.Fatalf("%s of %s:\n%s", prop, path, answer)
	}
	p, err := url.PathUnescape(m[1])
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// The way from the host's name to the calendars, as every client goes it (RFC
// 6764 §6), and what each of them asks for on it.
func TestDiscovery(t *testing.T) {
	h := newHouse(t)
	principal := h.follow("anna", "/dav/", "D:current-user-principal")
	if got := h.follow("anna", principal, "C:calendar-home-set"); got != annaHome {
		t.Fatalf("home %q", got)
	}
	// DAVx5 and Evolution look at DAV on the principal and the home.
	for _, path := range []string{principal, annaHome, annaCal} {
		_, _, head := h.do("anna", "OPTIONS", path, "")
		if v := head.Get("DAV"); !strings.Contains(v, "calendar-access") || !strings.Contains(v, "calendar-auto-schedule") {
			t.Errorf("DAV of %s: %q", path, v)
		}
	}
	// Apple's Calendar asks a home for everything at once, and with Brief not to hear
	// of what is not there.
	h.want(207, []string{"<D:href>" + annaHome + "</D:href>", "<D:href>" + annaCal + "</D:href>", "<CS:getctag>data:,", "<D:sync-token>data:,", "<C:calendar/>", "<C:comp name=\"VEVENT\"/>", "!404", "<C:opaque/>", "<D:bind/>"},
		"anna", "PROPFIND", annaHome, propfind(`<CS:getctag/><D:displayname/><C:calendar-description/><A:calendar-color/><A:calendar-order/><D:resourcetype/><C:calendar-free-busy-set/><C:schedule-calendar-transp/>`+
			`<D:add-member/><CS:allowed-sharing-modes/><C:default-alarm-vevent-date/><D:owner/><CS:pre-publish-url/><CS:publish-url/><CS:push-transports/><CS:pushkey/><D:quota-available-bytes/><D:quota-used-bytes/>`+
			`<A:refreshrate/><D:resource-id/><C:supported-calendar-component-set/><D:supported-report-set/><D:sync-token/><CS:source/><C:calendar-timezone/><D:current-user-privilege-set/>`), "Depth", "1", "Brief", "t")
	// Thunderbird: a principal is one, and the calendar says what one may do.
	h.want(207, []string{"<D:principal/>"}, "anna", "PROPFIND", principal, propfind("<D:resourcetype/>"), "Depth", "0")
	h.want(207, []string{"<D:write-content/>", "<D:read/>", "<C:read-free-busy/>"}, "anna", "PROPFIND", annaCal, propfind("<D:current-user-privilege-set/><C:supported-calendar-component-set/>"), "Depth", "0")
	// KDE asks for each type of component with a range that is open at one end.
	h.want(207, []string{"!.ics"}, "anna", "REPORT", annaCal, report("calendar-query", "<D:prop><D:getetag/><D:resourcetype/></D:prop>", comp("VTODO", `<C:time-range start="20200101T000000Z"/>`)), "Depth", "1")
	// iOS sends colour and order with a new calendar, and Basic names for it.
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"9E3F-UUID/", `<x:mkcalendar xmlns:x="urn:ietf:params:xml:ns:caldav"><y:set xmlns:y="DAV:"><y:prop><y:displayname>Privé</y:displayname>`+
		`<x:supported-calendar-component-set><x:comp name="VEVENT"/></x:supported-calendar-component-set><z:calendar-order xmlns:z="http://apple.com/ns/ical/">2</z:calendar-order></y:prop></y:set></x:mkcalendar>`)
	h.want(207, []string{">Privé<", ">2<", "!VTODO"}, "anna", "PROPFIND", annaHome+"9E3F-UUID/", propfind("<D:displayname/><A:calendar-order/><C:supported-calendar-component-set/>"), "Depth", "0")
}

// Two programs change the same event: the later of two that know the same state
// is told so (RFC 9110 §13.1.1), and nothing is lost.
func TestTwoWriters(t *testing.T) {
	h := newHouse(t)
	one, two := ics("1", "DTSTART:20270310T100000Z|SUMMARY:one"), ics("1", "DTSTART:20270310T100000Z|SUMMARY:two")
	_, _, head := h.do("anna", "PUT", annaCal+"a.ics", ics("1", "DTSTART:20270310T100000Z"), "If-None-Match", "*")
	etag := head.Get("ETag")
	h.want(412, nil, "anna", "PUT", annaCal+"a.ics", one, "If-None-Match", "*")
	h.want(204, nil, "anna", "PUT", annaCal+"a.ics", one, "If-Match", etag)
	h.want(412, nil, "anna", "PUT", annaCal+"a.ics", two, "If-Match", etag)
	h.want(412, nil, "anna", "DELETE", annaCal+"a.ics", "", "If-Match", etag)
	h.want(200, []string{"SUMMARY:one"}, "anna", "GET", annaCal+"a.ics", "")
}
