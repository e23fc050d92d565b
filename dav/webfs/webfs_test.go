package webfs

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFilesComeBack(t *testing.T) {
	h := newHouse(t, 0)
	r := h.want(201, "ann", "PUT", "a%20file.txt", "hello", "X-OC-Mtime", "1700000000", "Content-Type", "text/html")
	if r.Header.Get("ETag") == "" || r.Header.Get("X-OC-Mtime") != "accepted" || r.Header.Get("OC-FileId") == "" {
		t.Errorf("answer %v", r.Header)
	}
	r = h.want(200, "ann", "GET", "a%20file.txt", "")
	if r.body != "hello" || r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Last-Modified") != "Tue, 14 Nov 2023 22:13:20 GMT" {
		t.Errorf("%q, %v", r.body, r.Header)
	}
	if r := h.want(206, "ann", "GET", "a%20file.txt", "", "Range", "bytes=1-3"); r.body != "ell" {
		t.Errorf("range: %q", r.body)
	}
	if r := h.want(200, "ann", "HEAD", "a%20file.txt", ""); r.ContentLength != 5 {
		t.Errorf("HEAD: %d bytes", r.ContentLength)
	}
	h.want(304, "ann", "GET", "a%20file.txt", "", "If-None-Match", r.Header.Get("ETag"))
	h.want(204, "ann", "PUT", "a%20file.txt", "again", "If-Match", r.Header.Get("ETag"))
	h.want(412, "ann", "PUT", "a%20file.txt", "lost", "If-Match", r.Header.Get("ETag"))
	h.want(409, "ann", "PUT", "no/such/folder.txt", "x")
	h.want(405, "ann", "GET", "", "")
	h.want(404, "bob", "GET", "/dav/files/ann@coop.example/a%20file.txt", "")
	h.want(404, "ann", "GET", "/dav/files/nobody@coop.example/", "")
	h.want(404, "ann", "GET", "/dav/files/nobody/", "")
	h.read("ann", "/dav/files/ANN@coop.example/a%20file.txt", "again")
}

// What looks like a page to a browser is never shown as one.
func TestMediaTypes(t *testing.T) {
	h := newHouse(t, 0)
	for _, f := range []struct{ name, given, want string }{
		{"page.html", "text/plain", "text/html"}, {"x.svg", "", "image/svg+xml"}, {"no-ending", "", unknownType},
		{"data.unknown", "application/x-thing; a=b", "application/x-thing; a=b"}, {"bad", "a/b\x7f", unknownType},
	} {
		args := []string{}
		if f.given != "" && !strings.Contains(f.given, "\x7f") {
			args = []string{"Content-Type", f.given}
		}
		h.want(201, "ann", "PUT", f.name, "<html><script>alert(1)</script>", args...)
		r := h.want(200, "ann", "GET", f.name, "")
		if r.Header.Get("Content-Type") != f.want || r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			r.Header.Get("Content-Disposition") != "attachment" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", f.name, r.Header)
		}
	}
}

func TestChecksums(t *testing.T) {
	h := newHouse(t, 0)
	sum := fmt.Sprintf("SHA1:%x", sha1.Sum([]byte("body")))
	h.want(201, "ann", "PUT", "f", "body", "OC-Checksum", sum)
	if got := h.prop("ann", "f", "http://owncloud.org/ns", "checksums"); !strings.Contains(got, sum) || !strings.Contains(got, "SHA256:") {
		t.Errorf("checksums %q", got)
	}
	h.want(400, "ann", "PUT", "f", "other body", "OC-Checksum", sum)
	h.want(400, "ann", "PUT", "g", "b", "OC-Checksum", "SHA1:zz")
	h.read("ann", "f", "body")
	h.want(404, "ann", "GET", "g", "")
}

// A folder's tag changes with anything below it; a file's ID stays when it
// moves.
func TestTagsAndIDs(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "a", "")
	h.want(201, "ann", "MKCOL", "a/b", "")
	h.want(201, "ann", "MKCOL", "other", "")
	tag := func(p string) string { return h.prop("ann", p, "DAV:", "getetag") }
	root, other := tag(""), tag("other/")
	h.want(201, "ann", "PUT", "a/b/f", "x")
	if tag("") == root || tag("other/") != other {
		t.Error("the tags do not say what changed")
	}
	id := h.prop("ann", "a/b/f", "http://owncloud.org/ns", "fileid")
	h.want(201, "ann", "MOVE", "a/b", "", "Destination", "other/c")
	if got := h.prop("ann", "other/c/f", "http://owncloud.org/ns", "fileid"); got != id || id == "-" {
		t.Errorf("ID %s, was %s", got, id)
	}
	if got := h.prop("ann", "other/", "http://owncloud.org/ns", "size"); got != "1" {
		t.Errorf("size %s", got)
	}
	if got := h.prop("ann", "other/c/f", "http://owncloud.org/ns", "permissions"); got != "RGDNVW" {
		t.Errorf("permissions %s", got)
	}
}

func TestDates(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "PUT", "f", "x", "X-OC-Mtime", "0")
	if got := h.prop("ann", "f", "DAV:", "getlastmodified"); got != h.now.UTC().Format(time.RFC1123[:26]+"GMT") {
		t.Errorf("a date of 1970 was taken: %s", got)
	}
	on := "f"
	patch := func(space, name, value string) {
		t.Helper()
		body := fmt.Sprintf(`<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><X:%s xmlns:X="%s">%s</X:%s></D:prop></D:set></D:propertyupdate>`, name, space, value, name)
		if r := h.want(207, "ann", "PROPPATCH", on, body); !strings.Contains(r.body, "200 OK") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	const ms = "urn:schemas-microsoft-com:"
	patch(ms, "Win32LastModifiedTime", "Wed, 10 Jan 2024 08:30:00 GMT")
	patch(ms, "Win32CreationTime", "Tue, 09 Jan 2024 08:30:00 GMT")
	patch(ms, "Win32FileAttributes", "00000020")
	if got := h.prop("ann", "f", "DAV:", "getlastmodified"); got != "Wed, 10 Jan 2024 08:30:00 GMT" {
		t.Errorf("modified %s", got)
	}
	if got := h.prop("ann", "f", "DAV:", "creationdate"); got != "2024-01-09T08:30:00Z" {
		t.Errorf("created %s", got)
	}
	if got := h.prop("ann", "f", ms, "Win32FileAttributes"); got != "00000020" {
		t.Errorf("attributes %s", got)
	}
	patch("DAV:", "lastmodified", "1700000000")
	patch("DAV:", "getlastmodified", "Tue, 14 Nov 2023 22:13:21 GMT")
	if got := h.prop("ann", "f", "DAV:", "lastmodified"); got != "1700000001" {
		t.Errorf("modified %s", got)
	}
	on = "d"
	h.want(201, "ann", "MKCOL", on, "")
	patch(ms, "Win32LastModifiedTime", "Wed, 10 Jan 2024 08:30:00 GMT")
	if got := h.prop("ann", on, "DAV:", "getlastmodified"); got != "Wed, 10 Jan 2024 08:30:00 GMT" {
		t.Errorf("a folder of %s", got)
	}
	h.want(201, "ann", "PUT", "d/f", "x")
	if got := h.prop("ann", on, "DAV:", "lastmodified"); got != fmt.Sprint(h.now.Unix()) {
		t.Errorf("a folder that has changed of %s", got)
	}
}

func TestTrashAndVersions(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "d", "")
	h.want(201, "ann", "PUT", "d/f.txt", "one")
	h.now = h.now.Add(time.Hour)
	h.want(204, "ann", "PUT", "d/f.txt", "two")
	id := h.prop("ann", "d/f.txt", "http://owncloud.org/ns", "fileid")
	versions := "/dav/versions/ann@coop.example/versions/" + id + "/"
	list := h.names("ann", versions)
	if len(list) != 1 {
		t.Fatalf("versions %q", list)
	}
	h.read("ann", versions+list[0], "one")
	if got := h.prop("ann", versions+list[0], "http://nextcloud.org/ns", "version-author"); got != "ann@coop.example" {
		t.Errorf("author %q", got)
	}
	h.want(404, "bob", "GET", "/dav/versions/bob@coop.example/versions/"+id+"/"+list[0], "")
	h.want(201, "ann", "COPY", versions+list[0], "", "Destination", "/dav/versions/ann@coop.example/restore/x")
	h.read("ann", "d/f.txt", "one")
	h.want(204, "ann", "DELETE", versions+list[0], "")

	h.want(204, "ann", "DELETE", "d", "")
	h.want(404, "ann", "GET", "d/f.txt", "")
	trash := "/dav/trash/ann@coop.example/trash/"
	list = h.names("ann", trash)
	if len(list) != 1 || !strings.HasSuffix(list[0], "-d/") {
		t.Fatalf("trash %q", list)
	}
	if got := h.prop("ann", trash+list[0], "http://nextcloud.org/ns", "trashbin-original-location"); got != "d" {
		t.Errorf("original location %q", got)
	}
	if got := h.prop("ann", trash+list[0], "http://nextcloud.org/ns", "trashbin-deleted-by-id"); got != "ann@coop.example" {
		t.Errorf("deleted by %q", got)
	}
	h.read("ann", trash+list[0]+"f.txt", "one")
	h.want(404, "bob", "GET", trash+list[0]+"f.txt", "")
	h.want(201, "ann", "MOVE", trash+list[0], "", "Destination", "/dav/trash/ann@coop.example/restore/d")
	h.read("ann", "d/f.txt", "one")
	h.want(204, "ann", "DELETE", "d", "")
	h.want(204, "ann", "DELETE", trash+h.names("ann", trash)[0], "")
	if list = h.names("ann", trash); len(list) != 0 {
		t.Errorf("trash %q", list)
	}
	if used := h.prop("ann", "", "DAV:", "quota-used-bytes"); used != "0" {
		t.Errorf("%s bytes used", used)
	}
}

func TestSync(t *testing.T) {
	h := newHouse(t, 0)
	report := func(token, level string) (hrefs []string, next string) {
		t.Helper()
		body := fmt.Sprintf(`<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>%s</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`, token, level)
		r := h.want(207, "ann", "REPORT", "", body)
		for _, part := range strings.Split(r.body, "<D:response>")[1:] {
			_, href, _ := strings.Cut(part, "<D:href>")
			href, _, _ = strings.Cut(href, "</D:href>")
			href = strings.TrimPrefix(href, homePath("ann@coop.example"))
			if strings.Contains(part, "<D:status>HTTP/1.1 404") && !strings.Contains(part, "propstat") {
				href = "-" + href
			}
			hrefs = append(hrefs, href)
		}
		_, next, _ = strings.Cut(r.body, "<D:sync-token>")
		next, _, _ = strings.Cut(next, "</D:sync-token>")
		return hrefs, next
	}
	h.want(201, "ann", "MKCOL", "a", "")
	h.want(201, "ann", "PUT", "a/f", "x")
	all, token := report("", "infinite")
	if !slices.Equal(all, []string{"a/", "a/f"}) {
		t.Errorf("at first %q", all)
	}
	h.want(201, "ann", "MOVE", "a", "", "Destination", "b")
	h.want(201, "ann", "PUT", "g", "x")
	if got, _ := report(token, "infinite"); !slices.Equal(got, []string{"b/", "-a/", "b/f", "g"}) && !slices.Equal(got, []string{"b/", "-a", "b/f", "g"}) {
		t.Errorf("then %q", got)
	}
	if got, next := report(token, "1"); len(got) != 3 {
		t.Errorf("the members %q", got)
	} else if again, same := report(next, "1"); len(again) != 0 || same != next {
		t.Errorf("nothing new: %q", again)
	}
	h.want(403, "ann", "REPORT", "", `<D:sync-collection xmlns:D="DAV:"><D:sync-token>data:,0-1-1</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
}

func TestQuotaIsToldAndMakesRoom(t *testing.T) {
	h := newHouse(t, 1000)
	h.want(201, "ann", "PUT", "a", strings.Repeat("a", 600))
	h.want(204, "ann", "DELETE", "a", "")
	h.want(201, "ann", "PUT", "b", strings.Repeat("b", 600)) // in the place of the trash
	if got := h.prop("ann", "", "DAV:", "quota-available-bytes"); got != "400" {
		t.Errorf("available %s", got)
	}
	h.want(507, "ann", "PUT", "c", strings.Repeat("c", 600))
	h.want(507, "ann", "COPY", "b", "", "Destination", "c")
}

func TestNames(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "PUT", "a.txt", "x")
	h.want(201, "ann", "PUT", "A.txt", "y")
	h.read("ann", "a.txt", "x")
	if got := h.prop("ann", "a.txt", nameClash.Space, nameClash.Local); got != "case" {
		t.Errorf("a clash of names: %q", got)
	}
	h.want(204, "ann", "DELETE", "A.txt", "")
	if got := h.prop("ann", "a.txt", nameClash.Space, nameClash.Local); got != "-" {
		t.Errorf("a clash that is over: %q", got)
	}
	h.want(400, "ann", "PUT", strings.Repeat("x", 256), "x")
	h.want(400, "ann", "MKCOL", "a%00b", "")
	deep := ""
	for range 90 {
		deep += "d/"
		h.want(201, "ann", "MKCOL", deep, "")
	}
}
