package dav_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
)

// Paths that could be read in two ways are refused in every encoding, in the
// request line and in Destination (trap 10 and its kin).
func TestHostilePaths(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	for _, path := range []string{
		"/dav/toy/../toy/f", "/dav/toy/./f", "/dav/toy/%2e%2e/toy/f", "/dav/toy/%2E/f", "/dav/toy/.%2e/toy/f", "/dav/toy//f", "//dav/toy/f", "/dav/toy/f//",
		"/dav/toy/a%2Ff", "/dav/toy/a%2ff", "/dav/toy/f%00", "/dav/toy/%0a", "/dav/toy/%7f", "/dav/toy/%c0%ae%c0%ae/f", "/dav/toy/%c0%af", "/dav/toy/%e0%80%af",
		"/dav/toy/%ff", "/dav/toy/%ed%a0%80", "/dav/toy/f#x", "/dav/toy/" + strings.Repeat("x", 1025),
	} {
		res, body, err := davtest.Exchange(h.Address, "PROPFIND "+path+" HTTP/1.1\r\nHost: x\r\nUser: anna\r\nDepth: 0\r\nConnection: close\r\n\r\n")
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.60s: %v %v %s", path, res, err, body)
		}
		if path == "/dav/toy/%" || strings.HasPrefix(path, "//") {
			continue
		}
		res, body, err = davtest.Exchange(h.Address, "COPY /dav/toy/f HTTP/1.1\r\nHost: x\r\nUser: anna\r\nDestination: "+path+"\r\nConnection: close\r\n\r\n")
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("to %.60s: %v %v %s", path, res, err, body)
		}
	}
	for _, path := range []string{"/dav/toy/%", "/dav/toy/%4", "/dav/toy/%zz", "dav/toy/f"} {
		res, _, err := davtest.Exchange(h.Address, "GET "+path+" HTTP/1.1\r\nHost: x\r\nUser: anna\r\nConnection: close\r\n\r\n")
		if err == nil && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v", path, res.Status)
		}
	}
	if res, _ := do(t, h, "anna", "PROPFIND", "/dav/toy"+strings.Repeat("/a", 200), "", "Depth", "0"); res.StatusCode != http.StatusRequestURITooLong {
		t.Errorf("a deep path: %s", res.Status)
	}
}

// Destinations elsewhere are 502, whatever they look like.
func TestDestinations(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	for dest, want := range map[string]int{
		"http://" + h.Address + "/dav/toy/1":        201,
		"https://" + h.Address + "/dav/toy/2":       201, // a proxy speaks TLS for us
		"HTTP://COOP.example:80/dav/toy/3":          502,
		"http://" + h.Address + ".evil/dav/toy/4":   400, // no port
		"http://evil.example/dav/toy/4":             502,
		"http://u@" + h.Address + "/dav/toy/5":      400,
		"ftp://" + h.Address + "/dav/toy/6":         400,
		"//" + h.Address + "/dav/toy/7":             400,
		"http:/dav/toy/8":                           400,
		"http://" + h.Address:                       403,
		"http://" + h.Address + "/dav/toy/../toy/9": 400,
		"/dav/toy/10?x":                             400,
		"dav/toy/11":                                400,
	} {
		if res, body := do(t, h, "anna", "COPY", "/dav/toy/f", "", "Destination", dest); res.StatusCode != want {
			t.Errorf("%s: %s %s", dest, res.Status, body)
		}
	}
}

// XML that grows, nests or repeats itself costs little and is refused (trap 1).
func TestHostileXML(t *testing.T) {
	h := house(t)
	const open = `<D:propfind xmlns:D="DAV:"><D:prop>`
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"laughs":     {`<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><propfind xmlns="DAV:"><prop>&c;</prop></propfind>`, 400},
		"deep":       {open + strings.Repeat("<a>", 100_000), 413},
		"large":      {open + "<a>" + strings.Repeat("x", 1<<20), 413},
		"many":       {open + strings.Repeat("<a/>", 100_000), 413},
		"attributes": {open + "<a" + strings.Repeat(` xmlns:b="c"`, 1000) + "/>", 413},
		"utf-16":     {"\xff\xfe<\x00a\x00/\x00>\x00", 400},
		"latin":      {`<?xml version="1.0" encoding="iso-8859-1"?>` + open + "<a/></D:prop></D:propfind>", 400},
		"cdata":      {open + "<a><![CDATA[</a><D:acl/>]]></a></D:prop></D:propfind>", 207},
	} {
		if res, body := do(t, h, "anna", "PROPFIND", "/dav/toy/", c.body, "Depth", "0"); res.StatusCode != c.want || strings.Contains(body, "D:acl") {
			t.Errorf("%s: %s %.200s", name, res.Status, body)
		}
	}
}

// What members write cannot become markup in what others read (trap 5).
func TestNothingIsInjected(t *testing.T) {
	h := house(t)
	text := "]]></late></D:prop><D:evil/>\x01\xff"
	do(t, h, "anna", "PUT", "/dav/toy/a%3Cb%3E%26%22'", text)
	do(t, h, "anna", "PROPPATCH", "/dav/toy/a%3Cb%3E%26%22'", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x><![CDATA[<D:evil/>]]></x></D:prop></D:set></D:propertyupdate>`)
	_, body := do(t, h, "anna", "PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><late xmlns="urn:toy"/></D:include></D:propfind>`, "Depth", "1")
	if strings.Contains(body, "<D:evil") || !strings.Contains(body, "]]&gt;&lt;/late&gt;") || !strings.Contains(body, "/dav/toy/a%3Cb%3E%26%22%27<") {
		t.Error(body)
	}
}

// Locks are bounded for each user, and many of them do not slow the others down
// to a halt (litmus calls it a lock bomb).
func TestLockBomb(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	shared := strings.Replace(lockBody, "exclusive", "shared", 1)
	refused := 0
	for range 200 {
		if res, _ := do(t, h, "anna", "LOCK", "/dav/toy/f", shared); res.StatusCode != http.StatusOK {
			refused++
		}
	}
	if refused == 0 || refused == 200 {
		t.Errorf("%d of 200 refused", refused)
	}
	if res, _ := do(t, h, "anna", "LOCK", "/dav/toy/g", strings.Replace(lockBody, "</D:lockscope>", "</D:lockscope><D:owner>"+strings.Repeat("x", 10_000)+"</D:owner>", 1)); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large owner: %s", res.Status)
	}
	if res, _ := do(t, h, "anna", "PUT", "/dav/toy/f", "x", "If", strings.Repeat("(<urn:uuid:x>)", 1000)); res.StatusCode != http.StatusBadRequest {
		t.Errorf("an If of a thousand lists: %s", res.Status)
	}
	if res, _ := do(t, h, "anna", "PUT", "/dav/toy/f", "x", "If", strings.Repeat("(", 60_000)); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("an If of 60,000 bytes: %s", res.Status)
	}
}

// An answer with everything below a large folder takes no more memory than one
// about a small folder.
func TestLargeAnswersTakeNoMemory(t *testing.T) {
	h := davtest.New(t)
	davtest.NewToy(h, "/dav/toy/", "anna").Fill(3000)
	var before, after runtime.MemStats
	req := httptest.NewRequest("PROPFIND", "/dav/toy/", nil)
	req.Header.Set("User", "anna")
	w := &discard{header: http.Header{}, before: &before, after: &after}
	h.Engine.ServeHTTP(w, req)
	if w.n < 1<<20 || w.largest > 256<<10 {
		t.Errorf("%d bytes in pieces of up to %d", w.n, w.largest)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// Nor do bodies in an answer add up in memory.
func TestLargeValuesTakeNoMemory(t *testing.T) {
	h := house(t)
	for i := range 20 {
		do(t, h, "anna", "PUT", "/dav/toy/"+string(rune('a'+i)), strings.Repeat("x", 300<<10))
	}
	req := httptest.NewRequest("PROPFIND", "/dav/toy/", strings.NewReader(`<D:propfind xmlns:D="DAV:"><D:prop><late xmlns="urn:toy"/></D:prop></D:propfind>`))
	req.Header.Set("User", "anna")
	req.Header.Set("Depth", "1")
	w := &discard{header: http.Header{}}
	h.Engine.ServeHTTP(w, req)
	if w.n < 20*300<<10 || w.largest > 2*300<<10 {
		t.Errorf("%d bytes in pieces of up to %d", w.n, w.largest)
	}
}

// discard is an answer that counts, and looks at the heap near the beginning
// and in the end.
type discard struct {
	header        http.Header
	n, largest    int
	before, after *runtime.MemStats
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(b []byte) (int, error) {
	if d.before != nil {
		into := d.after
		if d.n == 0 {
			into = d.before
		}
		if d.n == 0 || len(b) < 64<<10 {
			runtime.GC()
			runtime.ReadMemStats(into)
		}
	}
	d.n += len(b)
	d.largest = max(d.largest, len(b))
	return len(b), nil
}
