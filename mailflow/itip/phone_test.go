package itip

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// A phone follows a member's calendar by sync-collection, two changes at a time, and
// reads what has changed by calendar-multiget, as DAVx5 does (RFC 6578 §3.2, RFC 4791
// §7.9).
type phone struct {
	*house
	user        string
	on          bool
	token       string
	texts, tags map[string]string // by href
}

type multistatus struct {
	Responses []struct {
		Href   string `xml:"DAV: href"`
		Status string `xml:"DAV: status"`
		ETag   string `xml:"propstat>prop>getetag"`
		Data   string `xml:"propstat>prop>calendar-data"`
	} `xml:"DAV: response"`
	Token string `xml:"DAV: sync-token"`
}

func (p *phone) ask(method, body string, header ...string) (m multistatus) {
	p.t.Helper()
	status, answer, _ := p.do(p.user, method, home(p.user), body, header...)
	if status != 207 {
		p.t.Fatalf("%s by %s's phone: %d %s", method, p.user, status, answer)
	}
	if err := xml.Unmarshal([]byte(answer), &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// sync brings the phone up to what the server has.
func (p *phone) sync() {
	p.t.Helper()
	for range 100 {
		m := p.ask("REPORT", `<D:sync-collection xmlns:D="DAV:"><D:sync-token>`+p.token+`</D:sync-token><D:sync-level>1</D:sync-level>`+
			`<D:limit><D:nresults>2</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>`)
		p.token = m.Token
		var changed []string
		more := false
		for _, r := range m.Responses {
			switch {
			case strings.Contains(r.Status, "507"):
				more = true // RFC 6578 §3.6
			case strings.Contains(r.Status, "404"):
				delete(p.texts, r.Href)
				delete(p.tags, r.Href)
			case p.tags[r.Href] != r.ETag:
				changed = append(changed, r.Href)
			}
		}
		p.fetch(changed)
		if !more {
			return
		}
	}
	p.t.Fatalf("%s's phone syncs without end", p.user)
}

func (p *phone) fetch(changed []string) {
	p.t.Helper()
	if len(changed) == 0 {
		return
	}
	m := p.ask("REPORT", `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>`+
		strings.Join(changed, "</D:href><D:href>")+`</D:href></C:calendar-multiget>`)
	for _, r := range m.Responses {
		if r.Status == "" { // else it is gone again, and the next report says so
			p.texts[r.Href], p.tags[r.Href] = r.Data, r.ETag
		}
	}
}

// compare holds the phone's view against a listing of the calendar.
func (p *phone) compare() {
	p.t.Helper()
	m := p.ask("PROPFIND", `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`, "Depth", "1")
	there := map[string]string{}
	for _, r := range m.Responses {
		if !strings.HasSuffix(r.Href, "/") {
			there[r.Href] = r.ETag
		}
	}
	if fmt.Sprint(there) != fmt.Sprint(p.tags) {
		p.t.Errorf("%s's phone has %v, the server %v", p.user, p.tags, there)
	}
	for href, text := range p.texts {
		if _, now, _ := p.do(p.user, "GET", strings.TrimPrefix(href, "/dav/calendars/"), ""); now != text {
			p.t.Errorf("%s on %s's phone:\n%s\non the server:\n%s", href, p.user, text, now)
		}
	}
}
