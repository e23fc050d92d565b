package caldav

import "testing"

// Every condition on every method that changes an object: it holds, or nothing
// happens (RFC 9110 §13, RFC 6638 §8.3).
func TestConditions(t *testing.T) {
	h := newHouse(t)
	text := ics("1", "DTSTART:20270310T100000Z|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:anna@coop.example")
	h.want(201, nil, "anna", "MKCALENDAR", annaHome+"other/", "")
	put := func() (etag, tag string) {
		t.Helper()
		_, _, head := h.do("anna", "PUT", annaCal+"a.ics", text)
		return head.Get("ETag"), head.Get("Schedule-Tag")
	}
	etag, tag := put()
	// A copy of it is refused for another reason, when the condition holds
	// (unique-scheduling-object-resource).
	for _, c := range []struct {
		header string
		holds  bool
		value  string
	}{
		{"If-Match", false, `"other"`}, {"If-Match", false, `W/` + etag}, {"If-Match", false, `"other", "another"`},
		{"If-None-Match", false, "*"}, {"If-None-Match", false, etag}, {"If-None-Match", false, `"other", ` + etag}, {"If-None-Match", false, "W/" + etag},
		{"If-Unmodified-Since", false, "Sat, 01 Jan 2000 00:00:00 GMT"},
		{"If-Schedule-Tag-Match", false, `"other"`},
		{"If", false, `(["other"])`}, {"If", false, `(Not [` + etag + `])`}, {"If", false, `(<urn:uuid:0>)`},
		{"If-Match", true, etag}, {"If-Match", true, "*"}, {"If-Match", true, `"other", ` + etag},
		{"If-None-Match", true, `"other"`},
		{"If-Unmodified-Since", true, "Wed, 01 Jan 2031 00:00:00 GMT"},
		{"If-Schedule-Tag-Match", true, "the one it has"},
		{"If", true, `([` + etag + `])`}, {"If", true, `(["other"]) ([` + etag + `])`}, {"If", true, `(Not <DAV:no-lock>)`},
	} {
		for _, m := range []struct {
			method, body string
			ok           int
		}{{"PUT", text, 204}, {"PROPPATCH", proppatch("<X:a xmlns:X=\"urn:x\">1</X:a>"), 207}, {"COPY", "", 403}, {"MOVE", "", 201}, {"DELETE", "", 204}} {
			want, value := 412, c.value
			if c.holds {
				want = m.ok
			}
			if value == "the one it has" {
				value = tag
			}
			h.want(want, nil, "anna", m.method, annaCal+"a.ics", m.body, c.header, value, "Destination", annaHome+"other/a.ics")
			if c.holds {
				h.do("anna", "DELETE", annaHome+"other/a.ics", "")
				h.do("anna", "DELETE", annaCal+"a.ics", "")
				again := ""
				if again, tag = put(); again != etag {
					t.Fatalf("the same text had ETag %s, after %s it has %s", etag, m.method, again)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("%s: %s", c.header, c.value)
		}
	}
	for _, c := range []struct {
		status        int
		header, value string
	}{
		{304, "If-None-Match", etag}, {304, "If-None-Match", "*"}, {304, "If-Modified-Since", "Wed, 01 Jan 2031 00:00:00 GMT"},
		{200, "If-None-Match", `"other"`}, {412, "If-Match", `"other"`}, {200, "If-Match", etag},
		{412, "If-Schedule-Tag-Match", `"other"`}, {200, "If-Schedule-Tag-Match", tag},
	} {
		h.want(c.status, nil, "anna", "GET", annaCal+"a.ics", "", c.header, c.value)
		h.want(c.status, nil, "anna", "HEAD", annaCal+"a.ics", "", c.header, c.value)
	}
}
