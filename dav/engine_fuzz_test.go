package dav_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davxml"
)

// FuzzEngine: whatever is asked, the answer is not an internal error and what
// is called XML is XML.
func FuzzEngine(f *testing.F) {
	for _, s := range [][4]string{
		{"PROPFIND", "/dav/toy/", "Depth: 1", `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><late xmlns="urn:toy"/></D:include></D:propfind>`},
		{"PROPPATCH", "/dav/toy/f", "If: (<a> [\"b\"])", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x/></D:prop></D:set><D:remove/></D:propertyupdate>`},
		{"MKCOL", "/dav/toy/x", "Content-Type: text/xml", `<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype/></D:prop></D:set></D:mkcol>`},
		{"COPY", "/dav/toy/f", "Destination: /dav/toy/g", ""},
		{"MOVE", "/dav/toy/f", "Destination: http://x/dav/toy/f", ""},
		{"LOCK", "/dav/toy/f", "Timeout: Second-9", lockBody},
		{"UNLOCK", "/dav/toy/f", "Lock-Token: <a>", ""},
		{"ACL", "/dav/toy/", "", `<D:acl xmlns:D="DAV:"><D:ace><D:principal><D:href>mailto:x</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>`},
		{"REPORT", "/dav/toy/", "", `<D:sync-collection xmlns:D="DAV:"><D:sync-token>data:,1-1-1</D:sync-token><D:limit><D:nresults>1</D:nresults></D:limit><D:prop/></D:sync-collection>`},
		{"REPORT", "/dav/principals/", "", `<D:expand-property xmlns:D="DAV:"><D:property name="current-user-principal"><D:property name="acl" namespace="x"/></D:property></D:expand-property>`},
		{"REPORT", "/dav/principals/", "", `<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:match>a</D:match></D:property-search></D:principal-property-search>`},
		{"REPORT", "/dav/toy/", "", `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property></D:principal-match>`},
		{"REPORT", "/dav/toy/", "", `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop/></D:acl-principal-prop-set>`},
		{"SEARCH", "/dav/", "", `<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select/><D:from><D:scope><D:href>toy</D:href></D:scope></D:from><D:where><D:eq/></D:where></D:basicsearch></D:searchrequest>`},
		{"GET", "/dav/toy/f", "Range: bytes=1-,0-1", ""},
		{"PUT", "/dav/toy/%2e", "If-Match: W/", "x"},
		{"DELETE", "*", "Depth: 0", ""},
		{"OPTIONS", "*", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	h := house(f)
	do(f, h, "anna", "PUT", "/dav/toy/f", "text")
	f.Fuzz(func(t *testing.T, method, path, header, body string) {
		req := httptest.NewRequest("GET", "/", strings.NewReader(body))
		req.Method, req.RequestURI, req.Host = method, path, "x"
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		req.Header.Set("User", "anna")
		w := httptest.NewRecorder()
		h.Engine.ServeHTTP(w, req)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %q %q %q: %s", method, path, header, body, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/xml") {
			if _, err := davxml.Parse(bytes.NewReader(w.Body.Bytes()), davxml.Limits{Bytes: 32 << 20, Nodes: 1 << 20}); err != nil {
				t.Errorf("%s %q %q %q: %v\n%s", method, path, header, body, err, w.Body)
			}
		}
	})
}
