package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A seeker is a client that knows the host's name, an address and a password.
type seeker struct {
	t              *testing.T
	http           *http.Client
	base, password string
	header         map[string]string
}

func newSeeker(t *testing.T, h *house, password string, header map[string]string) *seeker {
	c := &http.Client{Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	t.Cleanup(c.CloseIdleConnections)
	return &seeker{t, c, strings.TrimSuffix(h.web(""), "/"), password, header}
}

// ask makes a request, as nobody when there is no password.
func (s *seeker) ask(status int, password, method, path, depth, props string) (string, http.Header) {
	s.t.Helper()
	body := ""
	if props != "" {
		body = `<?xml version="1.0" encoding="UTF-8"?><D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CARD="urn:ietf:params:xml:ns:carddav"><D:prop>` + props + `</D:prop></D:propfind>`
	}
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range s.header {
		r.Header.Set(k, v)
	}
	if depth != "" {
		r.Header.Set("Depth", depth)
	}
	if password != "" {
		r.SetBasicAuth(user(1), password)
	}
	res, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != status {
		s.t.Fatalf("%s %s: %s, want %d\n%s", method, path, res.Status, status, b)
	}
	return string(b), res.Header
}

// property is the first href in a property of a resource.
func (s *seeker) property(path, name, others string) string {
	s.t.Helper()
	answer, _ := s.ask(207, s.password, "PROPFIND", path, "0", others)
	m := regexp.MustCompile(`<(?:\w+:)?` + name + `(?: [^>]*)?><D:href>([^<]+)</D:href>`).FindStringSubmatch(answer)
	if m == nil {
		return ""
	}
	p, err := url.PathUnescape(m[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// home goes the way of RFC 6764 §6 from the name of a service to the home of its
// collections; it is empty if the principal names none.
func (s *seeker) home(service, homeSet, root, principalProps string) (principal, home string) {
	s.t.Helper()
	_, head := s.ask(301, "", "PROPFIND", "/.well-known/"+service, "0", root)
	start := head.Get("Location")
	if !strings.HasPrefix(start, "/") { // credentials are not sent to another host
		s.t.Fatalf("sent to %q", start)
	}
	_, head = s.ask(401, "", "PROPFIND", start, "0", root)
	if got := head.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic realm=") {
		s.t.Errorf("asked for %q", got)
	}
	if principal = s.property(start, "current-user-principal", root); principal == "" {
		s.t.Fatal("no principal")
	}
	return principal, s.property(principal, homeSet, principalProps)
}

// discoveries are what programs ask on the way, first at the root, then of the
// principal, then of the home.
var discoveries = []struct {
	name             string
	header           map[string]string
	root, who, plain string
}{
	{"davx5", map[string]string{"User-Agent": "DAVx5/4.4.1-ose", "Content-Type": "application/xml; charset=utf-8"},
		`<D:resourcetype/><D:displayname/><C:calendar-home-set/><CARD:addressbook-home-set/><D:current-user-privilege-set/><D:current-user-principal/>`,
		`<D:displayname/><C:calendar-home-set/><CARD:addressbook-home-set/><D:group-membership/>`,
		`<D:resourcetype/><D:displayname/><D:owner/><D:current-user-privilege-set/><C:supported-calendar-component-set/><CARD:addressbook-description/>`},
	{"apple", map[string]string{"User-Agent": "iOS/17.5.1 dataaccessd/1.0", "Content-Type": "text/xml", "Brief": "t", "Prefer": "return=minimal"},
		`<D:current-user-principal/><D:principal-URL/><D:resourcetype/>`,
		`<C:calendar-home-set/><CARD:addressbook-home-set/><C:calendar-user-address-set/><D:principal-URL/><D:resource-id/><D:supported-report-set/>`,
		`<D:add-member/><D:current-user-privilege-set/><D:displayname/><D:owner/><D:quota-used-bytes/><D:resourcetype/><D:sync-token/><D:supported-report-set/>`},
	{"thunderbird", map[string]string{"User-Agent": "Thunderbird/153.0", "Content-Type": "text/xml; charset=utf-8"},
		`<D:resourcetype/><D:owner/><D:displayname/><D:current-user-principal/><D:current-user-privilege-set/><C:calendar-home-set/>`,
		`<C:calendar-home-set/><CARD:addressbook-home-set/>`,
		`<D:resourcetype/><D:displayname/><D:current-user-privilege-set/>`},
}

// From the name of the host to the collections, over TLS, as each program goes.
func TestStoryDiscovery(t *testing.T) {
	h := newHouse(t, 1)
	for _, d := range discoveries {
		for _, service := range []struct{ name, homeSet, token, first, kind string }{
			{"caldav", "calendar-home-set", "calendar-access", "calendar/", "calendar"},
			{"carddav", "addressbook-home-set", "addressbook", "contacts/", "addressbook"},
		} {
			t.Run(d.name+"/"+service.name, func(t *testing.T) {
				s := newSeeker(t, h, testPassword, d.header)
				principal, home := s.home(service.name, service.homeSet, d.root, d.who)
				if home == "" {
					t.Fatal("no home")
				}
				for _, path := range []string{principal, home, home + service.first} {
					if _, head := s.ask(200, s.password, "OPTIONS", path, "", ""); !strings.Contains(head.Get("DAV"), service.token) {
						t.Errorf("DAV of %s: %q", path, head.Get("DAV"))
					}
				}
				list, _ := s.ask(207, s.password, "PROPFIND", home, "1", d.plain)
				_, collection, ok := strings.Cut(list, "<D:href>"+home+service.first+"</D:href>")
				collection, _, _ = strings.Cut(collection, "</D:response>")
				if !ok || !strings.Contains(collection, service.kind) || !strings.Contains(collection, "<D:write/>") {
					t.Errorf("%s in the home:\n%s", service.first, list)
				}
				if d.header["Brief"] != "" && strings.Contains(list, " 404 ") {
					t.Errorf("not brief:\n%s", list)
				}
			})
		}
	}
}

// A password that is good for calendars only leads to these and to nothing else.
func TestStoryDiscoveryWithOneService(t *testing.T) {
	h := newHouse(t, 1)
	out, err := exec.Command(h.bin, "--data", h.dir, "member", "password", user(1), "--device", "phone", "--scope", "calendar").Output()
	fields := strings.Split(strings.SplitN(string(out), "\n", 2)[0], "\t")
	if err != nil || len(fields) != 3 {
		t.Fatalf("%v: %q", err, out)
	}
	for _, d := range discoveries {
		s := newSeeker(t, h, fields[2], d.header)
		if _, home := s.home("caldav", "calendar-home-set", d.root, d.who); home == "" {
			t.Errorf("%s: no calendars", d.name)
		}
		if _, home := s.home("carddav", "addressbook-home-set", d.root, d.who); home != "" {
			t.Errorf("%s: led to %s", d.name, home)
		}
		s.ask(403, s.password, "PROPFIND", fmt.Sprintf("/dav/addressbooks/%s/", user(1)), "0", d.plain)
	}
}
